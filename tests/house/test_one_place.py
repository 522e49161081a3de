"""What can harm is done in one place each: no other module prints, starts, opens or asks by itself."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("parity", "port", "tagger", "fixtures", "reports", "studies")
# What is done -> how it looks, and who may.
PLACES = {
    "printing": (
        r"click\.echo\(|(?<![.\w])print\(",
        {"parity/program.py", "parity/schema.py", "parity/recording/environments.py"},
    ),
    "starting": (
        r"subprocess\.(run|call|check_\w+|Popen\()|ProcessPoolExecutor\(|os\.(fork|system)\(",
        {"parity/processes.py"},
    ),
    "opening arrays": (
        r"np\.load\(|h5py\.File\([^)]*\"r\"",
        {"parity/untrusted.py", "parity/probes/originals.py"},  # answers of its own, just now
    ),
    "asking the environment": (
        r"environ\.get\(|getenv\(|environ\[",
        {
            "parity/settings.py",
            "parity/processes.py",
            "parity/recording/environments.py",  # for uv, as it stands
            "parity/recording/recorder.py",  # for a recorder, as it stands
            "parity/faults/reorderings.py",  # for BLAS, as it stands
        },
    ),
    "writing": (
        r"\.write_(text|bytes)\(|os\.replace\(|shutil\.(copy|move)",
        {
            "parity/files.py",
            "parity/store.py",
            "parity/schema.py",
            "parity/ports/command.py",  # into a folder that is gone afterwards
            "parity/recording/recorder.py",  # into its own scratch folder
        },
    ),
}


@pytest.mark.parametrize("what", PLACES)
def test_only_its_own_place_does_it(what):
    pattern, places = PLACES[what]
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found <= places and found, f"and nowhere else: {sorted(found - places)}"
