"""Rows as a table: Parquet, CSV or JSON lines, by the name of the file, written as they come."""

import csv
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.engine.job import Row
from parity.errors import CannotRun
from parity.files import replacing

__all__ = ["KINDS", "best_kind", "check_kind", "write"]

AT_A_TIME = 4096  # rows of a Parquet file's group
Columns = Mapping[str, str]  # name -> "text", "number" (float32), "figure" (float64) or "count"
Add = Callable[[Sequence[Row]], None]


def write(path: Path, columns: Columns, rows: Iterable[Row], inputs: Iterable[Path] = ()) -> None:
    """Write a table, whole or not at all. Raises CannotRun where it cannot be written."""
    with replacing(path, inputs=inputs) as name, KINDS[path.suffix.lower()](name, columns) as add:
        held: list[Row] = []
        for row in rows:
            held.append({column: row.get(column) for column in columns})
            if len(held) == AT_A_TIME:
                add(held)
                held = []
        add(held)


def check_kind(path: Path) -> None:
    """Raise CannotRun where a table cannot be written by that name."""
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise CannotRun(f"{path}: name a table .parquet, .csv or .jsonl")
    if kind == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise CannotRun(
            f"{path}: pyarrow is not here, which writes Parquet; use the environment that `make "
            "corpus` builds (.tox/corpus/bin/python), or name it .csv or .jsonl"
        )


@contextmanager
def _parquet(name: str, columns: Columns) -> Iterator[Add]:
    import pyarrow
    from pyarrow import parquet

    kinds = {
        "text": pyarrow.string(),
        "number": pyarrow.float32(),
        "figure": pyarrow.float64(),
        "count": pyarrow.int64(),
    }
    fields = [(column, kinds[kind]) for column, kind in columns.items()]
    schema = pyarrow.schema(fields, metadata={"writer": "music-tagger-parity"})
    with parquet.ParquetWriter(name, schema, compression="zstd") as stream:

        def add(rows: Sequence[Row]) -> None:
            stream.write_table(pyarrow.Table.from_pylist(list(rows), schema))

        yield add


@contextmanager
def _csv(name: str, columns: Columns) -> Iterator[Add]:
    with open(name, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        yield writer.writerows


@contextmanager
def _json_lines(name: str, columns: Columns) -> Iterator[Add]:
    with open(name, "w", encoding="utf-8") as stream:
        yield lambda rows: stream.writelines(f"{json.dumps(row)}\n" for row in rows)


KINDS: dict[str, Callable[[str, Columns], Any]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}


def best_kind() -> str:
    """The ending of a table's name, by what is installed."""
    return ".parquet" if importlib.util.find_spec("pyarrow") else ".csv"
