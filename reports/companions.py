"""The documents that may lie beside parity.json: what the microscope, the planted faults and the investigation found."""

from pathlib import Path

from reports.document import Kind, read
from reports.faults import FAULTS

# name in the templates -> the file's kind
COMPANIONS = {
    "microscope": Kind("microscope.json", "microscope.schema.json", "make microscope"),
    "faults": FAULTS,
    "investigation": Kind("investigation.json", "investigation.schema.json", "make investigate"),
}


def beside(path):
    """{"microscope": document or None, "faults": ..., "investigation": ...}: what lies in the folder of the file `path`.

    Raises ReportError where one is there and cannot be used.
    """
    folder = Path(path).parent
    return {name: read(folder / kind.file, kind) if (folder / kind.file).exists() else None for name, kind in COMPANIONS.items()}
