"""What a row of the tables of mutants is."""

from typing import NamedTuple

from parity.faults.plant import Plant

# harmless rows of their own kind: a process for each question, which `bench/probing.py` asks probes
# in, and what is green only where it was allowed by the layer's name
ELSEWHERE, BY_TRANSFORM = "another core", "transform"


class Fault(NamedTuple):
    """One mutant: MODEL-layer-name, how it is planted (parity.faults.plant), and its cause in the
    words of parity.diagnose, or the beginning of what probes say; empty where it has no name, None
    for a harmless reordering.

    equivalent: an equivalent mutant, which rounding hides on the published weights. Any other that
    is not caught there survives, however small its effect is.
    """

    id: str
    plant: Plant
    cause: str | None = None
    equivalent: bool = False
    kind: str = "reordering"

    @property
    def model(self) -> str:
        return self.id.split("-")[0]

    @property
    def layer(self) -> str:
        return self.id.split("-")[1]
