"""`parity gate`: judge a run, or its identity alone, against the baselines; `accept` approves."""

import getpass
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from parity import processes, progress
from parity import run as runs
from parity.compare.behaviour import Misshapen
from parity.document import now, to_json
from parity.errors import CannotRun
from parity.files import append, check_writable, publish
from parity.gate import accept as approval
from parity.gate import baseline, outputs, recorded
from parity.gate import golden as golden_traces
from parity.gate.judge import judge, judge_identity
from parity.gate.outcome import Json, Outcome
from parity.identity import asked
from parity.model import Case
from parity.options import (
    FOLDER,
    OUT,
    OUT_FOLDER,
    PROJECT_ONLY,
    WORKERS,
    again,
    option,
    port,
    takes,
    told,
)
from parity.ports import PREFIX, load, of_case, opened
from parity.program import FORCE, Commands, Name, end, result, say, wants_json, wrote
from parity.project import cases
from parity.reports.document import read
from parity.settings import setting

NOTHING_COMPARED = 3
_FILE = Name(path_type=Path)
_JSON = "parity.json"
RECEIVED = "baseline.received.json"
RUN = "gate-run.json"  # what was judged, where the gate made it: another run's page stays true
OUTPUTS = ("gate.json", "gate-junit.xml", RECEIVED, RUN)


_BASELINES = option(
    "--baselines",
    "folder",
    default="fixtures/baselines",
    type=FOLDER,
    help="Where the baselines are.",
)
_MODELS = option("-m", "--model", "models", multiple=True, help="Only this model (repeatable).")


@click.group(
    cls=Commands,
    invoke_without_command=True,
    example='parity gate --model CNN0\nparity gate accept --reason "first"',
)
@_MODELS
@_BASELINES
@option("--run", "given", type=_FILE, help="Judge this parity.json instead of running.")
@option(
    "--json", "as_json", is_flag=False, flag_value="", metavar="[FILE]",
    help="Print gate.json instead of text; with a FILE, judge that, as --run does.",
)  # fmt: skip
@option(
    "--identity-only",
    is_flag=True,
    help="Compare weights, layers, settings and versions; run nothing.",
)
@option(
    "--golden",
    is_flag=True,
    help="Compare with the compact golden traces, even where recorded ones are cached.",
)
@takes(port("The port to judge."), WORKERS, OUT_FOLDER, PROJECT_ONLY, FORCE)
@click.pass_context
def gate(
    context: click.Context,
    models: tuple[str, ...],
    folder: Path,
    given: Path | None,
    as_json: str | None,
    identity_only: bool,
    golden: bool,
    port: str,
    workers: int,
    out: Path,
) -> None:
    """Is this the network that was proved, and is it still as faithful as it was?

    Compares a fresh run, or the given one, with its baselines: budget (the verdict rules), ratchet
    (drift no worse than approved), identity (no changed tensor, layer, setting or version).
    Without recorded traces and without the original's environment it compares with compact golden
    traces, and says so. Writes gate.json and gate-junit.xml, and on failure
    baseline.received.json. Exit codes: 0 as approved, 1 not, 2 cannot be judged, 3 nothing was
    compared.
    """
    if context.invoked_subcommand:
        return
    given = Path(as_json) if as_json else given
    context.meta["json"] = as_json == ""
    if sum(map(bool, (given, identity_only, golden))) > 1:
        raise CannotRun("--run, --identity-only and --golden are three ways to judge; choose one")
    for name in OUTPUTS:
        check_writable(out / name, make=True)
    if given:
        outcome, data = _by_figures(read(given), folder, models, out)
    else:
        chosen = told(cases(models))
        data = "seeded" if any(case.data == "seeded" for case in chosen) else "real"
        is_silent = any(of_case(port, case).startswith(PREFIX) for case in chosen)
        if identity_only and is_silent:
            raise CannotRun(
                "--identity-only asks a port how its layers are set, and a command does not say; "
                "judge it without --identity-only, by what it answers"
            )
        try:
            if identity_only:
                outcome = _by_identity(chosen, port, folder)
            elif why := _nothing_to_run(chosen, folder, golden):
                outcome = golden_traces.judge_golden(chosen, folder, port, why)
            else:
                document = _run(chosen, port, workers, out)
                outcome, data = _by_figures(document, folder, models, out)
        except Misshapen as error:  # no figure can be compared; what changed may say why
            if is_silent or (outcome := _by_identity(chosen, port, folder)).passed:
                raise
            outcome.notes.append(str(error))
    _publish(outcome, data, folder, out)
    end(NOTHING_COMPARED if not outcome.cells else 0 if outcome.passed else 1)


