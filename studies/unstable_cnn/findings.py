"""What an investigation says: the outcomes of an experiment, put into words by templates.

`words/<question>.toml` holds the words of a question, every text a Jinja template over the figures
of an outcome. `[findings.<key>]` has `id`, `hypothesis`, `effect`, `unit`, `claim`, `advice` and
`sentence`: what the conclusion says, at most 25 words with its figures; without one the finding
stays out of it. `bears` says which list it belongs to, by default `cause`, refuted `not the cause`.
`[findings.<key>.<verdict>]` overrides any of them; the verdicts are `proved`, `refuted` and `open`.
`[tables.<key>]` has `id`, `title`, `columns`, `note` and `chart`; a column "*" stands for those
that the experiment names. `like` names a key whose words hold where there are no others. The
hypothesis could be wrong, the verdict says whether it holds, and the claim says what was found, so
that it never contradicts the verdict.
"""

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import jinja2

from parity.results import Figure, Text
from parity.schema import Later, Says
from parity.studies.unstable_cnn.outcome import Outcome, Rows

Verdict = Literal["proved", "refuted", "not decidable"]
Bearing = Literal["cause", "remedy", "not the cause"]
Scope = Literal[
    "measured on the real weights", "carries over: measured on stand-ins", "needs real weights"
]
PROVED, REFUTED, UNDECIDABLE = get_args(Verdict)
CAUSE, REMEDY, NOT_THE_CAUSE = get_args(Bearing)
REAL, CARRIES_OVER, NEEDS_REAL = get_args(Scope)
VERDICT_OF: dict[bool | None, Verdict] = {True: PROVED, False: REFUTED, None: UNDECIDABLE}
WORDS = Path(__file__).with_name("words")
Value = Annotated[Any, Says(type=["string", "number", "boolean", "null"])]
_WORDS_OF = {True: "proved", False: "refuted", None: "open"}


@dataclass
class Chart:
    """How a table is drawn: the columns on either axis, a line or bar for each of `series`."""

    kind: Literal["lines", "bars"]
    x: Text
    y: Annotated[list[Text], Says(minItems=1)]
    series: Text | None
    log: bool


@dataclass
class Table:
    """Evidence."""

    id: Text
    title: Text
    columns: Annotated[list[Text], Says(minItems=1, uniqueItems=True)]
    rows: list[list[Value]]
    note: str
    chart: Chart | None


@dataclass
class Effect:
    """The one figure that says how large it is."""

    what: Text
    value: Figure
    unit: str


@dataclass
class Finding:
    """What was found; verdict: on the hypothesis; sentence: what the conclusion may say of it;
    bears: what it is to the question why the results look unstable.
    """

    id: Text
    claim: Text
    verdict: Verdict
    effect: Effect
    advice: Text
    scope: Scope
    evidence: list[Table]
    sentence: Text | None
    hypothesis: Later[Text]
    bears: Later[Bearing]


@functools.cache
def words_of(question: str) -> dict:
    """The words of a question, {"findings": ..., "tables": ...}."""
    return tomllib.loads((WORDS / f"{question}.toml").read_text(encoding="utf-8"))


def told(question: str, outcomes: Iterable[Outcome], data: str) -> list[Finding]:
    """[Finding] of Outcomes in the words of a question; data: "real" or "seeded"."""
    return [_finding(words_of(question), outcome, data) for outcome in outcomes]


def _finding(words: dict, outcome: Outcome, data: str) -> Finding:
    spec = _spec(words["findings"], outcome.finding, _WORDS_OF[outcome.holds])
    on_stand_ins = CARRIES_OVER if spec.get("carries_over", True) else NEEDS_REAL
    said = {"words": spec, "effect": outcome.effect, "holds": outcome.holds}
    figures = {**outcome.figures, **said}
    return Finding(
        id=fill(spec["id"], figures),
        claim=fill(spec["claim"], figures),
        verdict=VERDICT_OF[outcome.holds],
        effect=Effect(
            fill(spec["effect"], figures), outcome.effect, fill(spec.get("unit", ""), figures)
        ),
        advice=fill(spec["advice"], figures),
        scope=spec.get("scope") or (REAL if data == "real" else on_stand_ins),
        evidence=[
            _table(_spec(words["tables"], rows.table), rows, figures) for rows in outcome.tables
        ],
        sentence=fill(spec.get("sentence", ""), figures) or None,
        hypothesis=fill(spec["hypothesis"], figures),
        bears=spec.get("bears", NOT_THE_CAUSE if outcome.holds is False else CAUSE),
    )


def _spec(specs: dict, key: str, verdict: str | None = None) -> dict:
    """The words under a key and a verdict, upon those that they are `like`."""
    spec = specs[key]
    known = _spec(specs, spec["like"], verdict) if "like" in spec else {}
    return {**known, **spec, **spec.get(verdict, {})}


def _table(spec: dict, rows: Rows, figures: dict) -> Table:
    figures = {**figures, **rows.figures}

    def columns(names: list[str]) -> list[str]:
        return [
            fill(each, figures)
            for name in names
            for each in (rows.columns if name == "*" else [name])
        ]

    chart = spec.get("chart")
    return Table(
        fill(spec["id"], figures),
        fill(spec["title"], figures),
        columns(spec["columns"]),
        [list(row) for row in rows.rows],
        fill(spec["note"], figures),
        Chart(**{"series": None, **chart, "y": columns(chart["y"])}) if chart else None,
    )


def fill(template: str, figures: dict) -> str:
    """The text of a template, on one line."""
    text = " ".join(_compiled(template).render(figures).split())
    return re.sub(r" (?=[.,;:)]( |$))", "", text)


_JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
_JINJA.filters["f"] = format
_JINJA.filters["together"] = lambda names: re.sub(", (?=[^,]*$)", " and ", ", ".join(names))
_JINJA.filters["either"] = lambda names: re.sub(", (?=[^,]*$)", " or ", ", ".join(names))
_compiled = functools.cache(_JINJA.from_string)
