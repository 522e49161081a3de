"""Reads parity.json and its companions and refuses, in one sentence, what is not a whole document of this format."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
FOLDER = Path(__file__).parent


class ReportError(ValueError):
    """A JSON document cannot be used, or nothing can be written; the message says what, where and what to do."""


class Kind(NamedTuple):
    """One kind of JSON document: the file's name, its schema in this folder and the command that writes it."""

    file: str
    schema: str
    command: str


PARITY = Kind("parity.json", "parity.schema.json", "make parity")


def read(path, kind=PARITY):
    """The document in `path` as a dict, valid by its kind's schema.

    Raises ReportError where it is missing, cut short, of another format version or not matching its schema.
    """
    document = _parse(path, _bytes(path, kind), kind)
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT or isinstance(found, bool):
        said = "no format number" if found is None else f"format {found!r}"
        raise ReportError(f"{path}: has {said}, expected {FORMAT}; write it anew with this version ({kind.command})")
    validate(document, path, kind)
    return document


def validate(document, path=None, kind=PARITY):
    """Raise ReportError naming the first place where `document` departs from its schema or names a model or layer twice."""
    path = path or kind.file
    first = min(_validator(kind).iter_errors(document), key=lambda error: list(map(str, error.absolute_path)), default=None)
    if first is not None:
        raise ReportError(f"{path}: {_place(document, first.absolute_path)} {_says(first)}; write it anew ({kind.command})")
    models = document.get("models", [])
    for owner, records in [("the run", models), *((model["name"], model.get("layers", [])) for model in models)]:
        names = [record["name"] for record in records]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ReportError(f"{path}: {owner} lists {twice!r} twice; each name may occur once; write it anew ({kind.command})")


@cache
def _validator(kind):
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((FOLDER / kind.schema).read_text(encoding="utf-8")))


def _bytes(path, kind):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}); run {kind.command} first, or name another file") from error


def _parse(path, data, kind):
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_bare_word)
    except json.JSONDecodeError as error:
        cut = "is empty" if not data.strip() else f"is cut short or is not JSON (line {error.lineno}: {error.msg})"
        raise ReportError(f"{path}: {cut}; write it anew ({kind.command})") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: is not UTF-8 text (byte {error.start}); write it anew ({kind.command})") from error
    except (RecursionError, ValueError) as error:
        raise ReportError(f"{path}: is no JSON of ours ({error}); write it anew ({kind.command})") from error


def _no_bare_word(word):
    raise ValueError(f'{word} is no JSON number; non-finite figures are written "inf", "-inf", "nan"')


def _place(document, path):
    """Where in the document, in names rather than numbers: `models CNN0 layers conv3 isolated rho_port`."""
    words = []
    for step in path:
        document = document[step]
        named = isinstance(step, int) and isinstance(document, dict) and "name" in document
        words.append(str(document["name"] if named else step))
    return " / ".join(words) or "the document"


def _says(error):
    """The violation in a sentence of bounded length: jsonschema quotes the whole value otherwise."""
    shown = repr(error.instance)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    words = {
        "required": lambda: f"lacks {next(key for key in error.validator_value if key not in error.instance)!r}",
        "type": lambda: f"is {shown}, expected {_listed(error.validator_value)}",
        "enum": lambda: f"is {shown}, expected one of {_listed(error.validator_value)}",
        "const": lambda: f"is {shown}, expected {error.validator_value!r}",
        "pattern": lambda: f"is {shown}, expected text like {error.validator_value}",
        "anyOf": lambda: f"is {shown}, expected {error.schema.get('title', 'another kind of value')}",
    }
    return words.get(error.validator, lambda: f"is {shown}, which breaks the rule {error.validator} {error.validator_value}")()


def _listed(words):
    return words if isinstance(words, str) else ", ".join(map(str, words))
