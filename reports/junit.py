"""JUnit: the one writer of it, and a run's testcase per model, layer and mode and per end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from parity.errors import visible
from parity.reports import Record, figures
from parity.reports.message import cell_message
from parity.reports.summary import (
    Cell,
    cells_of,
    data_sentence,
    final_fault,
    probed,
    verdict_sentence,
)

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class Case:
    """A testcase. fault: `failure`, `error` or `skipped`, with its word; empty where it passes."""

    classname: str
    name: str
    text: str = ""
    fault: str = ""
    word: str = ""


@dataclass(frozen=True)
class Suite:
    """A testsuite."""

    name: str
    cases: Sequence[Case]
    created: str
    seconds: float = 0.0


def render(name: str, suites: Iterable[Suite]) -> str:
    """Suites as one junit.xml; control characters are written out, as XML forbids them."""
    root = ElementTree.Element("testsuites", name=visible(name))
    root.extend([_suite(suite) for suite in suites])
    for key in ("tests", *COUNTED):
        root.set(key, str(sum(int(suite.get(key, 0)) for suite in root)))
    ElementTree.indent(root)
    return DECLARATION + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(suite: Suite) -> ElementTree.Element:
    counts = {
        key: str(sum(case.fault == tag for case in suite.cases)) for key, tag in COUNTED.items()
    }
    element = ElementTree.Element(
        "testsuite",
        {"name": visible(suite.name), "tests": str(len(suite.cases)), **counts},
        timestamp=suite.created,
        time=f"{suite.seconds:.3f}",
    )
    for case in suite.cases:
        names = {"classname": visible(case.classname), "name": visible(case.name), "time": "0"}
        made = ElementTree.SubElement(element, "testcase", names)
        text = visible(case.text, keep="\n")
        if case.fault:
            first = {"message": text.partition("\n")[0], "type": visible(case.word)}
            ElementTree.SubElement(made, case.fault, first).text = text
        elif text:
            ElementTree.SubElement(made, "system-out").text = text
    return element


def junit(document: Record) -> str:
    """A run: what does not hold is a failure, what was not compared an error, what was not probed
    skipped.
    """
    created = document["created"]
    suites = [
        Suite(
            model["name"],
            [*map(_of_cell, [*cells_of(model), *probed(model)]), _of_model(model)],
            created,
            figures.number(model.get("seconds")) or 0,
        )
        for model in document["models"]
    ]
    said = verdict_sentence(document)
    nothing = Case("parity.parity", "anything-compared", said, "error", "INCOMPLETE")
    return render(
        f"parity ({data_sentence(document)})", suites or [Suite("parity", [nothing], created)]
    )


def _of_cell(cell: Cell) -> Case:
    model, layer = cell.model["name"], cell.layer["name"]
    fault = {"NOT COMPARED": "error", "NOT PROBED": "skipped"}.get(cell.verdict, "failure")
    return Case(
        f"parity.{model}",
        f"{model}-{layer}-{cell.mode}",
        cell_message(*cell),
        "" if cell.holds else fault,
        cell.verdict,
    )


def _of_model(model: Record) -> Case:
    """The model's own verdict: its scores or its oracle can fail where every layer holds."""
    name, verdict = model["name"], model["verdict"]
    ids = (f"parity.{name}", f"{name}-end-to-end")
    if verdict == "HOLDS":
        return Case(*ids)
    why = final_fault(model) or f"first divergence {model['first_divergence'] or 'unknown'}"
    fault = "error" if verdict == "INCOMPLETE" else "failure"
    return Case(*ids, visible(f"{name} (end to end): {verdict}; {why}"), fault, verdict)
