"""investigation.json: its conclusion says what was found and no more, and a document that says
more is refused.
"""

import ast
import copy
import json
from pathlib import Path

import pytest

from parity.document import to_json
from parity.reports import investigation
from parity.reports.document import ReportError
from parity.studies import unstable_cnn as investigate
from parity.studies.unstable_cnn.document import MOST_WORDS, conclusion, document
from parity.studies.unstable_cnn.finding import (
    CARRIES_OVER,
    NEEDS_REAL,
    REAL,
    Finding,
    Table,
    record,
    scope,
    verdict,
)

TABLE = Table(
    "numbers",
    "Numbers",
    ["layer", "share"],
    [["bn1", 0.25], ["bn2", float("nan")]],
    "Shares.",
    {"kind": "lines", "x": "layer", "y": ["share"], "series": None, "log": True},
)


def finding(name="one", sentence="It moves by 3.", of=REAL):
    return record(
        Finding(
            name,
            "It moves by 3.",
            "proved",
            {"what": "move", "value": 3.0, "unit": "u"},
            "Nothing.",
            of,
            [TABLE],
            sentence,
        )
    )


def question(*findings, name="batch", message=None):
    return {
        "id": name,
        "question": "Does it move?",
        "message": message,
        "stack": {"CNN0": "Keras 1.0.6"},
        "optimizer": "fast_run",
        "optimizer_noise": {
            "CNN0": {"max_abs": 1e-7, "logits_max_abs": 1e-6, "ratio": 0.1, "holds": True}
        },
        "findings": list(findings),
    }


def whole(*questions):
    """A document as it is read back from its file."""
    made = document(
        list(questions),
        data="real",
        environment={},
        command="parity investigate",
        seconds=1.0,
        clips=["a"],
        left_out=[{"clip": "b.npy", "message": "b.npy: the file is empty"}],
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
    assert said == [{"text": "A is 1.", "finding": "a"}, {"text": "B is 2.", "finding": "b"}]


def test_the_causes_come_first_whatever_question_they_belong_to():
    told = conclusion(
        [
            question(finding("keras-CNN"), finding("batch-CNN0")),
            question(finding("input-CNN0"), finding("input-CNN")),
        ]
    )
    assert [sentence["finding"] for sentence in told] == [
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
    assert [sentence["finding"] for sentence in said] == ["a", "c", "d"]
    assert (
        sum(len(sentence["text"].split()) for sentence in said)
        <= MOST_WORDS
        == investigation.MOST_WORDS
    )


def test_stand_ins_are_named_and_what_needs_real_weights_says_nothing():
    said = conclusion(
        [question(finding("a", "A is 1.", CARRIES_OVER), finding("b", "B is 2.", NEEDS_REAL))]
    )
    assert said == [{"text": "A is 1 (on stand-ins).", "finding": "a"}]
    assert record(Finding("a", "A.", "proved", {}, "", REAL, [])).keys() == finding().keys()
    assert (
        record(Finding("a", "A.", "proved", {}, "", REAL, [], hypothesis="A is so"))["hypothesis"]
        == "A is so"
    )
    assert [scope("real"), scope("real", False), scope("seeded"), scope("seeded", False)] == [
        REAL,
        REAL,
        CARRIES_OVER,
        NEEDS_REAL,
    ]


def test_every_finding_of_the_project_says_what_its_verdict_judges():
    calls = [
        (path.name, node)
        for path in Path(investigate.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"
    ]
    assert len(calls) > 15
    without = [
        f"{name}:{node.lineno}"
        for name, node in calls
        if len(node.args) < len(Finding._fields)
        and "hypothesis" not in [keyword.arg for keyword in node.keywords]
    ]
    assert without == []


def test_verdicts_are_three():
    assert [verdict(holds) for holds in (True, False, None)] == [
        "proved",
        "refuted",
        "not decidable",
    ]


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
