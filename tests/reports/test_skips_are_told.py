"""A run that promises to skip nothing and skips says so, and why, before it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"
TESTS = {
    "skips": "import pytest\n\ndef test_a():\n    pytest.skip('no browser here')\n",
    "passes": "def test_a():\n    pass\n",
}


@pytest.mark.parametrize(
    ("kind", "promised", "code"), [("skips", "1", 1), ("skips", "", 0), ("passes", "1", 0)]
)
def test_a_skip_that_fails_the_run_is_told(tmp_path, kind, promised, code):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS[kind])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-ra",
        str(tmp_path / "test_it.py"),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PARITY_NO_SKIPS": promised},
    )
    assert done.returncode == code and (
        "this run fails: 1 skipped, though PARITY_NO_SKIPS" in done.stdout
    ) == bool(code)
    assert ("no browser here" in done.stdout) == (kind == "skips")
