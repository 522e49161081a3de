"""`python -m tests.gate.mutants [WORD ...]`: try every change, or those whose names hold a word.

Each is planted in a copy of the project and the copy judged through the command line, against
baselines approved from the unchanged copy. Prints the table in Markdown; exits 1 where a change
was not caught by its limit at its layer, or a harmless one did not pass.
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

from parity.model import DEFAULT_MODELS, ENTRIES, case_for
from parity.recording.environments import UV, WORK

from .changes import CHANGES, DOCUMENT, HARMLESS, IDENTITY
from .planting import pin

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ["parity", "port", "reference", "reports", "fixtures", "studies", "tagger", "requirements"]
OPTIONS = {IDENTITY: ["--identity-only"], DOCUMENT: ["--run", "reports/out/parity.json"]}
COLUMNS = "# | change | model | asked | exit | caught by | layer | what it says | s"
WORKERS = 2


class Row(NamedTuple):
    """One tried change; `right` says whether the gate answered as it must."""

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


def copy_sources(root):
    """Copy what a run needs of the project."""
    for name in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__", "out")
        shutil.copytree(ROOT / name, Path(root) / name, ignore=ignored)


def _prepared(root, models):
    """An unchanged copy with its own data folder, a run of it, and baselines approved from that."""
    copy_sources(root)
    shutil.copy(ROOT / "tox.ini", root)  # so it is a clone, with the environments of this one
    for built in (WORK, UV.parents[1]):
        (root / built.name).symlink_to(built)
    for name in DEFAULT_MODELS:
        case = case_for(name)
        files = [
            (case.model.weights, case.weights),
            *zip(ENTRIES[name]["clips"], case.clips, strict=True),
        ]
        for relative, path in files:
            (root / "data" / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / "data" / relative)
            pin(root, relative)
    chosen = [name for name in DEFAULT_MODELS if name in {*models, "CNN0", "CNN"}]
    run = ["run", *(word for name in chosen for word in ("--model", name))]
    accept = ["gate", "accept", "--reason", "unchanged", "--baselines", "baselines"]
    for command in (run, accept):
        done = _parity(root, *command)
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-2000:]
            raise SystemExit(f"the unchanged copy fails: {said}")
    return root


def _parity(root, *arguments):
    users = {
        key: value
        for key, value in os.environ.items()
        if key not in ("CI", "GITHUB_ACTIONS", "PYTHONPATH")
    }
    ours = {
        "PARITY_DATA": str(root / "data"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "parity", *arguments]
    return subprocess.run(
        command, cwd=root, env=users | ours, capture_output=True, text=True, check=False
    )


def _try(change, whole):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "copy")
        shutil.copytree(whole, root, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        change.plant(root)
        words = ["--model", change.model, "--baselines", "baselines", "--out", "gate-out"]
        start = time.perf_counter()
        done = _parity(root, "gate", *words, *OPTIONS.get(change.how, []))
        seconds = time.perf_counter() - start
        said, right = _read(change, done, root / "gate-out" / "gate.json")
        return Row(change, done.returncode, said, right, seconds)


def _read(change, done, path):
    """(what the gate said first, whether that is right)."""
    if not path.exists():  # the baseline itself was refused
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        refused = done.returncode == 2 and change.limit in ("baseline", "weights")
        return said.partition("baselines/real/")[2] or said, refused and change.layer in said
    found = json.loads(path.read_text(encoding="utf-8"))["findings"]
    if not change.limit:
        return found[0]["text"] if found else "passes", done.returncode == 0 and not found
    if not found:
        return "passes", False
    here = (
        each for each in found if (each["layer"], each["limit"]) == (change.layer, change.limit)
    )
    caught = next(here, None)
    right = done.returncode == 1 and found[0]["layer"] == change.layer and caught is not None
    return (caught or found[0])["text"], right


def markdown(rows):
    """The table."""
    lines = [f"| {COLUMNS} |", "|" + "---|" * 9]
    for number, (change, code, said, right, seconds) in enumerate(rows, 1):
        caught = (change.limit or "passes") if right else "**WRONG**"
        said = said.replace("|", "\\|")[:140]
        asked = (number, change.name, change.model, change.how, code, caught, change.layer or "-")
        lines.append(f"| {' | '.join(map(str, (*asked, said, f'{seconds:.1f}')))} |")
    return "\n".join(lines)


def main():
    """Print the table; exit 1 unless every row is right."""
    chosen = [
        change
        for change in (*CHANGES, *HARMLESS)
        if not sys.argv[1:] or any(word in change.name for word in sys.argv[1:])
    ]
    rows = tried(chosen)
    print(markdown(rows))
    wrong = [row.change.name for row in rows if not row.right]
    end = f"; wrong: {', '.join(wrong)}" if wrong else ""
    print(f"\n{len(rows) - len(wrong)} of {len(rows)} as they must be{end}")
    sys.exit(1 if wrong or not rows else 0)


if __name__ == "__main__":
    main()
