"""Every finding of the project in its words: one golden text each, of what was found on the real
weights, and none of its verdicts without words.
"""

import json
from pathlib import Path

import pytest

from parity.studies.unstable_cnn import findings
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.questions import QUESTIONS

# {question: {finding: {holds, effect, figures, tables: with their first row, claim, advice,
# sentence}}}
GOLDEN = json.loads(Path(__file__).with_name("golden_words.json").read_text(encoding="utf-8"))
CASES = [(question, key) for question, by_key in GOLDEN.items() for key in by_key]


def tell(question, key, holds):
    golden = GOLDEN[question][key]
    tables = [Rows(*rows) for rows in golden["tables"]]
    outcome = Outcome(key, holds, golden["effect"], golden["figures"], tables)
    return findings.told(question, [outcome], "real")[0]


def test_every_finding_has_a_golden_text():
    known = [
        (question, key) for question in QUESTIONS for key in findings.words_of(question)["findings"]
    ]
    assert sorted(CASES) == sorted(known)


@pytest.mark.parametrize(("question", "key"), CASES)
def test_what_was_found_is_told_so(question, key):
    golden = GOLDEN[question][key]
    found = tell(question, key, golden["holds"])
    assert (found.claim, found.advice, found.sentence) == (
        golden["claim"],
        golden["advice"],
        golden["sentence"],
    )


@pytest.mark.parametrize("holds", [True, False, None])
@pytest.mark.parametrize(("question", "key"), CASES)
def test_any_verdict_has_words_and_every_row_its_columns(question, key, holds):
    found = tell(question, key, holds)
    assert all((found.id, found.claim, found.advice, found.hypothesis, found.effect.what))
    assert not found.sentence or len(found.sentence.split()) <= 30
    for table in found.evidence:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert not table.chart or {table.chart.x, *table.chart.y} <= set(table.columns)
