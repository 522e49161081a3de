"""Each limit fails alone, at the right layer, for the right change, and passes what rounding may
do.
"""

import math

import pytest

from parity.gate.judge import judge
from parity.gate.ratchet import allowed, factor


def found(document, folder, **chosen):
    return [
        (finding.model, finding.layer, finding.limit)
        for finding in judge(document, folder, **chosen).findings
    ]


def cell(document, name, mode="isolated", model=0):
    return next(layer for layer in document["models"][model]["layers"] if layer["name"] == name)[
        mode
    ]


def test_a_clean_run_passes_and_counts_its_cells(document, folder):
    outcome = judge(document, folder)
    assert outcome.passed and outcome.cells == 2 * 4 * 2 and outcome.notes == []


@pytest.mark.parametrize(
    "figures",
    [
        {"verdict": "FORMULA(unnamed)", "rho_port": 40.0},
        {"verdict": "NOT COMPARED", "rho_port": None},
        {"verdict": "INHERITED"},
        {"verdict": "GROSS", "rho_port": "nan"},
    ],
)
def test_the_budget_fails_a_verdict_that_does_not_hold(document, folder, figures):
    cell(document, "conv1").update(figures)
    assert ("CNN0", "conv1", "budget") in found(document, folder)


@pytest.mark.parametrize(
    "figure",
    [
        {"rho_port": 1.01},
        {"q_port": 1.51},
        {"rho_reference": 1.2},
        {"rho_port": "nan"},
        {"q_port": None},
    ],
)
def test_the_budget_looks_at_figures_behind_the_word(document, folder, figure):
    cell(document, "bn1").update(figure)
    assert ("CNN0", "bn1", "budget") in found(document, folder)


@pytest.mark.parametrize(
    ("layer", "mode", "figures", "said"),
    [
        (
            "pool1",
            "isolated",
            {"rho_port": 5.0, "bitwise_equal": False},
            "EXACT, but",
        ),
        (
            "pool1",
            "chained",
            {"bitwise_equal": False, "rho_port": 9.0},
            "EXACT, but",
        ),
        ("conv1", "isolated", {"fault": "has another shape"}, "figures say INCOMPARABLE"),
        ("conv1", "isolated", {"structured": True}, "figures say GROSS"),
        ("conv1", "chained", {"beyond": 3}, "ROUNDING, but 3 elements beyond"),
        ("pool1", "isolated", {"beyond": 3}, "EXACT, but 3 elements beyond"),
        ("conv1", "chained", {"rho_det": None, "rho_port": None}, "figures say NOT COMPARED"),
        (
            "conv1",
            "chained",
            {"verdict": "INHERITED", "rho_port": 2.0, "rho_det": 2.0},
            "INHERITED, but",
        ),
    ],
)
def test_a_word_that_its_figures_contradict_is_not_believed(
    document, folder, layer, mode, figures, said
):
    cell(document, layer, mode).update(figures)
    text = next(each.text for each in judge(document, folder).findings if each.limit == "budget")
    assert said in text and text.startswith(mode)


@pytest.mark.parametrize(
    "figures",
    [
        {
            "whole_call": {
                "bitwise_equal": False,
                "port_reference": 0.1,
                "holds": False,
                "message": "x",
            }
        },
        {"probes": {"seed": 1, "layers": 4, "proved": 3, "weights": 1, "read": 1, "call": "other"}},
    ],
)
def test_a_model_that_its_figures_contradict_is_not_believed(document, folder, figures):
    document["models"][0].update(figures)
    (finding,) = judge(document, folder).findings
    assert finding.text == "the run's verdict is HOLDS, and its figures say DRIFTS"


