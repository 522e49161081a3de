"""What the axes of a layer's output are called, in the layer's record and so in the report."""

from parity.kinds import KINDS

IMAGE = ("clip", "channel", "mel band", "time frame")


def test_a_permuted_output_has_its_axes_permuted():
    named = KINDS["Permute"].axes
    assert named({"dims": [3, 1, 2]}, 4) == ("clip", "time frame", "channel", "mel band")
    assert named({"dims": [1, 2, 3]}, 4) == IMAGE and named({"dims": [2, 1]}, 3)[1] == "unit"


def test_other_kinds_go_by_the_number_of_axes():
    for name, kind in KINDS.items():
        if name != "Permute":
            assert kind.axes({}, 4) == IMAGE and len(kind.axes({}, 2)) == 2, name
            assert kind.axes({}, 7) == (), "not known"
