"""The example proves its port, and finds and names what is broken in it."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "prove_my_port.py"
ALL = ["conv1", "bn1", "elu_1", "pool1", "flatten_1", "output"]


def test_the_port_is_proved_and_the_fault_is_found_and_named():
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, cwd=EXAMPLE.parents[1],
        env={"PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sound, broken = done.stdout.split("my port with Chainer's eps: ")
    assert sound.startswith("my port: holds") and broken.startswith("does not hold")
    rows = [[row.split() for row in part.splitlines()[2:]] for part in (sound, broken)]
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]] == ALL
    assert {row[1] for row in rows[0]} == {"ROUNDING", "EXACT"}
    assert [row[0] for row in rows[1] if row[1] not in ("ROUNDING", "EXACT")] == ["bn1"]
    assert "FORMULA(eps 2e-05 instead of 1e-05)" in broken
    assert [row[-2] for row in rows[1]] == ["ROUNDING", "FORMULA", *["INHERITED"] * 4]
    assert rows[1][1][-1] == "100%", "the broken layer made the final drift"


def test_it_fits_on_five_screens():
    assert len(EXAMPLE.read_text().splitlines()) < 100
