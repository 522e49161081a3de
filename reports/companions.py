"""The documents that may lie beside parity.json: what the microscope, the planted faults and the
investigation found.
"""

from pathlib import Path

from parity.reports import faults, investigation, microscope

# name in the templates -> the file's kind and its reader
COMPANIONS = {
    "microscope": (microscope.MICROSCOPE, microscope.read),
    "faults": (faults.FAULTS, faults.read),
    "investigation": (investigation.INVESTIGATION, investigation.read),
}


def beside(path):
    """{"microscope": document or None, "faults": ..., "investigation": ...}: what lies in the
    folder of the file `path`.

    Raises ReportError where one is there and cannot be used.
    """
    folder = Path(path).parent
    return {
        name: read_it(folder / kind.file) if (folder / kind.file).exists() else None
        for name, (kind, read_it) in COMPANIONS.items()
    }


def of_run(document, microscope):
    """microscope.json with the models of this run alone; None where there is none of them."""
    names = {model["name"] for model in document["models"]}
    models = [model for model in (microscope or {}).get("models", ()) if model["name"] in names]
    return {**microscope, "models": models} if models else None
