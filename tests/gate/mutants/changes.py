"""Changes that the gate must catch, and harmless ones that it must pass: data, a row each."""

import ast
import json
from typing import NamedTuple

import numpy as np

from parity.model import ENTRIES

from . import planting as plant

IDENTITY, FIGURES, DOCUMENT = "identity only", "run", "given run"  # how the gate is asked


class Change(NamedTuple):
    """A change planted in a copy, and the first finding it must give; limit "" for none."""

    name: str
    model: str
    how: str
    plant: object
    limit: str = ""
    layer: str = ""


WEIGHTS = "port/weights.py"
BN, POOLING = "port/links/batch_normalization.py", "port/links/max_pooling_2d.py"
EXTRA = {"name": "dropout6", "class_name": "Dropout", "config": {"name": "dropout6", "p": 0.0}}
DIALECT = '    "1.0.6": Dialect(\n        1e-6, 0.9, "std",'
MINUS_ONE = "    np.exp(negative, out=negative)\n    negative -= 1\n"
MINUS_ONE_LESS_EXACT = (
    "    np.exp(negative, out=negative)\n    negative += 3  # costs two bits\n    negative -= 4\n"
)
CLIPS = ENTRIES["CNN0"]["clips"]
PROJECT, DESCRIBED = "fixtures/networks/parity.toml", "fixtures/networks/CRNN.json"
CLIPS_WERE, CLIPS_ARE = (
    f'{ENTRIES["CNN0"]["weights"]}"\nkeras = "1.0.6"\nclips = {json.dumps(clips)}'
    for clips in (CLIPS, CLIPS[::-1])
)
AT_ONCE = """        x = x.reshape(*x.shape[:2], bands // height, height, frames // width, width)
        return (x.max(axis=(3, 5)),)"""


def _swapped(layers, at):
    layers[at], layers[at + 1] = layers[at + 1], layers[at]


def _pooled_at_once(text):
    return text.replace(
        plant.between(text, "        rows = functools", "\n\n    def backward"), AT_ONCE
    )


