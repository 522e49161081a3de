"""Reads parity.json and refuses, in one sentence, what is not a whole document of this format."""

import json
from functools import cache
from pathlib import Path

FORMAT = 1
SCHEMA = Path(__file__).with_name("parity.schema.json")


class ReportError(ValueError):
    """parity.json cannot be used; the message says what, where and what to do."""


def read(path):
    """The document in `path` as a dict, valid by parity.schema.json.

    Raises ReportError where it is missing, cut short, of another format version or not matching its schema.
    """
    document = _parse(path, _bytes(path))
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT or isinstance(found, bool):
        said = "no format number" if found is None else f"format {found!r}"
        raise ReportError(f"{path}: has {said}, expected {FORMAT}; write it anew with this version (make parity)")
    validate(document, path)
    return document


def validate(document, path="parity.json"):
    """Raise ReportError naming the first place where `document` departs from its schema or names something twice."""
    first = min(_validator().iter_errors(document), key=lambda error: list(map(str, error.absolute_path)), default=None)
    if first is not None:
        raise ReportError(f"{path}: {_place(document, first.absolute_path)} {_says(first)}; write it anew (make parity)")
    for owner, records in [("the run", document["models"]), *((model["name"], model["layers"]) for model in document["models"])]:
        names = [record["name"] for record in records]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ReportError(f"{path}: {owner} lists {twice!r} twice; each name may occur once; write it anew (make parity)")


@cache
def _validator():
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _bytes(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}); run make parity first, or name another file") from error


def _parse(path, data):
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_bare_word)
    except json.JSONDecodeError as error:
        cut = "is empty" if not data.strip() else f"is cut short or is not JSON (line {error.lineno}: {error.msg})"
        raise ReportError(f"{path}: {cut}; write it anew (make parity)") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: is not UTF-8 text (byte {error.start}); write it anew (make parity)") from error
    except (RecursionError, ValueError) as error:
        raise ReportError(f"{path}: is no JSON of ours ({error}); write it anew (make parity)") from error


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
