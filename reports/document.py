"""Reads parity.json and its companions and refuses, in one sentence, what is not a whole document
of this format.
"""

import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

from parity.reports.figures import short, visible

FORMAT = 1
FOLDER = Path(__file__).parent


MESSAGE_MOST, NAME_MOST = 380, 60  # letters


class ReportError(ValueError):
    """A JSON document cannot be used, or nothing can be written; the message says what, where and
    what to do, on one short line.
    """

    def __init__(self, message):
        super().__init__(short(visible(message), MESSAGE_MOST))


class Kind(NamedTuple):
    """One kind of JSON document: the file's name, its schema in this folder and the command that
    writes it.
    """

    file: str
    schema: str
    command: str


PARITY = Kind("parity.json", "parity.schema.json", "make parity")


def read(path, kind=PARITY):
    """The document in `path` as a dict, valid by its kind's schema.

    Raises ReportError where it is missing, cut short, of another format version or not matching
    its schema.
    """
    document = _parse(path, _bytes(path, kind), kind)
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT or isinstance(found, bool):
        said = "no format number" if found is None else f"format {short(repr(found), NAME_MOST)}"
        raise ReportError(
            f"{path}: has {said}, expected {FORMAT}; write it anew with this version "
            f"({kind.command})"
        )
    validate(document, path, kind)
    return document


def validate(document, path=None, kind=PARITY):
    """Raise ReportError naming the first place where `document` departs from its schema or names a
    model or layer twice.
    """
    path = path or kind.file
    first = min(
        _validator(kind).iter_errors(document),
        key=lambda error: list(map(str, error.absolute_path)),
        default=None,
    )
    if first is not None:
        raise ReportError(
            f"{path}: {_place(document, first.absolute_path)} {_says(first)}; write it "
            f"anew ({kind.command})"
        )
    models = document.get("models", [])
    for owner, records in [
        ("the run", models),
        *((model["name"], model.get("layers", [])) for model in models),
    ]:
        names = [record["name"] for record in records]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            said = (
                f"{short(owner, NAME_MOST)} lists {short(repr(twice), NAME_MOST)} twice; each "
                "name may occur once"
            )
            raise ReportError(f"{path}: {said}; write it anew ({kind.command})")


@cache
def _validator(kind):
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    schemas = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in FOLDER.glob("*.schema.json")
    }
    known = Registry().with_resources(
        (name, DRAFT202012.create_resource(schema)) for name, schema in schemas.items()
    )
    return Draft202012Validator(schemas[kind.schema], registry=known)


def _bytes(path, kind):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be read ({error.strerror}); run {kind.command} first, or "
            "name another file"
        ) from error


def _parse(path, data, kind):
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_constant=_no_bare_word,
            parse_float=_finite(float),
            parse_int=_finite(int),
        )
    except json.JSONDecodeError as error:
        cut = (
            "is empty"
            if not data.strip()
            else f"is cut short or is not JSON (line {error.lineno}: {error.msg})"
        )
        raise ReportError(f"{path}: {cut}; write it anew ({kind.command})") from error
    except UnicodeDecodeError as error:
        raise ReportError(
            f"{path}: is not UTF-8 text (byte {error.start}); write it anew ({kind.command})"
        ) from error
    except (RecursionError, ValueError) as error:
        raise ReportError(
            f"{path}: is no JSON of ours ({error}); write it anew ({kind.command})"
        ) from error


def _finite(kind):
    """A parser of numbers that refuses those which no float can hold: 1e400 would be read as
    infinity.
    """

    def number(text):
        if not math.isfinite(float(text)):
            raise ValueError(f"{short(text, NAME_MOST)} is too large for a number")
        return kind(text)

    return number


def _no_bare_word(word):
    raise ValueError(
        f'{word} is no JSON number; non-finite figures are written "inf", "-inf", "nan"'
    )


def _place(document, path):
    """Where in the document, in names rather than numbers: `models CNN0 layers conv3 isolated
    rho_port`.
    """
    words = []
    for step in path:
        document = document[step]
        named = isinstance(step, int) and isinstance(document, dict) and "name" in document
        words.append(short(str(document["name"] if named else step), NAME_MOST))
    return " / ".join(words) or "the document"


def _says(error):
    """The violation in a sentence of bounded length: jsonschema quotes the whole value
    otherwise.
    """
    shown = short(repr(error.instance), NAME_MOST)
    words = {
        "required": lambda: (
            f"lacks {next(key for key in error.validator_value if key not in error.instance)!r}"
        ),
        "type": lambda: f"is {shown}, expected {_listed(error.validator_value)}",
        "enum": lambda: f"is {shown}, expected one of {_listed(error.validator_value)}",
        "const": lambda: f"is {shown}, expected {error.validator_value!r}",
        "pattern": lambda: f"is {shown}, expected text like {error.validator_value}",
        "anyOf": lambda: (
            f"is {shown}, expected {error.schema.get('title', 'another kind of value')}"
        ),
    }
    return words.get(
        error.validator,
        lambda: f"is {shown}, which breaks the rule {error.validator} {error.validator_value}",
    )()


def _listed(words):
    return words if isinstance(words, str) else ", ".join(map(str, words))
