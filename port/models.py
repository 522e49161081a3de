"""The four taggers as ordered mappings layer name -> step, with the names Keras gave the layers."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import chainer
import chainer.functions as F
import numpy as np

from parity.fixtures.tags import GENRES, TAGS
from parity.port.files import FilePath
from parity.port.functions.elementwise import elu
from parity.port.functions.pooling import max_pooling_2d
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.links.gru import GRU
from parity.port.links.layers import (
    Apply,
    Convolution2D,
    SigmoidDense,
    flatten,
    permute,
    reshape,
    zero_padding_2d,
)
from parity.port.sentences import nearest

if TYPE_CHECKING:
    import pandas  # takes half a second to import

Array = np.ndarray | chainer.Variable
MEL_SHAPE = (1, 96, 1366)  # C,F,T of one clip: 96 mel bands, 1366 frames of 256 samples at 12 kHz

# Keras class name -> what makes the step from a row's arguments.
KINDS = {
    "ZeroPadding2D": lambda **arguments: Apply(zero_padding_2d, **arguments),
    "BatchNormalization": BatchNormalization,
    "Convolution2D": Convolution2D,
    "ELU": lambda **arguments: Apply(elu, **arguments),
    "MaxPooling2D": lambda **arguments: Apply(max_pooling_2d, **arguments),
    "Dropout": lambda **arguments: Apply(F.dropout, **arguments),
    "Permute": lambda **arguments: Apply(permute, **arguments),
    "Reshape": lambda **arguments: Apply(reshape, **arguments),
    "Flatten": lambda: Apply(flatten),
    "GRU": GRU,
    "Dense": SigmoidDense,
}
BY_RELEASE = {"BatchNormalization", "ELU"}  # the kinds whose formula depends on the Keras release


class Architecture(NamedTuple):
    """One model: the Keras release of its published weights, its tags, and its layers as (name,
    kind, arguments).
    """

    keras: str
    tags: tuple
    layers: list


def _blocks(widths, pools, mode, ratio):
    # conv -> batch normalisation -> ELU -> max pooling -> dropout; widths counts the input's one
    # channel first.
    rows = []
    for i, ((inputs, outputs), pool) in enumerate(zip(pairwise(widths), pools, strict=True), 1):
        rows += [
            (f"conv{i}", "Convolution2D", {"in_channels": inputs, "out_channels": outputs}),
            (f"bn{i}", "BatchNormalization", {"size": outputs, "axis": 1, "mode": mode}),
            (f"elu_{i}", "ELU", {}),
            (f"pool{i}", "MaxPooling2D", {"pool_size": pool}),
            (f"dropout{i}", "Dropout", {"ratio": ratio}),
        ]
    return rows


def _cnn(mode):
    return [
        ("bn_0_freq", "BatchNormalization", {"size": 1366, "axis": 3}),
        *_blocks(
            (1, 32, 128, 128, 192, 256), ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)), mode, ratio=0.5
        ),
        ("flatten_1", "Flatten", {}),
        ("output", "Dense", {"in_size": 256, "out_size": len(TAGS)}),
    ]


def _crnn(dropout, output, tags):
    return [
        ("zeropadding2d_1", "ZeroPadding2D", {"padding": (0, 37)}),
        ("bn_0_freq", "BatchNormalization", {"size": 1440, "axis": 3}),
        *_blocks((1, 64, 128, 128, 128), ((2, 2), (3, 3), (4, 4), (4, 4)), mode=0, ratio=0.1),
        ("permute_1", "Permute", {"dims": (3, 1, 2)}),
        ("reshape_1", "Reshape", {"target_shape": (15, 128)}),
        ("gru1", "GRU", {"in_size": 128, "out_size": 32, "return_sequences": True}),
        ("gru2", "GRU", {"in_size": 32, "out_size": 32}),
        (dropout, "Dropout", {"ratio": 0.3}),
        (output, "Dense", {"in_size": 32, "out_size": len(tags)}),
    ]


MODELS = {
    "CRNN": Architecture("1.1.0", GENRES, _crnn("final_drop", "preds", GENRES)),
    "CRNN50": Architecture("1.0.6", TAGS, _crnn("dropout_1", "output", TAGS)),
    "CNN0": Architecture("1.0.6", TAGS, _cnn(mode=2)),
    "CNN": Architecture("1.0.6", TAGS, _cnn(mode=0)),
}


class Tagger(chainer.Chain):
    """Mel spectrograms (B,1,96,1366) in dB -> tag scores (B,tags) in [0, 1], through the layers of
    MODELS[model].

    A real chain: it takes Variables or arrays, trains where chainer.config.train is on, and
    serialises. Its links are named as Keras names the layers. `keras` picks the formulas of that
    release; by default the one the weights are from. `remedies` tells what changes the original's
    answer, and is empty but for a tagger loaded with a correction or calibration.
    """

    def __init__(self, model: str, keras: str | None = None):
        super().__init__()
        architecture = architecture_of(model)
        self.model, self.keras, self.tags = model, keras or architecture.keras, architecture.tags
        self.correction = self.calibration = None
        self.layer_names = tuple(name for name, _, _ in architecture.layers)
        with self.init_scope():
            for name, kind, arguments in architecture.layers:
                release = {"keras": self.keras} if kind in BY_RELEASE else {}
                setattr(self, name, KINDS[kind](**arguments, **release))

    def steps(self) -> dict[str, Callable[[Array], chainer.Variable]]:
        """Ordered dict layer name -> callable(Variable or array) -> Variable. A correction of the
        input is before these steps.
        """
        return {name: self[name] for name in self.layer_names}

    @property
    def remedies(self) -> tuple[str, ...]:
        """What stands between these scores and the original's, in words: an input correction, a
        calibration.
        """
        return tuple(
            f"{kind} {said}"
            for kind, said in (("correction", self.correction), ("calibration", self.calibration))
            if said
        )

    def corrected(self, x: Array) -> Array:
        """x (B,1,96,1366) as the first layer is given it: x itself, or an array of that shape
        where a correction is on.
        """
        if self.correction is None:
            return x
        from tagger.corrections import correct

        return correct(self.correction, chainer.as_array(self._checked(x)))

    def forward(self, x: Array) -> chainer.Variable:
        return self.through(self.corrected(x), self.layer_names)

    def logits(self, x: Array) -> chainer.Variable:
        """The scores before the last sigmoid: x (B,1,96,1366) -> Variable (B,tags)."""
        *before, last = self.layer_names
        return self[last].logits(self.through(self.corrected(x), before))

    def tag(
        self,
        audio: FilePath,
        *more: FilePath,
        frames: str = "centre",
        batch_size: int = 8,
        front_end: str = "today",
    ) -> "pandas.DataFrame":
        """Tags of audio files as a pandas DataFrame: file, frame, rank, tag, score in [0, 1],
        percent of the frame's sum.

        frames : "centre", the middle 29.12 s, or "all", every 29.12 s of a track and their mean.
        CNN0's scores depend on the clips of their batch unless it is calibrated. front_end :
        "today" or "2016". With a correction or calibration on, a column `remedies` says so. Raises
        tagger.audio.AudioError for a file that cannot be read; warns (UserWarning) of one that the
        taggers can only half hear.
        """
        from tagger.tagging import table

        return table(
            self, [audio, *more], frames=frames, batch_size=batch_size, front_end=front_end
        )

    def through(self, x: Array, names: Iterable[str]) -> Array:
        """x (B,1,96,1366) through the first layers of the network, by their names in network
        order.
        """
        self._checked(x)
        for name in names:
            x = self[name](x)
        return x

    def _checked(self, x):
        dtype = self.conv1.W.dtype
        if x.shape[1:] != MEL_SHAPE or x.dtype != dtype:
            raise ValueError(
                f"{self.model} takes {dtype} mel spectrograms (clips, 1, 96, 1366), not "
                f"{x.dtype} {x.shape}"
            )
        return x


def architecture_of(model: str) -> Architecture:
    """The row of MODELS, or a ValueError that suggests the nearest name."""
    if model in MODELS:
        return MODELS[model]
    raise ValueError(
        f"no model is called {model!r}; did you mean {nearest(model, MODELS)}? There are "
        f"{', '.join(MODELS)}"
    )


def load(
    model: str,
    weights: FilePath,
    keras: str | None = None,
    *,
    correction: str | None = None,
    calibration: FilePath | None = None,
) -> Tagger:
    """A Tagger with the parameters of `weights`, a Keras HDF5 or an npz of parity.port.weights.

    keras : the release whose formulas to use; by default the npz's own, else that of the model's
    published weights.
    correction : a name of tagger.corrections.CORRECTIONS, applied to the input. calibration : a
    file of `python -m tagger calibrate` for CNN0. Raises ValueError for an unknown model, release
    or correction, parity.port.weights.WeightsError for a file that does not fit,
    tagger.calibration.CalibrationError for a calibration of other weights.
    """
    from parity.port.weights import read_into

    tagger = read_into(model, weights, keras)
    if correction:
        from tagger.corrections import known

        tagger.correction = known(correction)
    if calibration:
        from tagger.calibration import apply

        apply(tagger, calibration)
    return tagger
