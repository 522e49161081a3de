"""The csv of an evaluation: a line per track as it comes, read again by a run that goes on where
this one stopped.
"""

import csv
import io
from pathlib import Path

from parity.port.files import CannotWrite, FilePath, write_atomically
from parity.port.sentences import shown

COLUMNS = ("file", "genre", "predicted", "score", "setting")
OTHER_NAME = "give another name to --results"


def read_results(path: FilePath, setting: str) -> list[dict[str, str]]:
    """Rows of an earlier run, [] where there is none; what a stopped run left of its last line is
    cut off the file.

    Raises ValueError for another kind of file, and for results of another `setting`.
    """
    path = Path(path)
    rows = _rows(path)
    if any(row["setting"] != setting for row in rows):
        raise ValueError(
            f"{shown(path)} is from other weights, options or genre folders; delete it or "
            f"{OTHER_NAME}"
        )
    if path.exists():
        write_atomically(path, _lines([COLUMNS, *(row.values() for row in rows)]))
    return rows


def append(path: FilePath, cells: tuple) -> None:
    """Write one more track, cells in the order of COLUMNS. Raises CannotWrite."""
    try:
        with open(path, "a", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(_lines([cells] if stream.tell() else [COLUMNS, cells]))
    except OSError as error:
        raise CannotWrite(
            f"{shown(path)} cannot be written ({error.strerror}); free space or choose "
            "another folder"
        ) from error


def _rows(path):
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        reader = csv.DictReader(io.StringIO(text.rpartition("\n")[0]))
        rows = [row for row in reader if None not in row and None not in row.values()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(
            f"{shown(path)} cannot be read ({error.strerror}); {OTHER_NAME}"
        ) from error
    except csv.Error as error:
        raise ValueError(f"{shown(path)} is no file of results; {OTHER_NAME}") from error
    if reader.fieldnames and tuple(reader.fieldnames) != COLUMNS:
        raise ValueError(f"{shown(path)} is no file of results; {OTHER_NAME}")
    return rows


def _lines(rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
