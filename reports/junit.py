"""junit.xml: one testcase per model, layer and mode, and one per model for its whole verdict."""

from xml.etree import ElementTree

from parity.reports import figures
from parity.reports.ends import final_fault
from parity.reports.figures import visible
from parity.reports.message import cell_message
from parity.reports.summary import cells_of, data_sentence, verdict_sentence

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
FAULTS = (("failures", "failure"), ("errors", "error"))


def junit(document):
    """junit.xml as text. What does not hold is a failure, what was not compared an error; an empty
    run is an error too.
    """
    root = ElementTree.Element("testsuites", name=f"parity ({data_sentence(document)})")
    for model in document["models"]:
        root.append(_suite(document, model))
    if not document["models"]:
        root.append(_empty(document))
    suites = list(root)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key)) for suite in suites)))
    ElementTree.indent(root)
    return DECLARATION + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(document, model):
    cases = [_cell_case(cell) for cell in cells_of(model)] + [_model_case(model)]
    return _counted(model["name"], cases, document, model.get("seconds"))


def _empty(document):
    case = _case("parity", "anything-compared")
    _fault(case, "error", "INCOMPLETE", verdict_sentence(document))
    return _counted("parity", [case], document, None)


def _counted(name, cases, document, seconds):
    faults = {kind: str(sum(case.find(tag) is not None for case in cases)) for kind, tag in FAULTS}
    suite = ElementTree.Element(
        "testsuite",
        name=visible(name),
        tests=str(len(cases)),
        skipped="0",
        timestamp=document["created"],
        time=f"{figures.number(seconds) or 0:.3f}",
        **faults,
    )
    suite.extend(cases)
    return suite


def _case(model, name):
    return ElementTree.Element(
        "testcase", classname=f"parity.{visible(model)}", name=visible(name), time="0"
    )


def _cell_case(cell):
    case = _case(cell.model["name"], f"{cell.model['name']}-{cell.layer['name']}-{cell.mode}")
    block = cell_message(*cell)
    if cell.holds:
        ElementTree.SubElement(case, "system-out").text = block
    else:
        _fault(case, "error" if cell.verdict == "NOT COMPARED" else "failure", cell.verdict, block)
    return case


def _model_case(model):
    """The model's own verdict: it can fail where every layer holds, by its final scores or its
    oracle.
    """
    case = _case(model["name"], f"{model['name']}-end-to-end")
    if model["verdict"] != "HOLDS":
        kind = "error" if model["verdict"] == "INCOMPLETE" else "failure"
        why = final_fault(model) or f"first divergence {model['first_divergence'] or 'unknown'}"
        _fault(
            case,
            kind,
            model["verdict"],
            visible(f"{model['name']} (end to end): {model['verdict']}; {why}"),
        )
    return case


def _fault(case, kind, word, block):
    fault = ElementTree.SubElement(case, kind, message=block.partition("\n")[0], type=visible(word))
    fault.text = block
