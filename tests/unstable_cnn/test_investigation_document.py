"""investigation.json: its conclusion says what was found and no more, and a document that says
more is refused.
"""

import copy
import json

import pytest

from parity.document import to_json
from parity.reports import investigation
from parity.reports.document import ReportError
from parity.studies.unstable_cnn import findings
from parity.studies.unstable_cnn.document import (
    MOST_WORDS,
    Answer,
    LeftOut,
    Noise,
    Sentence,
    conclusion,
    document,
)
from parity.studies.unstable_cnn.findings import (
    CARRIES_OVER,
    NEEDS_REAL,
    REAL,
    Chart,
    Effect,
    Finding,
    Table,
    told,
)
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.questions import QUESTIONS

TABLE = Table(
    "numbers",
    "Numbers",
    ["layer", "share"],
    [["bn1", 0.25], ["bn2", float("nan")]],
    "Shares.",
    Chart("lines", "layer", ["share"], None, True),
)


def finding(name="one", sentence="It moves by 3.", of=REAL):
    return Finding(
        name,
        "It moves by 3.",
        "proved",
        Effect("move", 3.0, "u"),
        "Nothing.",
        of,
        [TABLE],
        sentence,
        "It moves",
        "cause",
    )


def question(*findings, name="batch", message=None):
    return Answer(
        name,
        "Does it move?",
        message,
        "fast_run",
        {"CNN0": "Keras 1.0.6"},
        {"CNN0": Noise(1e-7, 1e-6, 0.1, True)},
        list(findings),
    )


def whole(*questions):
    """A document as it is read back from its file."""
    made = document(
        list(questions),
        data="real",
        environment={},
        command="parity investigate",
        seconds=1.0,
        clips=["a"],
        left_out=[LeftOut("b.npy", "b.npy: the file is empty")],
    )
    return json.loads(to_json(made))


