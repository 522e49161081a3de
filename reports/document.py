"""Reads parity.json and its companions; refuses in one sentence what is not whole and valid."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.errors import CannotRun, visible
from parity.reports import Record
from parity.reports.figures import short

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

FORMAT = 1
FOLDER = Path(__file__).parent
MESSAGE_MOST, NAME_MOST = 380, 60  # letters


class ReportError(CannotRun):
    """A JSON document cannot be used, or nothing can be written; one short line says why."""

    def __init__(self, message: str) -> None:
        super().__init__(short(visible(message), MESSAGE_MOST))


@dataclass(frozen=True)
class Kind:
    """A kind of JSON document: its name, its schema in this folder and the command that writes it.

    faults: what is wrong with a document that no schema can tell.
    """

    file: str
    schema: str
    command: str
    faults: Callable[[Record], Iterable[str]] = lambda _: ()

    def read(self, path: Path | str, text: str | None = None) -> Record:
        """The document in `path`, or the `text` that is to be written there; ReportError where it
        is missing, cut short or not valid.
        """
        document = _parse(self, path, text)
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT or isinstance(found, bool):
            shown = f"format {short(repr(found), NAME_MOST)}"
            said = "no format number" if found is None else shown
            raise self.refusal(path, f"has {said}, expected {FORMAT}")
        self.validate(document, path)
        return dict(document)

    def validate(self, document: Record, path: Path | str | None = None) -> None:
        """Raise ReportError with the first fault of `document`, and where it is."""
        fault = next(_all_faults(self, document), None)
        if fault:
            raise self.refusal(path or self.file, fault)

    def refusal(self, path: Path | str, why: str) -> ReportError:
        """The error that names the file, what is wrong with it and what writes it anew."""
        return ReportError(f"{path}: {why}; write it again ({self.command})")


PARITY = Kind("parity.json", "parity.schema.json", "make parity")
read, validate = PARITY.read, PARITY.validate


def _all_faults(kind: Kind, document: Record) -> Iterator[str]:
    broken = sorted(
        _validator(kind.schema).iter_errors(document),
        key=lambda error: list(map(str, error.absolute_path)),
    )
    yield from (f"{_place(document, error.absolute_path)} {_says(error)}" for error in broken)
    models = document.get("models", [])
    named = {model["name"]: model.get("layers", []) for model in models}
    for owner, records in [("the run", models), *named.items()]:
        names = [record["name"] for record in records]
        for twice in (name for name in names if names.count(name) > 1):
            lists = f"{short(owner, NAME_MOST)} lists {short(repr(twice), NAME_MOST)} twice"
            yield f"{lists}; each name may occur once"
    yield from kind.faults(document)


@cache
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    schemas = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in FOLDER.glob("*.schema.json")
    }
    resources = [(name, DRAFT202012.create_resource(found)) for name, found in schemas.items()]
    return Draft202012Validator(schemas[schema], registry=Registry().with_resources(resources))


def _parse(kind: Kind, path: Path | str, text: str | None) -> Any:
    numbers: dict[str, Any] = {"parse_float": _finite(float), "parse_int": _finite(int)}
    try:
        data = Path(path).read_bytes() if text is None else text.encode()
        return json.loads(data.decode("utf-8"), parse_constant=_no_bare_word, **numbers)
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise ReportError(
            f"{path}: {why}; run {kind.command} first, or name another file"
        ) from error
    except json.JSONDecodeError as error:
        cut = f"is cut short or is not JSON (line {error.lineno}: {error.msg})"
        raise kind.refusal(path, cut if data.strip() else "is empty") from error
    except UnicodeDecodeError as error:
        raise kind.refusal(path, f"is not UTF-8 text (byte {error.start})") from error
    except (RecursionError, ValueError) as error:
        raise kind.refusal(path, f"is not usable JSON ({error})") from error


def _finite(kind: Callable[[str], float]) -> Callable[[str], float]:
    """A parser that refuses numbers no float can hold: 1e400 would be read as infinity."""

    def number(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError(f"{short(text, NAME_MOST)} is too large for a number")
        return kind(text)

    return number


def _no_bare_word(word: str) -> None:
    written = 'non-finite figures are written "inf", "-inf", "nan"'
    raise ValueError(f"{word} is not a JSON number; {written}")


def _place(document: Any, path: Iterable[Any]) -> str:
    """Where in the document, in names rather than numbers: `models / CNN0 / layers / conv3`."""
    words = []
    for step in path:
        document = document[step]
        named = isinstance(step, int) and isinstance(document, dict) and "name" in document
        words.append(short(str(document["name"] if named else step), NAME_MOST))
    return " / ".join(words) or "the document"


def _says(error: "ValidationError") -> str:
    """The violation in a sentence of bounded length: jsonschema quotes the whole value."""
    rule, wanted = error.validator, error.validator_value
    if rule == "required":
        return f"lacks {next(key for key in wanted if key not in error.instance)!r}"
    expected = {
        "type": f"expected {_listed(wanted)}",
        "enum": f"expected one of {_listed(wanted)}",
        "const": f"expected {wanted!r}",
        "pattern": f"expected text like {wanted}",
        "anyOf": f"expected {error.schema.get('title', 'another kind of value')}",
    }
    other = f"which breaks the rule {rule} {wanted}"
    return f"is {short(repr(error.instance), NAME_MOST)}, {expected.get(str(rule), other)}"


def _listed(words: Any) -> str:
    return ", ".join(map(str, words)) if isinstance(words, list) else str(words)
