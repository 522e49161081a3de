"""`parity probe`: the port alone, without Theano, a trace or a clip."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from parity.model import Case, cases, select
from parity.options import LAYERS, MODELS, OUT_FOLDER, WORKERS, option, port, takes
from parity.ports import load
from parity.probes.proof import Proof, fresh_seed, probe
from parity.processes import side_by_side
from parity.program import FORCE, end, say
from parity.results import Probed

JSON = "probes.json"
Names = tuple[str, ...]


@click.command("probe")
@takes(MODELS, LAYERS, WORKERS, port("The port to ask."), OUT_FOLDER)
@option("--weights", help="A Keras weight file of the chosen model; default: the published one.")
@option(
    "--seed", type=click.IntRange(0), default=None,
    help="Of the random probes; by default another one each time, which is printed.",
)  # fmt: skip
@option(
    "--against", type=click.Path(dir_okay=False, path_type=Path),
    help=f"A {JSON} of another port or day: says which layers answer otherwise.",
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

    Needs no Theano, no recorded original and no clip. Exit codes: 0 every layer that could be asked
    computes the original's function, 1 one does not, 2 it could not be asked.
    """
    from parity.document import now, to_json
    from parity.files import check_writable, publish
    from parity.probes.listing import changes, lines

    inputs = [path for path in (against, weights) if path]
    check_writable(out / JSON, inputs=inputs, make=True)
    _, only = select(models, layers)
    chosen = cases(models, weights)
    seed = fresh_seed() if seed is None else seed
    jobs = {case: (case, port, seed, only) for case in chosen}
    found = dict(side_by_side(_probe, jobs, min(workers, len(jobs))))
    proofs: list[Proof] = [found[case] for case in chosen]
    document: dict[str, Any] = {
        "format": 1,
        "created": now(),
        "port": port,
        "seed": seed,
        "models": [_record(case, proof) for case, proof in zip(chosen, proofs, strict=True)],
    }
    for proof in proofs:
        for line in lines(proof):
            say(line)
    publish({out / JSON: to_json(document)}, inputs=inputs)
    say(f"random probes: --seed {seed}; written to {out / JSON}")
    if against:
        other = changes(against, document)
        for line in other:
            say(line)
    end(0 if all(proof.holds for proof in proofs) else 1)


def _probe(case: Case, port: str, seed: int, only: Names | None) -> Proof:
    found = probe(case, load(port, case), seed, only=only)
    found.read.clear()  # arrays stay in their process
    return found


def _record(case: Case, proof: Proof) -> dict[str, Any]:
    layers: dict[str, Probed] = proof.layers
    return {
        "name": proof.model,
        "weights": case.weights.sha256,
        "call": proof.call,
        "layers": {name: asdict(each) for name, each in layers.items()},
    }