def test_a_whole_document_is_valid_and_its_bytes_are_the_same_again(monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    made = whole(question(finding()), question(name="input", message="there are no clips"))
    assert made == whole(question(finding()), question(name="input", message="there are no clips"))
    assert made["created"] == "2020-09-13T12:26:40Z"
    (tmp_path / "investigation.json").write_text(json.dumps(made))
    read = investigation.read(tmp_path / "investigation.json")
    assert read["questions"][0]["findings"][0]["evidence"][0]["rows"][1] == ["bn2", "nan"]
    shown = investigation.text(read)
    assert (
        shown.startswith("It moves by 3.")
        and "not answered: there are no clips" in shown
        and "b.npy: the file is empty" in shown
    )


def test_every_sentence_of_the_conclusion_belongs_to_a_finding():
    said = conclusion(
        [
            question(finding("a", "A is 1."), finding("quiet", None)),
            question(finding("b", "B is 2.")),
        ]
    )
    assert said == [Sentence("A is 1.", "a"), Sentence("B is 2.", "b")]


def test_the_causes_come_first_whatever_question_they_belong_to():
    told = conclusion(
        [
            question(finding("keras-CNN"), finding("batch-CNN0")),
            question(finding("input-CNN0"), finding("input-CNN")),
        ]
    )
    assert [sentence.finding for sentence in told] == [
        "input-CNN",
        "batch-CNN0",
        "keras-CNN",
        "input-CNN0",
    ]


def test_what_turns_over_says_nothing_or_something_else():
    assert conclusion([question(finding("input-CNN", None))]) == []


def test_two_hundred_words_at_most_and_every_question_before_any_second_sentence():
    long = " ".join(["word"] * 79) + " 1."
    said = conclusion(
        [
            question(finding("a", long), finding("b", long)),
            question(finding("c", long), finding("d", "D is 4.")),
        ]
    )
    assert [sentence.finding for sentence in said] == ["a", "c", "d"]
    assert (
        sum(len(sentence.text.split()) for sentence in said)
        <= MOST_WORDS
        == investigation.MOST_WORDS
    )


def test_stand_ins_are_named_and_what_needs_real_weights_says_nothing():
    said = conclusion(
        [question(finding("a", "A is 1.", CARRIES_OVER), finding("b", "B is 2.", NEEDS_REAL))]
    )
    assert said == [Sentence("A is 1 (on stand-ins).", "a")]


WORDS = {
    "findings": {
        "share": {
            "id": "share-{{ model }}",
            "hypothesis": "{{ words.what }} of {{ model }} moves",
            "what": "a share",
            "effect": "largest share",
            "unit": "of {{ count }}",
            "claim": "It {{ 'moves' if holds else 'stays' }} ( {{ effect|f('.2g') }} ) .",
            "advice": "Nothing.",
            "sentence": "{{ 'It moves.' if holds }}",
            "refuted": {"advice": "Look elsewhere."},
            "open": {"claim": "Nobody knows."},
        },
        "other": {"like": "share", "what": "another share", "carries_over": False},
        "fixed": {"like": "other", "scope": REAL, "refuted": {"claim": "No."}},
    },
    "tables": {
        "rows": {
            "id": "rows-{{ model }}",
            "title": "{{ name }} of {{ model }}",
            "columns": ["layer", "*", "of {{ count }}"],
            "note": "",
            "chart": {"kind": "bars", "x": "layer", "y": ["*"], "log": True},
        }
    },
}


@pytest.fixture
def tell(monkeypatch):
    """tell(key, holds, data): the Finding of an Outcome in WORDS."""
    monkeypatch.setattr(findings, "words_of", lambda question: WORDS)
    rows = Rows("rows", [("bn1", 1, 2, 3)], ["a", "b"], {"name": "Rows"})

    def of(key, holds=True, data="real"):
        figures = {"model": "CNN", "count": 4}
        return told("weather", [Outcome(key, holds, 0.125, figures, [rows])], data)[0]

    return of


def test_an_outcome_is_told_in_the_words_of_its_verdict(tell):
    proved, refuted, unknown = (tell("share", holds) for holds in (True, False, None))
    assert [each.verdict for each in (proved, refuted, unknown)] == [
        "proved",
        "refuted",
        "not decidable",
    ]
    assert proved.id == "share-CNN" and proved.hypothesis == "a share of CNN moves"
    assert proved.effect == Effect("largest share", 0.125, "of 4")
    assert [each.claim for each in (proved, refuted, unknown)] == [
        "It moves ( 0.12).",
        "It stays ( 0.12).",
        "Nobody knows.",
    ]
    assert [each.advice for each in (proved, refuted)] == ["Nothing.", "Look elsewhere."]
    assert [each.sentence for each in (proved, refuted)] == ["It moves.", None]


def test_words_that_are_like_others_differ_only_in_what_they_say_themselves(tell):
    assert tell("other").hypothesis == "another share of CNN moves"
    assert (tell("fixed", False).claim, tell("fixed", False).advice) == ("No.", "Look elsewhere.")


@pytest.mark.parametrize(
    ("key", "real", "stand_ins"),
    [("share", REAL, CARRIES_OVER), ("other", REAL, NEEDS_REAL), ("fixed", REAL, REAL)],
)
def test_what_stand_ins_say_of_the_real_weights(tell, key, real, stand_ins):
    assert [tell(key, data=data).scope for data in ("real", "seeded")] == [real, stand_ins]


def test_a_tables_open_columns_are_the_experiments(tell):
    (table,) = tell("share").evidence
    assert table.title == "Rows of CNN"
    assert table.columns == ["layer", "a", "b", "of 4"] and table.rows == [["bn1", 1, 2, 3]]
    assert table.chart == Chart("bars", "layer", ["a", "b"], None, True)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_template_of_the_project_compiles(question):
    def compiled(words):
        for value in words.values() if isinstance(words, dict) else words:
            if isinstance(value, str):
                findings._compiled(value)
            elif isinstance(value, (dict, list)):
                compiled(value)

    compiled(findings.words_of(question))


BROKEN = {
    "another format": lambda made: made.update(format=2),
    "a verdict of its own": lambda made: made["questions"][0]["findings"][0].update(
        verdict="likely"
    ),
    "a scope of its own": lambda made: made["questions"][0]["findings"][0].update(
        scope="everywhere"
    ),
    "no effect": lambda made: made["questions"][0]["findings"][0].pop("effect"),
    "a conclusion without its finding": lambda made: made["conclusion"][0].update(finding="none"),
    "too many words": lambda made: made["conclusion"][0].update(text="word " * 201),
    "a finding twice": lambda made: made["questions"].append(made["questions"][0]),
    "a short row": lambda made: made["questions"][0]["findings"][0]["evidence"][0]["rows"].append(
        ["bn3"]
    ),
    "a chart of no column": lambda made: made["questions"][0]["findings"][0]["evidence"][0][
        "chart"
    ].update(y=["rho"]),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_document_that_is_not_one_is_refused(fault):
    made = whole(question(finding()))
    investigation.validate(copy.deepcopy(made))
    BROKEN[fault](made)
    with pytest.raises(ReportError, match="write it again"):
        investigation.validate(made)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_a_file_that_is_not_one_is_refused(tmp_path, content):
    path = tmp_path / "investigation.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReportError, match=r"investigation\.json.*make investigate"):
        investigation.read(path)
