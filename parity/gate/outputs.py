"""The gate's outcome for its readers: a terminal, JUnit, GitHub's annotations and summary, JSON."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from parity.errors import visible
from parity.gate.baseline import path_of
from parity.gate.outcome import LIMITS, Breach, Outcome
from parity.reports.junit import Case, Suite, render
from parity.reports.markdown import annotation, paragraphs, plain, table
from parity.settings import setting

LINES_MOST = 40
WIDTH = 150
WORDS = {limit: limit for limit in LIMITS} | {"identity": "identity: needs review"}
ADVICE = (
    'what was meant is approved with: parity gate accept --reason "..." [--model M] [--layer L]'
)
ELSEWHERE = (
    "nothing is approved here, where CI is set: what was meant is approved on a machine of your "
    'own, by `make parity`, then `parity gate accept --reason "..."`, and committed with '
    "fixtures/baselines"
)


def verdict_line(outcome: Outcome, data: str) -> str:
    """The first line of every output: what was judged, and the first offender."""
    told = f"parity gate ({'seeded stand-ins' if data == 'seeded' else 'real data'})"
    if outcome.passed:
        return f"{told}: holds: {', '.join(outcome.models)} as approved"
    if not outcome.findings:
        return f"{told}: nothing was compared"
    first = outcome.findings[0]
    return f"{told}: FAILS at {_told(first)} [{WORDS[first.limit]}]"


def _told(found: Breach) -> str:
    return f"{found.place}: {found.text}"


def _asides(outcome: Outcome) -> list[str]:
    """What is told besides the findings: known differences, then notes."""
    known = [
        f"known: {row['model']} / {row['layer']} {row['mode']} {row['verdict']}: {row['reason']}"
        for row in outcome.known
    ]
    return known + [f"note: {note}" for note in outcome.notes]


def terminal(outcome: Outcome, data: str) -> str:
    """At most LINES_MOST lines: verdict, findings, known differences and notes."""
    counted = Counter(found.limit for found in outcome.findings)
    totals = ", ".join(f"{counted[limit]} {limit}" for limit in LIMITS if counted[limit])
    head = [_line(verdict_line(outcome, data)), *([f"  {totals}"] if totals else [])]
    tail = _cut([_line(aside) for aside in _asides(outcome)], LINES_MOST // 4, "notes")
    tail += [ELSEWHERE if setting("CI") else ADVICE] if totals else []
    body = [_line(f"  {found.place:24} {found.limit:9} {found.text}") for found in outcome.findings]
    return "\n".join([*head, *_cut(body, LINES_MOST - len(head) - len(tail), "findings"), *tail])


def _line(text: str) -> str:
    text = visible(" ".join(text.rstrip().split("\n")))
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _cut(lines: list[str], most: int, what: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"  ... and {len(lines) - most + 1} more {what}, all in gate.json"]


def _by_model(outcome: Outcome) -> dict[str, list[Breach]]:
    """Every model that was judged, and its findings."""
    found: dict[str, list[Breach]] = {model: [] for model in outcome.models}
    for finding in outcome.findings:
        found.setdefault(finding.model, []).append(finding)
    return found


def junit(outcome: Outcome, created: str) -> str:
    """JUnit: a suite per model, a case per limit, and one where nothing was compared."""
    suites = [
        Suite(model, [_case(model, limit, findings) for limit in LIMITS], created)
        for model, findings in _by_model(outcome).items()
    ]
    if not outcome.cells:
        nothing = Case("parity.gate", "anything-compared", "nothing was compared", "error")
        suites.append(Suite("gate", [nothing], created))
    return render("parity gate", suites)


def _case(model: str, limit: str, findings: list[Breach]) -> Case:
    text = "\n".join(_told(found) for found in findings if found.limit == limit)
    return Case(f"parity.gate.{model}", limit, text, "failure" if text else "", limit)


def annotations(outcome: Outcome, folder: Path, data: str) -> list[str]:
    """GitHub's annotations, one per failing model: its first offender, at its baseline's file."""
    lines = []
    for model, (first, *others) in (
        (name, found) for name, found in _by_model(outcome).items() if found
    ):
        more = f" (and {len(others)} more)" if others else ""
        text = f"{_told(first)} [{WORDS[first.limit]}]{more}"
        lines.append(annotation(f"parity gate: {model}", text, path_of(folder, data, model)))
    return lines


def summary(outcome: Outcome, data: str) -> str:
    """Markdown for GitHub's step summary."""
    rows = [(found.place, WORDS[found.limit], found.text) for found in outcome.findings]
    more = f"… and {len(rows) - LINES_MOST} more" if len(rows) > LINES_MOST else ""
    asides = "\n".join(f"- {plain(aside)}" for aside in _asides(outcome))
    findings = table(("where", "limit", "what"), rows[:LINES_MOST])
    return paragraphs(f"### {plain(verdict_line(outcome, data))}", findings, more, asides)


def as_json(outcome: Outcome, data: str) -> str:
    """Everything the gate found."""
    found = {"format": 1, "passed": outcome.passed, "data": data, **asdict(outcome)}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
