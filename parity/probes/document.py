"""probes.json: what probes found of ports, without a recorded original (format 1)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from parity.document import FORMAT, now, worst_of
from parity.fixtures import seeded
from parity.model import Case
from parity.options import asks_for
from parity.probes.proof import Proof
from parity.results import Data, Natural, Probed, Probes, RunVerdict, Text, Time, Weights
from parity.schema import Later, Says


@dataclass
class ProbedLayer:
    """One layer, of the original or of the port alone."""

    name: Text
    probed: Probed


@dataclass
class ProbedModel:
    """One model. HOLDS: every layer was asked, and computes the original's function."""

    name: Text
    verdict: RunVerdict
    data: Data
    weights: Weights
    probes: Probes
    layers: list[ProbedLayer]
    again: Later[str | None] = None


@dataclass
class ProbeRun:
    """What `parity probe` found. seed: of the random probes."""

    format: Annotated[int, Says(const=1)]
    verdict: RunVerdict
    created: Time
    command: Text
    port: Text
    seed: Natural
    models: Annotated[list[ProbedModel], Says(minItems=1)]


def document(
    cases: Sequence[Case],
    proofs: Sequence[Proof],
    *,
    command: str,
    again: str | None = None,
    port: str,
    seed: int,
) -> dict[str, Any]:
    """The document as JSON has it, under the gravest verdict of its models."""
    models = [_model(case, proof) for case, proof in zip(cases, proofs, strict=True)]
    for model in models:
        model.again = again and asks_for(again, model.name)
    verdict = worst_of(model.verdict for model in models)
    return asdict(ProbeRun(FORMAT, verdict, now(), command, port, seed, models))


def _model(case: Case, proof: Proof) -> ProbedModel:
    path = case.weights.path
    return ProbedModel(
        case.model.name,
        proof.verdict,
        # clips, which a case is named by too, were not needed
        "seeded" if path.name == seeded.WEIGHTS.get(case.model.name) else "real",
        Weights(path.name, case.weights.sha256),
        proof.summary(),
        [ProbedLayer(name, found) for name, found in proof.layers.items()],
    )
