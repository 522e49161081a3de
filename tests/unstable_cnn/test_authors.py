"""The scores that authors printed: what was run is found, and whether it read the file rightly."""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.studies.unstable_cnn import authors, findings
from parity.studies.unstable_cnn.questions import QUESTIONS
from parity.studies.unstable_cnn.subject import subject
from tagger import conditions

PRINTED = {"one": {"jazz": 0.5, "rock": 0.25}, "two": {"jazz": 0.125}}


class File:
    def __init__(self, params):
        self.params = params


def scores(jazz, rock=0.25, jazz_of_two=0.125):
    rows = np.full((2, 50), 0.1, np.float32)
    tags = conditions.OF_COUNT[50]
    rows[0, tags.index("jazz")], rows[0, tags.index("rock")] = jazz, rock
    rows[1, tags.index("jazz")] = jazz_of_two
    return rows


def ranked(apart):
    """apart: {(front end, Keras, together): how far the jazz of the first clip is off}."""
    found = {conditions.Condition(*way): scores(0.5 + off) for way, off in apart.items()}
    return conditions.ranked(found, PRINTED)


def told(outcome):
    return findings.told("authors", [outcome], "real")[0]


def test_the_conditions_are_those_that_give_every_digit():
    within, others = ranked(
        {("2016", "1.0.6", 2): 0.0004, ("2016", "1.0.6", 1): -0.3, ("today", "1.0.6", 1): 0.2}
    )
    assert [way for way, _ in within] == [("2016", "1.0.6", 2)]
    found = authors.printed_by("CNN0 there", "CNN0", PRINTED, within, others, 0.0004)
    assert (found.holds, found.figures["nearest"]) == (True, pytest.approx(0.2))
    assert found.figures["alone"] == pytest.approx(0.3), "of the same front end and release"
    said = told(found)
    assert "2016's spectrograms, Keras 1.0.4 to 1.0.6, batches of 2" in said.claim
    assert said.sentence == (
        "Its author's printed scores of CNN0 there come out in one batch only; singly they are 0.30 off."
    )


def test_scores_that_no_condition_gives_are_refuted_and_a_missing_figure_counts():
    within, others = ranked({("stored", "1.1.0", 2): 0.0006, ("stored", "1.1.0", 1): 0.1})
    found = authors.printed_by("CNN0 there", "CNN0", PRINTED, within, others, None)
    assert found.holds is False and found.effect == pytest.approx(0.0006, abs=1e-6)
    assert "None of the 2 conditions" in told(found).claim and told(found).sentence is None
    nowhere = {conditions.Condition("stored", "1.1.0", 1): scores(0.5, jazz_of_two=np.nan)}
    nowhere |= {conditions.Condition("stored", "1.1.0", 2): scores(0.5)}
    within, others = conditions.ranked(nowhere, PRINTED)
    assert (len(within), len(others)) == (1, 1) and np.isnan(others[0][1]), "NaN is no figure"


def test_a_batch_that_does_not_matter_is_not_called_one_that_does():
    within, others = ranked(
        {("stored", "1.1.0", n): 0.0 for n in (1, 2)} | {("today", "1.1.0", 1): 0.2}
    )
    found = authors.printed_by("CRNN50", "CRNN50", PRINTED, within, others, 0.0)
    assert found.figures["alone"] is None and told(found).sentence is None


def layers(spread, kernel):
    return File({"conv1": {"W": kernel}, "bn1": {"running_std": spread}, "output": {"W": kernel}})


def test_the_heir_tells_squares_from_the_numbers_themselves():
    rng = np.random.default_rng(3)
    spread, kernel = (
        rng.uniform(5, 50, 64).astype("f4"),
        rng.normal(size=(64, 1, 3, 3)).astype("f4"),
    )
    (row,) = authors.heir_rows(layers(spread, kernel), layers(0.9 * spread**2, kernel))
    layer, power, numbers, squares, same = row
    assert (layer, same) == ("bn1", True) and power == pytest.approx(2, abs=1e-4)
    assert squares == pytest.approx(0.9, abs=1e-4) and numbers > 5
    (row,) = authors.heir_rows(layers(spread, kernel), layers(spread, kernel + 1))
    assert row[1] == pytest.approx(1, abs=1e-4) and row[4] is False
    assert authors.heir_rows(layers(spread, kernel), None) == []


def test_without_the_table_the_question_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.delenv("PARITY_DATA", raising=False)
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path))
    with pytest.raises(CannotRun, match="set PARITY_DATA to a folder that holds it"):
        authors.ask(None)


def test_what_crnn50_is_asked():
    asked = [question.id for question in QUESTIONS.values() if question.wide]
    assert asked == ["batch", "input", "keras", "authors"]


def test_crnn50_is_asked_where_its_weights_are_at_hand(real_data):
    asked, _ = subject()
    assert [*asked.others] == ["CRNN50"] and [*asked.widened().cases][-1] == "CRNN50"
    assert subject(("CNN",))[0].others == {}