CHANGES = (
    Change(
        "one weight changed by one unit in the last place",
        "CNN0",
        IDENTITY,
        plant.tensor("CNN0", "conv3/conv3_W", plant.next_float),
        "identity",
        "conv3",
    ),
    Change(
        "a square matrix transposed",
        "CRNN",
        IDENTITY,
        plant.tensor("CRNN", "gru2/gru2_U_h", np.transpose),
        "identity",
        "gru2",
    ),
    Change(
        "another model's weight file of the same shapes",
        "CNN0",
        IDENTITY,
        plant.other_weights,
        "weights",  # the port's reader refuses them
        "bn1",
    ),
    Change(
        "a layer inserted",
        "CNN0",
        FIGURES,
        plant.ports_description(
            "CNN0", plant.at("flatten_1", lambda layers, at: layers.insert(at, EXTRA))
        ),
        "identity",
        "dropout6",
    ),
    Change(
        "a layer removed",
        "CNN0",
        FIGURES,
        plant.ports_description("CNN0", plant.at("flatten_1", list.pop)),
        "identity",
        "flatten_1",
    ),
    Change(
        "a layer renamed",
        "CRNN",
        FIGURES,
        plant.ports_description(
            "CRNN", plant.at("permute_1", lambda layers, at: layers[at].update(name="permute"))
        ),
        "identity",
        "permute_1",
    ),
    Change(
        "two layers in another order",
        "CNN0",
        FIGURES,
        plant.ports_description("CNN0", plant.at("elu_1", _swapped)),
        "identity",
        "elu_1",
    ),
    Change(
        "pool size",
        "CNN0",
        FIGURES,
        plant.ports_description(
            "CNN0", plant.settings(pool4={"pool_size": [3, 4], "strides": [3, 4]})
        ),
        "identity",
        "pool4",
    ),
    Change(
        "padding",
        "CRNN",
        FIGURES,
        plant.ports_description("CRNN", plant.settings(zeropadding2d_1={"padding": [0, 36]})),
        "identity",
        "zeropadding2d_1",
    ),
    Change(
        "eps",
        "CNN",
        FIGURES,
        plant.edit(BN, DIALECT, DIALECT.replace("1e-6", "1.1e-6")),
        "identity",
        "bn_0_freq",
    ),
    Change(
        "momentum",
        "CNN",
        IDENTITY,
        plant.edit(BN, DIALECT, DIALECT.replace("0.9", "0.99")),
        "identity",
        "bn_0_freq",
    ),
    Change(
        "activation",
        "CNN0",
        FIGURES,
        plant.edit(
            "port/links/dense.py",
            "sigmoid(self.logits(x))",
            "chainer.functions.hard_sigmoid(self.logits(x))",
        ),
        "budget",
        "output",
    ),
    Change("Chainer's version", "CNN0", IDENTITY, plant.version_of("chainer", "7.8.2"), "identity"),
    Change("NumPy's version", "CNN0", IDENTITY, plant.version_of("numpy", "1.23.6"), "identity"),
    Change(
        "weights stored in float16",
        "CNN0",
        FIGURES,
        plant.edit(WEIGHTS, "target[...] = found[name]", 'target[...] = found[name].astype("f2")'),
        "budget",
        "bn_0_freq",
    ),
    Change(
        "batch normalisation's mode",
        "CNN0",
        FIGURES,
        plant.ports_description(
            "CNN0", plant.settings(**{f"bn{number}": {"mode": 0} for number in range(1, 6)})
        ),
        "budget",
        "bn1",
    ),
    Change(
        "the order of the GRU's gates",
        "CRNN",
        FIGURES,
        plant.edit("port/links/gru.py", 'enumerate("zrh")', 'enumerate("rzh")'),
        "budget",
        "gru1",
    ),
    Change(
        "the clips of the batch in another order",
        "CNN0",
        IDENTITY,
        plant.edit(PROJECT, CLIPS_WERE, CLIPS_ARE),
        "identity",
    ),
    Change(
        "a baseline's entry deleted",
        "CNN0",
        DOCUMENT,
        plant.baseline_text("CNN0", plant.without_entry),
        "baseline",
        "conv3",
    ),
    Change(
        "a baseline made looser by hand",
        "CNN0",
        DOCUMENT,
        plant.baseline_text("CNN0", plant.looser),
        "baseline",
        "conv3",
    ),
    Change(
        "a baseline cut short",
        "CNN0",
        DOCUMENT,
        plant.baseline_text("CNN0", lambda text: text[: len(text) // 2]),
        "baseline",
        "CNN0",
    ),
    Change("two models' baselines swapped", "CNN0", DOCUMENT, plant.swapped, "baseline", "CNN0"),
    Change(
        "one value of a clip changed by one unit in the last place",
        "CNN0",
        IDENTITY,
        plant.data_file(CLIPS[0], plant.nudged_clip),
        "identity",
    ),
    Change(
        "the original's definition",
        "CRNN",
        IDENTITY,
        plant.edit(DESCRIBED, '"p": 0.3', '"p": 0.5'),
        "identity",
    ),
    Change(
        "a step that rounds more than it did",
        "CNN0",
        FIGURES,
        plant.edit("port/links/elu.py", MINUS_ONE, MINUS_ONE_LESS_EXACT),
        "ratchet",
        "elu_1",
    ),
)

HARMLESS = (
    Change(
        "a comment",
        "CNN0",
        FIGURES,
        plant.edit(POOLING, "import functools\n", "# Sixteen lines, one idea.\nimport functools\n"),
    ),
    Change(
        "a local variable renamed",
        "CNN0",
        FIGURES,
        plant.rewrite(BN, lambda text: text.replace("folded", "laid_flat")),
    ),
    Change(
        "a file reformatted",
        "CNN0",
        FIGURES,
        plant.rewrite(BN, lambda text: ast.unparse(ast.parse(text))),
    ),
    Change(
        "a docstring",
        "CNN0",
        FIGURES,
        plant.edit("port/architectures.py", '"""The four taggers, by', '"""All taggers, by'),
    ),
    Change(
        "an equivalent step, computed at once",
        "CNN0",
        FIGURES,
        plant.rewrite(POOLING, _pooled_at_once),
    ),
)
