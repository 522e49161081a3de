"""The gate's outcome for whoever reads it: a terminal, JUnit, GitHub's annotations and step
summary, a JSON file.
"""

import json
from collections import Counter
from dataclasses import asdict
from xml.etree import ElementTree

from parity.gate.baseline import path_of
from parity.gate.outcome import LIMITS

LINES_MOST = 40
WIDTH = 150
WORDS = {
    "baseline": "baseline",
    "identity": "identity: needs review",
    "budget": "budget",
    "ratchet": "ratchet",
}
ADVICE = (
    'what was meant is approved with: parity gate accept --reason "..." [--model M] [--layer L]',
)


def verdict_line(outcome, data):
    """The first line of every surface: what was judged, and the first offender."""
    told = f"parity gate ({'seeded stand-ins' if data == 'seeded' else 'real data'}): "
    if outcome.passed:
        return f"{told}holds: {', '.join(outcome.models)} as approved"
    if not outcome.findings:
        return f"{told}nothing was compared"
    first = outcome.findings[0]
    return f"{told}FAILS at {first.place}: {first.text} [{WORDS[first.limit]}]"


def terminal(outcome, data):
    """At most LINES_MOST lines: the verdict and first offender, every finding, known differences
    and notes.
    """
    tail = [
        _line(
            f"known: {row['model']} / {row['layer']} {row['mode']} {row['verdict']}: "
            f"{row['reason']}"
        )
        for row in outcome.known
    ]
    tail += [_line(f"note: {note}") for note in outcome.notes]
    tail = _cut(tail, LINES_MOST // 4, "notes")
    body = [_line(f"  {found.place:24} {found.limit:9} {found.text}") for found in outcome.findings]
    counted = Counter(found.limit for found in outcome.findings)
    head = [_line(verdict_line(outcome, data))]
    if outcome.findings:
        head.append(
            "  " + ", ".join(f"{counted[limit]} {limit}" for limit in LIMITS if counted[limit])
        )
        tail += ADVICE
    return "\n".join([*head, *_cut(body, LINES_MOST - len(head) - len(tail), "findings"), *tail])


def _line(text):
    text = _visible(" ".join(text.rstrip().split("\n")))
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _cut(lines, most, what):
    return (
        lines
        if len(lines) <= most
        else [
            *lines[: most - 1],
            f"  ... and {len(lines) - most + 1} more {what}, all in gate.json",
        ]
    )


def junit(outcome, created):
    """JUnit: a suite per model, a case per limit, and one for whether anything was compared."""
    suites = ElementTree.Element("testsuites", name="parity gate")
    for model in dict.fromkeys([*outcome.models, *(found.model for found in outcome.findings)]):
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=_visible(model),
            timestamp=created,
            tests=str(len(LIMITS)),
            errors="0",
            skipped="0",
            failures=str(len({f.limit for f in outcome.findings if f.model == model})),
        )
        for limit in LIMITS:
            _case(
                suite,
                model,
                limit,
                [
                    found
                    for found in outcome.findings
                    if (found.model, found.limit) == (model, limit)
                ],
            )
    if not outcome.cells:
        suite = ElementTree.SubElement(
            suites, "testsuite", name="gate", tests="1", errors="1", failures="0", skipped="0"
        )
        case = ElementTree.SubElement(
            suite, "testcase", classname="parity.gate", name="anything-compared", time="0"
        )
        ElementTree.SubElement(case, "error", message="nothing was compared")
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + ElementTree.tostring(suites, encoding="unicode")
        + "\n"
    )


def _case(suite, model, limit, findings):
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"parity.gate.{_visible(model)}", name=limit, time="0"
    )
    if findings:
        failure = ElementTree.SubElement(
            case,
            "failure",
            type=limit,
            message=_visible(f"{findings[0].place}: {findings[0].text}"),
        )
        failure.text = "\n".join(_visible(f"{found.place}: {found.text}") for found in findings)


def annotations(outcome, folder, data):
    """GitHub workflow commands, one per failing model: its first offender, at its baseline's
    file.
    """
    lines = []
    for model in dict.fromkeys(found.model for found in outcome.findings):
        mine = [found for found in outcome.findings if found.model == model]
        more = f" (and {len(mine) - 1} more)" if len(mine) > 1 else ""
        where = _property(path_of(folder, data, model))
        text = f"{mine[0].place}: {mine[0].text} [{WORDS[mine[0].limit]}]{more}"
        lines.append(
            f"::error file={where},title={_property(f'parity gate: {model}')}::{_escaped(text)}"
        )
    return lines


def _escaped(text):
    return str(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text):
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def summary(outcome, data):
    """Markdown for GitHub's step summary."""
    lines = [f"### {_markdown(verdict_line(outcome, data))}", ""]
    if outcome.findings:
        lines += ["| where | limit | what |", "|---|---|---|"]
        lines += [
            f"| {_markdown(found.place)} | {WORDS[found.limit]} | {_markdown(found.text)} |"
            for found in outcome.findings[:LINES_MOST]
        ]
        lines += [f"\n… and {len(outcome.findings) - LINES_MOST} more"] * (
            len(outcome.findings) > LINES_MOST
        )
    for row in outcome.known:
        where = " / ".join(_markdown(row[key]) for key in ("model", "layer"))
        lines.append(f"- known: {where} {row['mode']} {row['verdict']}: {_markdown(row['reason'])}")
    lines += [f"- note: {_markdown(note)}" for note in outcome.notes]
    return "\n".join(lines) + "\n"


def as_json(outcome, data):
    """Everything the gate found, as text."""
    return (
        json.dumps(
            {
                "format": 1,
                "passed": outcome.passed,
                "data": data,
                "models": outcome.models,
                "cells": outcome.cells,
                "findings": [asdict(found) for found in outcome.findings],
                "known": outcome.known,
                "notes": outcome.notes,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def _markdown(text):
    safe = _visible(str(text)).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "|`*_[]\\" else sign for sign in safe)


def _visible(text):
    """Control characters, direction marks and lone surrogates as what they are: a layer's name may
    hold anything.
    """
    return "".join(
        sign if sign.isprintable() or sign in "\n" else f"\\u{ord(sign):04x}" for sign in str(text)
    )
