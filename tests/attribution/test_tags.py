"""Ranks, swaps and what rounding may do to them."""

import numpy as np
import pytest

from parity.attribution import tags
from parity.attribution.explain import Logits
from parity.results import Swap

NAMES = list("abcdef")
SD = np.full((1, 6), 1e-6)  # B = 5.6e-6


def table(expected, actual, oracle=None, sd=SD, rounding_only=True):
    rows = Logits(
        oracle=np.array([expected if oracle is None else oracle], np.float64),
        expected=np.array([expected]),
        actual=None if actual is None else np.array([actual]),
        sd=sd,
        sd_error=0 * sd,
    )
    scores = {
        side: (1 / (1 + np.exp(-np.array([values])))).astype(np.float32)
        for side, values in (
            ("expected", expected),
            ("actual", expected if actual is None else actual),
        )
    }
    return tags.tag_tables(["clip"], NAMES, scores, rows, rounding_only)[0]


CALM = [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]


def test_without_a_drift_nothing_swaps_and_the_set_is_stable():
    found = table(CALM, CALM)
    assert found.swaps == [] and found.tau == 1.0 and found.jaccard == 1.0 and found.k == 3
    assert found.stability == pytest.approx(1 / (2 * np.sqrt(2 * np.log(2 * 6 / 1e-6)) * 1e-6))
    assert [row.tag for row in found.top] == NAMES


def test_a_swap_of_tags_that_rounding_ties_is_explained():
    expected, actual = [5.0, 4.0 + 2e-6, 4.0, 2.0, 1.0, 0.0], [5.0, 4.0, 4.0 + 2e-6, 2.0, 1.0, 0.0]
    [swap] = table(expected, actual).swaps
    assert swap.pair == ["b", "c"] and swap.tied is True and swap.explained is True
    assert swap.margin == pytest.approx(2e-6)


def test_a_swap_is_not_explained_while_a_layer_drifts_otherwise():
    expected, actual = [5.0, 4.0 + 2e-6, 4.0, 2.0, 1.0, 0.0], [5.0, 4.0, 4.0 + 2e-6, 2.0, 1.0, 0.0]
    [swap] = table(expected, actual, rounding_only=False).swaps
    assert swap.tied is True and swap.explained is False


def test_a_swap_of_tags_that_rounding_cannot_bring_together_is_not_explained():
    [swap] = table(CALM, [5.0, 3.0, 4.0, 2.0, 1.0, 0.0]).swaps
    assert (
        swap.pair == ["b", "c"]
        and swap.tied is False
        and swap.explained is False
        and swap.margin == 1.0
    )


def test_the_margin_is_the_oracles_and_not_the_drift():
    [swap] = table(
        [5.0, 3.5, 3.4, 2.0, 1.0, 0.0],
        [5.0, 3.4, 3.5, 2.0, 1.0, 0.0],
        oracle=[5.0, 4.0, 3.0, 2.0, 1.0, 0.0],
    ).swaps
    assert swap.margin == 1.0 and not swap.tied


def test_ties_go_by_index_on_both_sides():
    assert tags.ranking(np.array([1.0, 2.0, 2.0, 1.0])) == [1, 2, 0, 3]
    assert table([1.0] * 6, [1.0] * 6).swaps == []
    [swap] = table([1.0, 1.0, 0.5, 0.4, 0.3, 0.2], [1.0, 1.0 + 1e-9, 0.5, 0.4, 0.3, 0.2]).swaps
    assert swap.margin == 0.0 and swap.tied and swap.explained


def test_tags_are_ranked_by_logits_where_scores_collide():
    found = table([20.0, 21.0, 3.0, 2.0, 1.0, 0.0], [20.0, 21.0, 3.0, 2.0, 1.0, 0.0])
    first, second = found.top[:2]
    assert (first.tag, second.tag) == ("b", "a") and first.expected == second.expected == 1.0


def test_stability_is_the_narrowest_gap_around_the_top():
    bound = np.array([0.1, 0.1, 0.3, 0.2])
    assert tags.stability(np.array([4.0, 3.0, 2.5, 1.0]), bound, 2) == pytest.approx(0.5 / 0.4)
    assert tags.stability(np.array([4.0, 3.0]), bound[:2], 2) is None
    assert tags.stability(np.array([1.0, 1.0]), np.zeros(2), 1) == 0.0
    assert tags.stability(np.array([2.0, 1.0]), np.zeros(2), 1) == np.inf


def test_agreement_of_rankings():
    assert tags.kendall_tau(np.array(CALM), np.array(CALM[::-1])) == -1.0
    assert tags.kendall_tau(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0])) == pytest.approx(
        1 / 3
    )
    assert tags.kendall_tau(np.array([1.0]), np.array([2.0])) is None
    assert tags.jaccard(np.array(CALM), np.array([5.0, 4.0, 0.0, 2.0, 1.0, 3.0]), 3) == 0.5


def test_a_port_without_logits_is_ranked_by_its_scores():
    found = table(CALM, None)
    assert found.top[0].logit_actual is None and found.tau == 1.0 and found.stability > 1


def test_without_an_oracle_a_swap_has_a_margin_and_no_verdict():
    scores = {
        "expected": np.array([[0.3, 0.2]], np.float32),
        "actual": np.array([[0.2, 0.3]], np.float32),
    }
    [found] = tags.tag_tables(["clip"], ["a", "b"], scores)
    assert found.swaps == [Swap(["a", "b"], pytest.approx(0.1), None, None)]
    assert found.stability is None


def test_scores_that_cannot_be_compared_have_no_table():
    assert tags.tag_tables(["clip"], NAMES, None) == []
    assert (
        tags.tag_tables(["clip"], NAMES, {"expected": np.zeros((1, 6)), "actual": np.zeros((1, 5))})
        == []
    )


def test_a_tag_in_either_top_is_shown(monkeypatch):
    monkeypatch.setattr(tags, "TOP", 2)
    found = table(CALM, [5.0, 4.0, 3.0, 2.0, 1.0, 9.0])
    assert [row.tag for row in found.top] == ["a", "b", "f"]
    assert [(row.rank_expected, row.rank_actual) for row in found.top] == [
        (1, 2),
        (2, 3),
        (6, 1),
    ]
