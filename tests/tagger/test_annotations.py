"""The tagger's public names say what they take and give: every annotation is there and resolves."""

import importlib
import inspect
import typing

import altair
import pandas
import pytest

import tagger
from parity.port.network import Network
from tagger.model import Tagger

IN_TAGGER = (
    "audio",
    "calibration",
    "inputs",
    "mel",
    "model",
    "mpeg",
    "pictures",
    "tagging",
    "weight_files",
)
MODULES = (
    "tagger",
    *(f"tagger.{name}" for name in IN_TAGGER),
)
LATE = {
    "altair": altair,
    "pandas": pandas,
    "Network": Network,
    "Tagger": Tagger,
}  # named in annotations, imported only where they are needed


def public_functions(module):
    found = {
        name: item
        for name, item in vars(module).items()
        if name[0] != "_" and getattr(item, "__module__", None) == module.__name__
    }
    for name, item in list(found.items()):
        if inspect.isclass(item) and item is Tagger:
            found |= {
                f"{name}.{key}": value
                for key, value in vars(item).items()
                if inspect.isfunction(value) and key[0] != "_"
            }
    return {name: item for name, item in found.items() if inspect.isfunction(item)}


def missing(function):
    """Parameters without an annotation, and "return" where that has none."""
    hints = typing.get_type_hints(function, localns=LATE)
    named = [
        key
        for key, given in inspect.signature(function).parameters.items()
        if given.kind is not given.VAR_KEYWORD and key != "self"
    ]
    return [key for key in (*named, "return") if key not in hints]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_annotated(name):
    functions = public_functions(importlib.import_module(name))
    assert functions
    assert {key: missing(item) for key, item in functions.items() if missing(item)} == {}


def test_a_parameter_without_annotation_is_noticed():
    assert missing(lambda audio: audio) == ["audio", "return"]


def test_load_tagger_says_that_it_gives_a_tagger():
    assert typing.get_type_hints(tagger.load_tagger, localns=LATE)["return"] is Tagger
    assert typing.get_type_hints(Tagger.tag, localns=LATE)["return"] is pandas.DataFrame
