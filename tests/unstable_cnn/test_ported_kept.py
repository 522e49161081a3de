"""What the port gave is found again, bit for bit, and made anew where anything that it depends on
is another.
"""

import numpy as np
import pytest
import trained_networks

from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.studies.unstable_cnn import ports

pytestmark = pytest.mark.slow


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """asked(**options): (the Runs of CNN0's stand-in on two batches, whether the port was run for
    them).
    """
    case = Case(MODELS["CNN0"], Weights(seeded.weights("CNN0", tmp_path)), (), "seeded")
    first, second = trained_networks.clips().values()
    ran, honest = [], ports._called
    monkeypatch.setattr(ports, "_called", lambda *given: ran.append(given) or honest(*given))

    def ask(batches=None, **options):
        ran.clear()
        found = ports.run(
            case,
            batches or {"alone": first, ("a", "pair"): np.concatenate([first, second])},
            **options,
        )
        return found, bool(ran)

    return ask


def test_it_is_run_once_and_the_same_again(asked):
    (first, ran), (again, ran_again) = (asked(keep=("bn1", "output"), most=16) for _ in range(2))
    assert (ran, ran_again) == (True, False)
    assert list(first) == list(again) == ["alone", ("a", "pair")]
    for label, run in first.items():
        assert list(run.outputs) == list(again[label].outputs) == ["bn1", "output", "output:logits"]
        assert all(
            np.array_equal(values, again[label].outputs[name])
            for name, values in run.outputs.items()
        )
        assert all(
            np.array_equal(run.arriving[name], again[label].arriving[name]) for name in run.arriving
        )
        assert (run.parameters_sha256, run.others_sha256) == (
            again[label].parameters_sha256,
            again[label].others_sha256,
        )


def test_anything_else_is_another_run(asked, monkeypatch):
    asked()
    for changed in (
        {"most": 8},
        {"keras": "1.1.0"},
        {"batches": {"alone": trained_networks.clips()["clip 2"]}},
    ):
        assert asked(**changed)[1], changed
    assert not asked()[1]
    monkeypatch.setattr(ports.cache, "digests", lambda module: {"port/network.py": "edited"})
    assert asked()[1]


def test_whole_outputs_are_not_kept_and_a_damaged_file_is_made_again(asked, tmp_path):
    asked(keep=("output",))
    assert asked(keep=("output",))[1]
    asked()
    for path in tmp_path.rglob("port.*.h5"):
        path.write_bytes(path.read_bytes()[:500])
    assert asked()[1]
    assert not asked()[1]
