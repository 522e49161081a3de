"""The declared layers, and the names a user may ask for."""

import pytest

from parity.errors import CannotRun
from parity.model import DEFAULT_MODELS, MODELS, case_for, select


def test_the_declared_list_has_every_layer_of_every_model():
    assert [len(MODELS[name].layers) for name in DEFAULT_MODELS] == [28, 28, 28]
    assert MODELS["CRNN"].layers[:2] == ("zeropadding2d_1", "bn_0_freq")
    assert MODELS["CNN0"].layers[-2:] == ("flatten_1", "output")
    assert MODELS["CRNN"].layers[-5:] == ("reshape_1", "gru1", "gru2", "final_drop", "preds")


def test_no_choice_means_all_models_and_all_layers():
    assert select((), ()) == (("CRNN", "CNN0", "CNN"), None)


def test_a_choice_is_kept_in_order_without_repeats():
    assert select(("CNN", "CNN"), ("conv3",)) == (("CNN",), ("conv3",))


@pytest.mark.parametrize(
    ("models", "layers", "near"),
    [
        (("CRN",), (), "'CRN'; did you mean CRNN?"),
        ((), ("gru3",), "'gru3'; did you mean gru"),
        (("CNN0",), ("gru1",), "'gru1'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known(models, layers, near):
    with pytest.raises(CannotRun, match=r"no (model|layer) called") as refusal:
        select(models, layers)
    assert near in str(refusal.value)


def test_a_given_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CannotRun, match=r"missing\.h5: no such file"):
        case_for("CNN0", tmp_path / "missing.h5")