@pytest.mark.parametrize(
    "figure", [{"rho_det": 1.2}, {"rho_port": "nan"}, {"rho_det": None}, {"rho_reference": 1.2}]
)
def test_a_proved_layer_keeps_the_certain_bound(document, folder, figure):
    cell(document, "conv1").update(proved=True, rho_port=1.4, rho_det=0.05)
    assert ("CNN0", "conv1", "budget") not in found(document, folder)
    cell(document, "conv1").update(figure)
    assert ("CNN0", "conv1", "budget") in found(document, folder)


@pytest.mark.parametrize(("share", "passes"), [(0.4, True), (1.2, False), (None, False)])
def test_an_allowed_transform_keeps_its_own_bound(document, folder, share, passes):
    cell(document, "conv1").update(
        verdict="ALLOWED TRANSFORM", rho_port=3.0, rho_det=2.0, rho_transform=share
    )
    assert (("CNN0", "conv1", "budget") not in found(document, folder)) == passes


def test_a_looser_baseline_does_not_move_the_budget(document, folder):
    from gate_documents import APPROVED

    from parity.gate import baseline

    cell(document, "bn1").update(rho_port=30.0, q_port=20.0, verdict="ROUNDING")
    for record in document["models"]:
        baseline.write(folder, baseline.make(record, APPROVED))
    assert found(document, folder) == [("CNN0", "bn1", "budget")]


def test_the_budget_fails_final_scores_that_rounding_does_not_explain(document, folder):
    document["models"][0]["final"]["port_reference"] = 2.4e-7
    assert found(document, folder) == [("CNN0", "final", "budget"), ("CNN0", "final", "ratchet")]


UNEXPLAINED = {
    1e-7: [],
    2.4e-7: ["ratchet"],
    "nan": ["budget", "ratchet"],
    None: ["budget", "ratchet"],
}


@pytest.mark.parametrize(("drift", "limits"), UNEXPLAINED.items())
def test_of_a_run_without_explanations_the_ratchet_looks_at_the_end(
    document, folder, drift, limits
):
    document["models"][0]["final"].update(port_reference=drift, allowed=None)
    assert found(document, folder) == [("CNN0", "final", limit) for limit in limits]


def test_the_budget_fails_without_a_proved_oracle(document, folder):
    document["models"][1]["oracle_truth"] = {"layer": "conv1", "ratio": 1.5}
    assert found(document, folder) == [("CNN", "conv1", "budget")]


def test_the_budget_fails_a_model_whose_own_verdict_does(document, folder):
    document["models"][1]["verdict"] = "INCOMPLETE"
    assert found(document, folder) == [("CNN", "", "budget")]


def test_the_ratchet_fails_drift_within_the_budget(document, folder):
    cell(document, "conv1", "chained").update(rho_local=0.98)
    cell(document, "bn1").update(q_port=1.25)
    assert found(document, folder) == [("CNN0", "conv1", "ratchet"), ("CNN0", "bn1", "ratchet")]


def test_the_ratchet_passes_another_order_of_summation(document, folder):
    cell(document, "conv1").update(q_port=1.0, rho_port=0.66)
    cell(document, "conv1", "chained").update(rho_local=0.66)
    assert found(document, folder) == []


def test_the_ratchet_lets_a_figure_of_zero_rise_to_roundings_scale(document, folder):
    from gate_documents import APPROVED

    from parity.gate import baseline

    lucky = document["models"][0]
    for key in ("rho_port", "q_port"):
        cell(document, "output")[key] = 0.0
    baseline.write(folder, baseline.make(lucky, APPROVED))
    cell(document, "output").update(rho_port=0.9, q_port=1.0)
    assert found(document, folder) == []
    cell(document, "output").update(q_port=1.25)
    assert found(document, folder) == [("CNN0", "output", "ratchet")]


def test_final_drift_may_rise_to_what_rounding_explains_and_no_further(document, folder):
    final = document["models"][0]["final"]
    final["port_reference"] = 2e-7
    assert found(document, folder) == []
    final["port_reference"] = 2.1e-7
    assert [limit for *_, limit in found(document, folder)] == ["budget", "ratchet"]


