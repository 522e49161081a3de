"""Reads parity.json and its companions; refuses in one sentence what is not whole and valid."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.errors import CannotRun, visible
from parity.reports import Record
from parity.reports.figures import short
from parity.untrusted import Damaged, faults_of, json_of, read_json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

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
    yield from faults_of(document, _validator(kind.schema))
    models = document.get("models", [])
    named = {model["name"]: model.get("layers", []) for model in models}
    for owner, records in [("the run", models), *named.items()]:
        counted = Counter(record["name"] for record in records)
        for twice in (name for name, count in counted.items() if count > 1):
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
    try:
        return read_json(path) if text is None else json_of(text)
    except Damaged as error:
        raise kind.refusal(path, str(error)) from error
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise ReportError(
            f"{path}: {why}; run {kind.command} first, or name another file"
        ) from error
