"""The four taggers as rows, with the names Keras gave the layers."""

import difflib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

MEL_SHAPE = (1, 96, 1366)  # C,F,T of one clip: 96 mel bands, 1366 frames of 256 samples at 12 kHz
GENRES, TAGS = 10, 50  # outputs

Row = tuple[str, str, dict[str, Any]]


class Architecture(NamedTuple):
    """The Keras release of a model's published weights, and its layers: (name, kind, arguments)."""

    keras: str
    layers: list[Row]

    @property
    def outputs(self) -> int:
        return int(self.layers[-1][2]["out_size"])


def _blocks(
    widths: tuple[int, ...], pools: tuple[tuple[int, int], ...], mode: int, ratio: float
) -> list[Row]:
    # conv -> batch normalisation -> ELU -> max pooling -> dropout; widths counts the input's one
    # channel first.
    rows: list[Row] = []
    for i, ((inputs, outputs), pool) in enumerate(zip(pairwise(widths), pools, strict=True), 1):
        rows += [
            (f"conv{i}", "Convolution2D", {"in_channels": inputs, "out_channels": outputs}),
            (f"bn{i}", "BatchNormalization", {"size": outputs, "axis": 1, "mode": mode}),
            (f"elu_{i}", "ELU", {}),
            (f"pool{i}", "MaxPooling2D", {"pool_size": pool}),
            (f"dropout{i}", "Dropout", {"ratio": ratio}),
        ]
    return rows


def _cnn(mode: int) -> list[Row]:
    return [
        ("bn_0_freq", "BatchNormalization", {"size": 1366, "axis": 3}),
        *_blocks(
            (1, 32, 128, 128, 192, 256), ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)), mode, ratio=0.5
        ),
        ("flatten_1", "Flatten", {}),
        ("output", "Dense", {"in_size": 256, "out_size": TAGS}),
    ]


def _crnn(dropout: str, output: str, outputs: int) -> list[Row]:
    return [
        ("zeropadding2d_1", "ZeroPadding2D", {"padding": (0, 37)}),
        ("bn_0_freq", "BatchNormalization", {"size": 1440, "axis": 3}),
        *_blocks((1, 64, 128, 128, 128), ((2, 2), (3, 3), (4, 4), (4, 4)), mode=0, ratio=0.1),
        ("permute_1", "Permute", {"dims": (3, 1, 2)}),
        ("reshape_1", "Reshape", {"target_shape": (15, 128)}),
        ("gru1", "GRU", {"in_size": 128, "out_size": 32, "return_sequences": True}),
        ("gru2", "GRU", {"in_size": 32, "out_size": 32}),
        (dropout, "Dropout", {"ratio": 0.3}),
        (output, "Dense", {"in_size": 32, "out_size": outputs}),
    ]


MODELS = {
    "CRNN": Architecture("1.1.0", _crnn("final_drop", "preds", GENRES)),
    "CRNN50": Architecture("1.0.6", _crnn("dropout_1", "output", TAGS)),
    "CNN0": Architecture("1.0.6", _cnn(mode=2)),
    "CNN": Architecture("1.0.6", _cnn(mode=0)),
}


def architecture_of(model: str) -> Architecture:
    """The row of MODELS. Raises ValueError, which suggests the nearest name, for another model."""
    if model in MODELS:
        return MODELS[model]
    raise ValueError(
        f"no model is called {model!r}; did you mean {nearest(model, MODELS)}? There are "
        f"{', '.join(MODELS)}"
    )


def nearest(name: object, names: Iterable[str]) -> str:
    """The one of `names` that looks most like `name`, in whatever case."""
    by_lower = {known.lower(): known for known in names}
    return by_lower[difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0)[0]]
