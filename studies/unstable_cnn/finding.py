"""What an investigation says: findings with their evidence, and the conclusion drawn from them.

The hypothesis is a statement that could be wrong; the verdict says whether it holds; the claim
says what was found, so it never contradicts the verdict. A verdict is computed by a function of
what was measured, so that a test can hand it the opposite.
"""

from typing import NamedTuple

PROVED, REFUTED, UNDECIDABLE = VERDICTS = ("proved", "refuted", "not decidable")
REAL, CARRIES_OVER, NEEDS_REAL = SCOPES = (
    "measured on the real weights",
    "carries over: measured on stand-ins",
    "needs real weights",
)


class Table(NamedTuple):
    """Evidence: rows of plain values under `columns`; `note` says in a sentence how to read it.

    chart: how to draw it, or None: {"kind": "lines" or "bars", "x": a column, "y": [columns],
    "series": a column or None, "log": bool}.
    """

    id: str
    title: str
    columns: list
    rows: list
    note: str = ""
    chart: dict | None = None


class Finding(NamedTuple):
    """id: unique; claim: what was found, with its figures; verdict: of VERDICTS, on the
    hypothesis; advice: what to do; scope: of SCOPES.

    evidence: Tables; hypothesis: the statement that the verdict judges, always the same whatever
    was found.

    effect: {"what", "value", "unit"}, the one figure that says how large it is.
    sentence: what the conclusion says of it, at most 25 words with its figures; None keeps it out
    of the conclusion.
    """

    id: str
    claim: str
    verdict: str
    effect: dict
    advice: str
    scope: str
    evidence: list
    sentence: str | None = None
    hypothesis: str | None = None


def verdict(holds):
    """PROVED for True, REFUTED for False, UNDECIDABLE for None."""
    return {True: PROVED, False: REFUTED, None: UNDECIDABLE}[holds]


def scope(data, carries_over=True):
    """The scope of a finding on data "real" or "seeded"; carries_over: whether it says anything of
    the real weights where it is seeded.
    """
    if data == "real":
        return REAL
    return CARRIES_OVER if carries_over else NEEDS_REAL


def record(finding):
    """A Finding as the document holds it; a hypothesis only where there is one."""
    kept = {key: value for key, value in finding._asdict().items() if key != "hypothesis" or value}
    return {**kept, "evidence": [table._asdict() for table in finding.evidence]}
