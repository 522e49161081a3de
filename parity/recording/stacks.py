"""The originals' stacks, one environment each, and the lanes in which an original is run."""

from typing import Any, NamedTuple

from parity.model import KERAS_VERSIONS, stack_of

__all__ = ["KERAS_VERSIONS", "LANES", "SETTINGS", "STACKS", "Lane", "Stack"]


class Lane(NamedTuple):
    """One way to run an original."""

    name: str
    floatx: str
    optimizer: str


class Stack(NamedTuple):
    """What an original runs on: Keras of requirements/<name>.txt, the rest of reference.txt."""

    name: str
    keras: str
    theano: str = "1.0.5"
    numpy: str = "1.23.5"
    scipy: str = "1.11.4"
    h5py: str = "3.16.0"
    python: str = "3.11"

    @property
    def packages(self) -> dict[str, str]:
        """{distribution: version} in the environment, as both locks pin them."""
        return {name: getattr(self, name) for name in ("keras", "theano", "numpy", "scipy", "h5py")}

    def expect(self, lane: Lane) -> dict[str, Any]:
        """What the recorder has to find running in `lane`."""
        floats = {"floatx": lane.floatx, "floatX": lane.floatx, "optimizer": lane.optimizer}
        return {**self.packages, "python": self.python, **floats}


STACKS = {
    stack.name: stack for stack in (Stack(stack_of(keras), keras) for keras in KERAS_VERSIONS)
}
LANES = {
    lane.name: lane
    for lane in (
        Lane("reference", "float32", "None"),  # the original, step by step: what a port must match
        Lane("truth", "float64", "None"),  # the same formulas with nine more digits
        Lane("noise", "float32", "fast_run"),  # rewritten by Theano: how far it is from itself
    )
}
SETTINGS = {"backend": "theano", "image_dim_ordering": "th", "epsilon": 1e-07, "threads": "1"}
