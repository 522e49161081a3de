"""The documents that may lie beside parity.json."""

from pathlib import Path

from parity.reports import Record
from parity.reports.faults import FAULTS
from parity.reports.investigation import INVESTIGATION
from parity.reports.microscope import MICROSCOPE

COMPANIONS = {"microscope": MICROSCOPE, "faults": FAULTS, "investigation": INVESTIGATION}


def beside(path: Path | str) -> dict[str, Record | None]:
    """{name in COMPANIONS: the document in the folder of the file `path`, or None}."""
    paths = {name: Path(path).with_name(kind.file) for name, kind in COMPANIONS.items()}
    return {name: COMPANIONS[name].read(at) if at.exists() else None for name, at in paths.items()}


def of_run(document: Record, microscope: Record | None) -> Record | None:
    """microscope.json with the models of this run alone; None where it has none of them."""
    names = {model["name"] for model in document["models"]}
    found = microscope or {}
    models = [model for model in found.get("models", ()) if model["name"] in names]
    return {**found, "models": models} if models else None
