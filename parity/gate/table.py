"""`python -m parity.gate.table`: every change of changes.py is tried in a copy of the project,
through the command line.

The copy's baselines are approved from a run of the unchanged copy, on the data at hand. Prints the
table in Markdown and exits 1 where a change was not caught by its limit at its layer, or a
harmless one was not passed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from parity.cases import CLIPS, DEFAULT_MODELS, case_for
from parity.gate.changes import CHANGES, DOCUMENT, HARMLESS, IDENTITY
from parity.gate.planting import copy_of, pin
from parity.recording.environments import WORK

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2


class Row(NamedTuple):
    """One tried change. right : whether the gate did what it has to."""

    change: object
    code: int
    said: str
    right: bool
    seconds: float


def tried(changes, workers=WORKERS):
    """A Row per change, in order; all copies are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        whole = _prepared(Path(folder, "unchanged"), {change.model for change in changes})
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda change: _try(change, whole), changes))


def _prepared(root, models):
    """An unchanged copy with its own data folder, a run of it, and baselines approved from that."""
    for source, target in copy_of(ROOT, root):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "out"))
    for name in DEFAULT_MODELS:
        case = case_for(name)
        for relative, path in [
            (case.model.weights, case.weights),
            *zip(CLIPS, case.clips, strict=True),
        ]:
            (root / "data" / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / "data" / relative)
            pin(root, relative)
    chosen = [
        word
        for name in DEFAULT_MODELS
        if name in models or name in ("CNN0", "CNN")
        for word in ("--model", name)
    ]
    for command in (
        ["run", *chosen],
        ["gate", "accept", "--reason", "unchanged", "--baselines", "baselines"],
    ):
        done = _parity(root, *command)
        if done.returncode:
            raise SystemExit(
                f"the unchanged copy fails: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
    return root


def _parity(root, *arguments):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("CI", "GITHUB_ACTIONS", "PYTHONPATH")
    }
    environment |= {
        "PARITY_DATA": str(root / "data"),
        "TOX_WORK_DIR": str(WORK),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "parity", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _try(change, whole):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "copy")
        shutil.copytree(whole, root, ignore=shutil.ignore_patterns("__pycache__"))
        change.plant(root)
        options = {
            IDENTITY: ["--identity-only"],
            DOCUMENT: ["--json", "reports/out/parity.json"],
        }.get(change.how, [])
        start = time.perf_counter()
        done = _parity(
            root,
            "gate",
            "--model",
            change.model,
            "--baselines",
            "baselines",
            "--out",
            "gate-out",
            *options,
        )
        seconds = time.perf_counter() - start
        said, right = _read(change, done, root / "gate-out" / "gate.json")
        return Row(change, done.returncode, said, right, seconds)


def _read(change, done, path):
    """(what the gate said first, whether that is right)."""
    if not path.exists():  # the baseline itself was refused
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return said.partition("baselines/real/")[2] or said, (done.returncode, change.limit) == (
            2,
            "baseline",
        ) and change.layer in said
    found = json.loads(path.read_text(encoding="utf-8"))["findings"]
    if not change.limit:
        return found[0]["text"] if found else "passes", done.returncode == 0 and not found
    if not found:
        return "passes", False
    here = [finding for finding in found if finding["layer"] == change.layer]
    caught = next((finding for finding in here if finding["limit"] == change.limit), found[0])
    return caught["text"], done.returncode == 1 and found[0]["layer"] == change.layer and caught[
        "limit"
    ] == change.limit


def markdown(rows):
    """The table."""
    lines = [
        "| # | change | model | asked | exit | caught by | layer | what it says | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for number, row in enumerate(rows, 1):
        change = row.change
        caught = (change.limit or "passes") if row.right else "**WRONG**"
        said = row.said.replace("|", "\\|")[:140]
        cells = (
            number,
            change.name,
            change.model,
            change.how,
            row.code,
            caught,
            change.layer or "-",
            said,
            f"{row.seconds:.1f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main():
    """Print the table; exit 1 unless every row is right."""
    wanted = sys.argv[1:]
    chosen = [
        change
        for change in (*CHANGES, *HARMLESS)
        if not wanted or any(word in change.name for word in wanted)
    ]
    rows = tried(chosen)
    print(markdown(rows))
    wrong = [row.change.name for row in rows if not row.right]
    print(
        f"\n{len(rows) - len(wrong)} of {len(rows)} as they have to be"
        + (f"; wrong: {', '.join(wrong)}" if wrong else "")
    )
    sys.exit(1 if wrong or not rows else 0)


if __name__ == "__main__":
    main()
