"""`parity layers`: what Keras says of every layer, by the names that a port has to use."""

import json
import math

import pytest

from parity.cli import main
from parity.model import MODELS

TEXT = """\
layer            class       output  parameters  reads
left             InputLayer  20      0
right            InputLayer  20      0
branch/hidden    Dense       12      252         left
branch/code      Dense       6       78          branch/hidden
branch/hidden#2  Dense       12      shared      right
branch/code#2    Dense       6       shared      branch/hidden#2
both             Merge       12      0           branch/code, branch/code#2
same             Dense       1       13          both
8 layers, 343 parameters
"""


def layers(*words):
    return main(["layers", *words], standalone_mode=False)


@pytest.mark.slow
def test_calls_of_shared_layers_stand_for_themselves(capsys):
    assert layers("fixtures/gallery/siamese.json") == 0
    assert capsys.readouterr().out == TEXT
    assert layers("fixtures/gallery/siamese.json", "--keras", "1.2.2") == 0
    assert capsys.readouterr().out == TEXT


@pytest.mark.slow
def test_a_taggers_layers_are_what_its_description_says(capsys):
    said = json.loads(MODELS["CNN"].defined.architecture.read_text())
    assert layers("CNN", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["shape"] for row in rows} == said["shapes"]
    held = [math.prod(shape) for weights in said["weights"].values() for _, shape in weights]
    assert sum(row["parameters"] for row in rows) == sum(held) > 800000


def test_what_is_no_model_is_a_sentence(tmp_path, capsys):
    (tmp_path / "net.json").write_text("{}")
    for words, why in (
        (["none.json"], "none.json: no such file"),
        ([str(tmp_path / "net.json")], "net.json does not say which Keras wrote it"),
        (["CNN", "--custom", "none.py"], "none.py: no such file"),
    ):
        assert layers(*words) == 2
        assert why in capsys.readouterr().err
