"""`parity probe`: the port alone, without Theano, a trace or a clip."""

from pathlib import Path

import click

from parity.model import Case
from parity.options import (
    FILE,
    LAYERS,
    MODELS,
    OUT_FOLDER,
    PROJECT_ONLY,
    SEED,
    WORKERS,
    again,
    command_line,
    option,
    port,
    takes,
    told,
)
from parity.ports import load
from parity.probes.networks import layers_of
from parity.probes.proof import Proof, fresh_seed, probe
from parity.processes import side_by_side
from parity.program import FORCE, JSON, Command, end, result, say, wants_json, wrote
from parity.project import cases
from parity.project import layers_of as chosen_layers
from parity.recording.asking import asking
from parity.results import HELD, NOT_PROBED

NOTHING_ASKED = 3
Names = tuple[str, ...]


@click.command("probe", cls=Command, example="parity probe --model CNN0 --layer conv1")
@takes(MODELS, LAYERS, WORKERS, port("The port to ask."), OUT_FOLDER, JSON)
@option("--weights", help="A Keras weight file of the chosen model; default: the published one.")
@takes(SEED, PROJECT_ONLY)
@option(
    "--against", type=FILE,
    help="A probes.json of another port or day: says which weights read back are others.",
)  # fmt: skip
@FORCE
def command(
    models: Names,
    layers: Names,
    weights: str | None,
    workers: int,
    port: str,
    out: Path,
    seed: int | None,
    against: Path | None,
) -> None:
    """Ask every layer questions whose answers are known, and read its weights back.

    Needs no Theano, no recorded original and no clip. Exit codes: 0 every layer computes the
    original's function, and with --against every weight read back is the same; 1 not so, or a
    layer could not be asked; 2 the port cannot be run; 3 nothing was asked.
    """
    from parity import progress
    from parity.document import to_json
    from parity.files import check_writable, publish
    from parity.probes.document import document
    from parity.reports.probe_run import PROBES, changes, text

    path, inputs = out / PROBES.file, [path for path in (against, weights) if path]
    check_writable(path, inputs=inputs, make=True)
    before = PROBES.read(against) if against else None
    chosen = told(cases(models, weights))
    only = chosen_layers(chosen, layers)
    seed = fresh_seed() if seed is None else seed
    jobs = {case: (case, port, seed, only) for case in chosen}
    found: dict[Case, Proof] = {}
    with progress.shown() as shown:
        for case in chosen:
            shown.update(case.model.name, "asking")
        for case, proof in side_by_side(_probe, jobs, min(workers, len(jobs))):
            found[case] = proof
            shown.done(case.model.name, "asked")
    proofs: list[Proof] = [found[case] for case in chosen]
    made = document(chosen, proofs, command=command_line(), again=again(), port=port, seed=seed)
    written = to_json(made)
    made = PROBES.read(path, written)
    publish({path: written}, inputs=inputs)
    result(text(made), written)
    for proof in proofs:
        if proof.printed:
            say(f"{proof.model}: {proof.printed}\n", err=True, lines=True)
    others = changes(before, made, str(against)) if before else []
    for line in others or ([f"every weight read back is as in {against}"] if before else []):
        say(line, err=wants_json())
    wrote(path)
    asked = any(each.verdict != NOT_PROBED for proof in proofs for each in proof.layers.values())
    end(NOTHING_ASKED if not asked else int(made["verdict"] != HELD or bool(others)))


def _probe(case: Case, port: str, seed: int, only: Names | None) -> Proof:
    asked = load(port, case)
    with asking(case) as original:
        layers = original.answering(layers_of(case))
        found = probe(case, asked, seed, layers, only)
    found.read.clear()  # arrays stay in their process
    found.printed = asked.process.said().strip("\n")
    return found
