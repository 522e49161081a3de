"""A tagger of four layers that takes real clips, with the port's own batch normalisation, in the
place of original and port.
"""

import importlib

import numpy as np

from parity.kinds.activation import sigmoid
from parity.model import MODELS, Case, Model, Weights
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.proof import in_test_phase
from parity.ports.callables import Callables
from parity.studies.unstable_cnn import findings, ports
from parity.studies.unstable_cnn.subject import Subject

LAYERS = ("conv1", "bn1", "dropout1", "flatten_1", "output")
TAGS, CHANNELS = 50, 8
ALLOWED = 1e-4  # of each logit, where a test says nothing else
# Of findings "one" whose outcomes bring their own texts.
WORDS = {
    "findings": {
        "one": {
            "id": "{{ id }}",
            "hypothesis": "It is so",
            "effect": "share",
            "claim": "{{ claim }}",
            "advice": "Nothing.",
            "sentence": "{{ sentence }}",
        }
    }
}


class SmallNetwork:
    """mode: of its batch normalisation; squash: what comes before it; weights: (values, tags) of
    its last layer, drawn where None.
    """

    def __init__(self, mode=2, *, squash=np.tanh, weights=None, seed=0):
        rng = np.random.default_rng(seed)
        self.gain, self.shift = rng.standard_normal((2, CHANNELS, 1, 1)).astype(np.float32)
        self.weights = (
            rng.standard_normal((CHANNELS * 16, TAGS)).astype(np.float32)
            if weights is None
            else weights
        )
        self.link, self.squash, self.calls = BatchNormalization(CHANNELS, mode=mode), squash, 0

    def port(self):
        """As parity.port.proof gives one."""
        found = {
            "conv1": self.conv,
            "bn1": in_test_phase(self.link),
            "dropout1": lambda x: x,
            "flatten_1": lambda x: x.reshape(len(x), -1),
            "output": lambda x: sigmoid(self.logits(x)),
        }
        found["output"].logits = self.logits
        return Callables(found)

    def conv(self, x):
        self.calls += 1
        return self.squash(x[:, :, ::24, ::342] / 40 * self.gain + self.shift)

    def logits(self, x):
        return x @ self.weights

    def remembered(self):
        return ports.parameters_sha256(self.link)

    def __call__(self, batches, keep=None, most=None):
        """{label: Run}."""
        return ports.through(
            self.port(), batches, axes={"bn1": 1}, remembered=self.remembered, keep=keep, most=most
        )


class Forgetful(SmallNetwork):
    """Writes into its own normalisation at every call, as F.batch_normalization does into what it
    is given.
    """

    def conv(self, x):
        self.link.running_mean = self.link.running_mean + np.float32(1)
        return super().conv(x)


class Remembering(SmallNetwork):
    """Carries something over from one call to the next that no parameter holds."""

    def conv(self, x):
        return super().conv(x) + np.float32(self.calls)


def case(name="CNN0"):
    """A Case of such a network; its tags are those of the tagger of that name."""
    return Case(
        Model(name, "keras106", "none.h5", LAYERS, MODELS[name].tags),
        Weights("none.h5"),
        (),
        "real",
    )


def subject(*names, clips=None, data="real"):
    """A Subject of such networks."""
    return Subject(
        {name: case(name) for name in names or ("CNN0",)},
        two_clips() if clips is None else clips,
        {},
        data,
    )


def ask(question, about=None):
    """{id: Finding} of a question on a Subject."""
    about = about or subject()
    module = importlib.import_module(f"parity.studies.unstable_cnn.{question}")
    return {each.id: each for each in findings.told(question, module.ask(about), about.data)}


def tell(question, outcome, data="real"):
    """The Finding of one Outcome."""
    return findings.told(question, [outcome], data)[0]


def two_clips():
    rng = np.random.default_rng(1)
    levels = rng.uniform(-30, 30, (2, 1, 1, 96, 1)) + rng.uniform(-10, 10, (2, 1, 1, 96, 1366))
    return {"first": levels[0].astype(np.float32), "second": levels[1].astype(np.float32)}