@pytest.mark.parametrize("count", [20, 480, 500_000, 9_000_000])
def test_the_factor_is_what_the_largest_of_many_errors_varies_by(count):
    once_in_a_million = math.sqrt(2 * math.log(2 * count / 1e-6))
    expected = math.sqrt(2 * math.log(2 * count))
    assert factor(count) == pytest.approx(once_in_a_million / expected)
    assert 1.3 < factor(count) < 2.3


def test_the_ratchet_never_allows_less_than_the_baseline(folder):
    from parity.gate import baseline

    for layer in baseline.read(folder, "real", "CNN0")["layers"]:
        assert allowed(layer, "isolated", "rho") >= layer["isolated"]["rho"]


def test_causes_come_before_consequences_and_each_in_network_order(document, folder):
    """What fails before what changed; the layers to blame before those that inherit."""
    cell(document, "conv1", "chained").update(verdict="INHERITED", message="from bn1")
    cell(document, "output").update(verdict="GROSS")
    cell(document, "bn1").update(verdict="GROSS")
    document["models"][0]["identity"]["stack"]["harness"]["numpy"] = "1.24.0"
    told = [each for each in judge(document, folder).findings if each.limit != "ratchet"]
    assert [each.layer for each in told if "INHERITED" not in each.text] == ["bn1", "output", ""]
    assert told[-1].limit == "identity" and "INHERITED" in told[-2].text


def told(document, folder, limit):
    return [each.text for each in judge(document, folder).findings if each.limit == limit]


def test_a_weight_read_back_as_another_is_told_with_its_place(document, folder):
    probed = cell(document, "conv1", "probed")
    probed["read"][0].update(sha256="f" * 64, within=8, equal=8, at=[3, 7, 1, 2])
    assert told(document, folder, "identity") == ["probed: weight W (3, 7, 1, 2) changed"]
    assert found(document, folder) == [("CNN0", "conv1", "identity")]


def test_a_weight_no_longer_read_exactly_and_another_form_are_told(document, folder):
    probed = cell(document, "conv1", "probed")
    probed["read"][1]["sha256"] = None
    probed["form"] = "tanh(x/2)/2 + 1/2"
    assert told(document, folder, "identity") == [
        "probed: weight b is no longer read back exactly",
        "probed: form is tanh(x/2)/2 + 1/2, was the formula's own",
    ]


@pytest.mark.parametrize(
    ("verdict", "limit"),
    [
        ("NOT PROBED", "ratchet"),
        ("FORMULA(W times 2)", "budget"),
        ("ROUNDING (TRANSFORM)", "budget"),
    ],
)
def test_a_layer_that_probes_no_longer_prove_breaks_a_limit(document, folder, verdict, limit):
    cell(document, "pool1", "probed").update(verdict=verdict, message="because")
    assert found(document, folder) == [("CNN0", "pool1", limit)]
    assert "because" in told(document, folder, limit)[0]


def test_a_run_that_asked_nothing_breaks_the_ratchet(document, folder):
    document["models"][0]["layers"][0]["probed"] = None
    assert told(document, folder, "ratchet") == [
        "was probed (ROUNDING), and is NOT PROBED: the run did not ask it"
    ]


def test_an_original_that_is_not_its_formula_breaks_the_budget(document, folder):
    original = {"probes": 3, "wrong": 1, "truth": 0.1, "message": None}
    cell(document, "conv1", "probed").update(original=original)
    (why,) = told(document, folder, "budget")
    assert "the original itself answers 1 of these 3 questions wrongly" in why


def test_what_users_call_breaks_the_budget_of_the_whole_model(document, folder):
    sums = {"seed": 1, "layers": 4, "proved": 4, "weights": 1, "read": 1}
    document["models"][0].update(verdict="DRIFTS", probes={**sums, "call": "another call"})
    assert told(document, folder, "budget") == ["another call"]
