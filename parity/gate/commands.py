"""`parity gate`: judge a run, or only what is known without one, against the committed baselines;
`accept` approves a run.
"""

import datetime
import getpass
import os
import subprocess
import sys
from pathlib import Path

import click

from parity.errors import CannotRun
from parity.ports import OURS

OUT = Path("reports/out")
NOTHING_COMPARED = 3
_FOLDER = click.option(
    "--baselines",
    "folder",
    default="fixtures/baselines",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the baselines are.",
)
_MODELS = click.option("--model", "models", multiple=True, help="Only this model (repeatable).")
_JSON = "parity.json"


@click.group(invoke_without_command=True)
@_MODELS
@_FOLDER
@click.option(
    "--json",
    "given",
    type=click.Path(path_type=Path),
    help="Judge this parity.json instead of running.",
)
@click.option(
    "--identity-only",
    is_flag=True,
    help="Compare weights, layers, settings and versions; run nothing.",
)
@click.option(
    "--golden",
    is_flag=True,
    help="Compare with the compact golden traces, even where recorded ones are at hand.",
)
@click.option(
    "--port",
    default=OURS,
    show_default=True,
    metavar="MODULE:FUNCTION",
    help="The port to judge.",
)
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Processes side by side.",
)
@click.option(
    "--out",
    default=str(OUT),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the outputs go.",
)
@click.pass_context
def gate(context, models, folder, given, identity_only, golden, port, workers, out):
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
    if sum(map(bool, (given, identity_only, golden))) > 1:
        raise CannotRun("--json, --identity-only and --golden are three ways to judge; choose one")
    if identity_only:
        outcome, data = _by_identity(models, folder, port)
    else:
        outcome, data = _by_figures(models, folder, given, golden, port, workers, out)
    _publish(outcome, data, folder, out)
    sys.exit(NOTHING_COMPARED if not outcome.cells else 0 if outcome.passed else 1)


def _by_identity(models, folder, port):
    from parity import cases
    from parity.gate.judge import judge_identity
    from parity.gate.recorded import identity_of

    chosen = [cases.case_for(name) for name in cases.select(models, ())[0]]
    data = {case.model.name: case.data for case in chosen}
    outcome = judge_identity(
        {case.model.name: identity_of(case, port) for case in chosen}, folder, data
    )
    return outcome, _one_word(data.values())


def _by_figures(models, folder, given, golden, port, workers, out):
    from parity.gate.judge import judge

    if given:
        document = _read(given)
    else:
        document, outcome = _fresh(models, folder, golden, port, workers, out)
        if outcome:
            return outcome, _one_word(document)
    outcome = judge(document, folder, models or None)
    if not outcome.passed:
        _leave_received(document, out)
    return outcome, document["data"]


def _fresh(models, folder, golden, port, workers, out):
    """(document, None) of a run, or (data words, outcome) of the golden traces where there is
    nothing to run with.
    """
    from parity import cases
    from parity.gate import baseline, recorded

    chosen = [cases.case_for(name) for name in cases.select(models, ())[0]]
    for case in chosen:
        baseline.read(
            folder, case.data, case.model.name
        )  # a run of minutes is not started for a baseline that cannot be read
    lacking = [case for case in chosen if golden or not recorded.can_run(case)]
    if lacking:
        from parity.gate.golden import judge_golden

        why = (
            "asked for"
            if golden
            else f"no recorded trace of {lacking[0].model.name} and no environment to record one"
        )
        return [case.data for case in chosen], judge_golden(chosen, folder, port, why)
    return _run(chosen, port, workers, out), None


def _run(chosen, port, workers, out):
    from parity import progress
    from parity import run as job
    from parity.document import to_json
    from parity.files import atomic_write
    from parity.gate.recorded import identity_of

    with progress.shown() as shown:
        document = job.run(
            chosen, port=port, workers=workers, command="parity gate", progress=shown, explain=False
        )
    for case, record in zip(chosen, document["models"], strict=True):
        record.setdefault("identity", identity_of(case, port))
    atomic_write(out / _JSON, to_json(document))
    return _read(out / _JSON)


def _read(path):
    from parity.reports.document import ReportError, read

    try:
        return read(path)
    except ReportError as error:
        raise CannotRun(str(error)) from error


def _leave_received(document, out):
    from parity.files import atomic_write
    from parity.gate import accept, baseline

    atomic_write(out / "baseline.received.json", baseline.text(accept.received(document)))


def _publish(outcome, data, folder, out):
    from parity.files import atomic_write
    from parity.gate import surfaces

    atomic_write(out / "gate.json", surfaces.as_json(outcome, data))
    atomic_write(out / "gate-junit.xml", surfaces.junit(outcome, _now()))
    click.echo(surfaces.terminal(outcome, data))
    if os.environ.get("GITHUB_ACTIONS"):
        for line in surfaces.annotations(outcome, folder, data):
            click.echo(line)
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            _append(summary, surfaces.summary(outcome, data))


def _append(path, text):
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise CannotRun(
            f"GITHUB_STEP_SUMMARY={path}: cannot be written ({error.strerror}); name a "
            "file that can"
        ) from error


@gate.command()
@click.option("--reason", default="", help="Why this run is what it should be; required.")
@_MODELS
@click.option(
    "--layer", help="Approve the entry of this layer alone, or `final`; needs one --model."
)
@click.option(
    "--accept-worse",
    is_flag=True,
    help="Let figures rise, or a difference beyond the budget be known.",
)
@click.option(
    "--json",
    "given",
    default=str(OUT / _JSON),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The run to approve.",
)
@click.option("--by", help="Who approves; default: git's user.name, else the login.")
@_FOLDER
def accept(reason, models, layer, accept_worse, given, by, folder):
    """Approve a run as the new baseline, after printing the diff. Refused without a reason and
    wherever CI is set.
    """
    from parity.gate import accept as approval
    from parity.gate import baseline

    approval.check_allowed(reason)
    if layer and len(models) != 1:
        raise CannotRun("--layer belongs to one model; say which with --model")
    approved = {"at": _now(), "by": by or _person(), "reason": reason.strip()}
    bases = approval.approve(
        _read(given),
        folder,
        approved=approved,
        models=models or None,
        layer=layer,
        accept_worse=accept_worse,
    )
    click.echo(approval.difference(folder, bases))
    for base in bases:
        click.echo(f"approved: {baseline.write(folder, base)}")


@gate.command()
@_MODELS
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Default: seeded ones beside the baselines, real ones in your store.",
)
@_FOLDER
def golden(models, to, folder):
    """Write compact golden traces from the recorded ones, for a gate where nothing can be
    recorded.
    """
    from parity import cases
    from parity.gate.golden import write

    for name in cases.select(models, ())[0]:
        path, size_bytes = write(cases.case_for(name), folder, to)
        click.echo(f"{name}\t{size_bytes / 1e3:.0f} kB\t{path}")


def _one_word(data):
    return "seeded" if "seeded" in data else "real"


def _person():
    """git's user.name, else the login name."""
    try:
        named = subprocess.run(
            ["git", "config", "user.name"], capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        named = ""
    return named or getpass.getuser()


def _now():
    """UTC; SOURCE_DATE_EPOCH fixes it where the same input has to give the same bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