def _by_identity(chosen: list[Case], port: str, folder: Path) -> Outcome:
    with ThreadPoolExecutor(1) as aside:
        first = of_case(port, chosen[0])
        opening = aside.submit(opened, first)  # one process for all: no layer is run
        identities = {case.model.name: recorded.identity_of(case) for case in chosen}
        bases = {
            case.model.name: baseline.read(folder, case.data, case.model.name) for case in chosen
        }
        process = opening.result()
    for case in chosen:
        of = load(port, case, process)
        identities[case.model.name] = asked(identities[case.model.name], of)
    return judge_identity(identities, bases)


def _nothing_to_run(chosen: list[Case], folder: Path, golden: bool) -> str | None:
    """Why golden traces stand in for a run, or None."""
    for case in chosen:  # a run of minutes is not started for a baseline that cannot be read
        baseline.read(folder, case.data, case.model.name)
    if golden:
        return "asked for"
    lacking = [case.model.name for case in chosen if not recorded.can_run(case)]
    if not lacking:
        return None
    return f"no recorded trace of {lacking[0]} and no environment to record one"


def _run(chosen: list[Case], port: str, workers: int, out: Path) -> Json:
    with progress.shown() as shown:
        document = runs.run(
            chosen,
            port=port,
            workers=workers,
            command="parity gate",
            again=again("run"),
            progress=shown,
            explain=False,
        )
    publish({out / RUN: to_json(document)})
    return read(out / RUN)


def _by_figures(
    document: Json, folder: Path, models: tuple[str, ...], out: Path
) -> tuple[Outcome, str]:
    outcome = judge(document, folder, models or None)
    if not outcome.passed:
        received = baseline.text(approval.received(document))
        publish({out / RECEIVED: received})
    return outcome, document["data"]


def _publish(outcome: Outcome, data: str, folder: Path, out: Path) -> None:
    texts = (outputs.as_json(outcome, data), outputs.junit(outcome, now()))
    written = [out / name for name in OUTPUTS[: len(texts)]]
    publish(dict(zip(written, texts, strict=True)))
    result(outputs.terminal(outcome, data) + "\n", texts[0])
    wrote(*written)
    if setting("GITHUB_ACTIONS"):
        for line in outputs.annotations(outcome, folder, data):
            say(line, err=wants_json())
        if summary := setting("GITHUB_STEP_SUMMARY"):
            append(summary, outputs.summary(outcome, data))


@gate.command(example='parity gate accept --reason "trained anew" --model CRNN')
@option("--reason", default="", help="Why this run is what it should be; required.")
@_MODELS
@option(
    "-l", "--layer", help="Approve the entry of this layer alone, or `final`; needs one --model."
)
@option(
    "--accept-worse",
    is_flag=True,
    help="Let figures rise, or a difference beyond the budget be known.",
)
@option(
    "--run", "--json", "given", type=_FILE,
    help="The run to approve; default: the last one of `parity run` or `parity gate`.",
)  # fmt: skip
@option("--by", help="Who approves; default: git's user.name, else the login.")
@takes(_BASELINES, FORCE)
def accept(
    reason: str,
    models: tuple[str, ...],
    layer: str | None,
    accept_worse: bool,
    given: Path | None,
    by: str | None,
    folder: Path,
) -> None:
    """Approve a run as the new baseline, after printing the diff.

    Refused without a reason and wherever CI is set.
    """
    approval.check_allowed(reason)
    if layer and len(models) != 1:
        raise CannotRun("--layer belongs to one model; say which with --model")
    document = read(given) if given else _last_run()
    bases = approval.approve(
        document,
        folder,
        approved={"at": now(), "by": by or _person(), "reason": reason.strip()},
        models=models or None,
        layer=layer,
        accept_worse=accept_worse,
    )
    say(approval.difference(folder, bases) + "\n", lines=True)
    for path in baseline.write(folder, *bases, force=accept_worse):
        say(f"approved: {path}")


@gate.command(example="parity gate golden --model CRNN")
@_MODELS
@option(
    "--to",
    type=FOLDER,
    help="Default: seeded ones beside the baselines, real ones in your store.",
)
@takes(_BASELINES, FORCE)
def golden(models: tuple[str, ...], to: Path | None, folder: Path) -> None:
    """Write compact golden traces from the recorded ones, for a gate that cannot record."""
    for case in cases(models):
        path, size_bytes = golden_traces.write(case, folder, to)
        say(f"{case.model.name}\t{size_bytes / 1e3:.0f} kB\t{path}")


def _last_run() -> Json:
    """The newer of what `parity run` and `parity gate` left."""
    there = [OUT / name for name in (_JSON, RUN) if (OUT / name).exists()]
    found: list[Json] = [read(path) for path in there or [OUT / _JSON]]
    return max(found, key=lambda document: str(document["created"]))


def _person() -> str:
    """git's user.name, else the login name."""
    command = ["git", "config", "user.name"]
    try:
        named = processes.run(command).stdout.strip()
    except OSError:
        named = ""
    try:
        return named or getpass.getuser()
    except KeyError as error:  # this user has no name here
        raise CannotRun("nobody is known to approve it; say who with --by") from error
