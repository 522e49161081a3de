"""One case, layer by layer: walks the port along the recorded original and judges every cell.

Every record is born failed: a cell says NOT COMPARED until figures replace it, so that nothing
missing can look green.
"""

from contextlib import ExitStack

import numpy as np

from parity import diagnose as hypotheses
from parity.attribution.explain import Explanation
from parity.compare import verdict
from parity.compare.evidence import Evidence
from parity.compare.measure import compare_layer
from parity.compare.tally import Pair
from parity.compare.walk import network_order, walk
from parity.kinds import kind_of, layer_case, witness
from parity.numerics.rounding import BLOCK
from parity.recording.trace import open_trace
from parity.studies.microscope import examining

# of a tensor's largest magnitude: float64 against float64, so only a formula can differ more
TRUTH_AGREEMENT = 1e-12
ISOLATED = (
    "rho_port",
    "rho_reference",
    "q_port",
    "q_reference",
    "rho_det",
    "max_abs",
    "rms",
    "worst_index",
    "worst_actual",
    "worst_expected",
    "worst_allowed",
    "bitwise_equal",
    "bitwise_share",
    "beyond",
    "beyond_share",
    "effective_bits",
    "structure",
    "support",
    "message",
)
CHAINED = (
    "rho_local",
    "max_abs",
    "rms",
    "inherited",
    "local",
    "amplification",
    "share",
    "energy",
    "noise_max_abs",
    "noise_rms",
    "message",
)


def born_failed(name, kind="unknown", why="the run never reached this layer"):
    """A layer's record before anything was compared."""

    def cell(keys):
        return {"verdict": verdict.NOT_COMPARED, **dict.fromkeys(keys), "message": why}

    return {
        "name": name,
        "kind": kind,
        "shape": [],
        "dtype": "",
        "isolated": cell(ISOLATED),
        "chained": cell(CHAINED),
        "cause": None,
        "original_cause": None,
        "undecidable": None,
        "form": None,
        "evidence": None,
        "closer": None,
        "closeness_bits": None,
    }


def compare_case(case, lanes, port, *, layers=None, explain=True):
    """Compare every declared layer of `case` and return what a model's record is made of.

    lanes : paths of the traces `reference`, `truth` and `noise`.
    port : a port_api.Port.
    layers : names to judge (the chain always runs whole); None means all.
    explain : attribute the final drift to the layers, find what rounding may do to the tags, and
    the original's own noise at every layer; attribution needs all of them.
    Returns {layers, first_divergence, oracle_truth, final, scores, attribution, logits,
    microscope}, the last three None without explanation.
    Raises CannotRun for an unreadable trace or weight file.
    """
    with ExitStack() as opened:
        traces = {lane: opened.enter_context(open_trace(path)) for lane, path in lanes.items()}
        reference = traces["reference"]
        params, keras = case.weights.params, reference.provenance["keras"]
        records = {name: born_failed(name) for name in _all_names(case, reference, port)}
        oracle_truth, upstream, kept = {"layer": None, "ratio": 0.0}, None, {}
        explanation = (
            Explanation(reference, params, keras, port) if explain and layers is None else None
        )
        for step in walk(reference, port):
            name = step.layer.name
            if layers is None or name in layers:
                own = params.get(name, {})
                upstream = _judge(
                    records[name],
                    step,
                    own,
                    keras,
                    upstream,
                    explanation,
                    Evidence() if explain else None,
                )
                if explain:
                    _add_noise(records[name]["chained"], step.expected, traces["noise"].read(name))
                given = _recall(traces["truth"], step.layer.inbound[0], kept)
                _check_oracle(
                    oracle_truth,
                    witness(step.layer, own, given, keras),
                    name,
                    _recall(traces["truth"], name, kept),
                )
        _flag_strangers(records, case, reference, port)
        explained = {
            **_attribute(records, explanation),
            "microscope": examining.quick(reference, params, port) if explain else None,
        }
        final = _final(step, traces, (explained["attribution"] or {}).get("ends"))
    chosen = [record for name, record in records.items() if layers is None or name in layers]
    scores = (
        None
        if step.chained.actual is None
        else {"expected": step.expected, "actual": step.chained.actual}
    )
    return {
        "layers": chosen,
        "first_divergence": first_divergence(chosen),
        "oracle_truth": oracle_truth,
        "final": final,
        "scores": scores,
        **explained,
    }


def first_divergence(records):
    """The first layer, in network order, which does not hold by its own fault; None where all
    do.
    """
    cells = (
        (record["name"], record[mode]["verdict"])
        for record in records
        for mode in ("isolated", "chained")
    )
    return next(
        (name for name, word in cells if word not in verdict.HOLDS and word != verdict.INHERITED),
        None,
    )


def _all_names(case, reference, port):
    """Declared layers first, then what only the original or only the port has: nobody is
    skipped.
    """
    return dict.fromkeys([*case.model.layers, *network_order(reference), *port.layers])


def _judge(record, step, params, keras, upstream, explanation, evidence):
    """Fill a record; returns the first layer upstream, this one included, whose chained output is
    at fault.
    """
    layer = step.layer
    record.update(kind=layer.kind, shape=list(layer.shape), dtype=str(layer.dtype))
    carrier = explanation and explanation.carrier(step)
    isolated, chained = compare_layer(
        layer,
        params,
        keras,
        input_reference=step.x,
        expected=step.expected,
        actual_isolated=step.isolated.actual,
        input_chained=step.chained.x,
        actual_chained=step.chained.actual,
        observe=carrier and carrier.observe,
        evidence=evidence,
    )
    closer = isolated.pop("closeness", {"closer": None, "bits": None, "interval": None})
    record.update(
        closer=closer["closer"],
        closeness_bits=closer["bits"],
        closeness_interval=closer["interval"],
    )
    record["evidence"] = evidence and evidence.record()
    _fill(record["isolated"], isolated, step.isolated, None)
    _fill(record["chained"], chained, step.chained, upstream)
    _name_cause(record, step, params, keras, explanation is not None)
    if explanation:
        explanation.follow(
            step,
            carrier,
            isolated["q_port"] if record["isolated"]["verdict"] == verdict.EXCESS else 1.0,
        )
    return upstream or (None if verdict.holds(record["chained"]["verdict"]) else layer.name)


def _name_cause(record, step, params, keras, explain):
    """Test the hypotheses about a layer that does not hold, or whose original is not explained; of
    one that holds, list what it could not have shown.
    """
    facts = {"given": step.x, "expected": step.expected}
    if step.isolated.actual is None:
        found = hypotheses.cause(step.layer, params, keras, **facts, actual=step.isolated.fault)
        record["cause"] = found if found["hypothesis"] else None
        return
    if kind_of(step.layer).inspect:
        record["form"] = _forms(step, params, keras)
    ask = next(
        ask for ask, applies in NAMING.items() if applies(record["isolated"]["verdict"], explain)
    )
    if ask:
        ask(record, step.layer, params, keras, {**facts, "actual": step.isolated.actual})


def _name_the_originals(record, layer, params, keras, facts):
    """Why the original itself is not what its oracle says: without that, nothing can be said of
    the port.
    """
    found = record["original_cause"] = hypotheses.cause(
        layer, params, keras, **{**facts, "actual": facts["expected"]}
    )
    if found["hypothesis"]:
        record["isolated"]["message"] = (
            f"the original's own output is explained by: {found['hypothesis']}"
        )


def _list_undecidable(record, layer, params, keras, facts):
    record["undecidable"] = hypotheses.undecidable(layer, params, keras, **facts)["undecidable"]


def _name_the_ports(record, layer, params, keras, facts):
    cell = record["isolated"]
    u_in = cell["u_in"] if cell["verdict"] == verdict.EXCESS else None
    record["cause"] = hypotheses.cause(layer, params, keras, **facts, u_in=u_in)
    for mode in ("isolated", "chained"):
        if record[mode]["verdict"] in (verdict.FORMULA, verdict.GROSS):
            record[mode]["verdict"] = hypotheses.verdict_of(
                record[mode]["verdict"], record["cause"]
            )


# what is asked of a compared layer -> whether it is, by its verdict and whether the run explains;
# the first that applies
NAMING = {
    _name_the_originals: lambda word, explain: word == verdict.SUSPECT,
    _list_undecidable: lambda word, explain: verdict.holds(word) and explain,
    None: lambda word, explain: verdict.holds(word),
    _name_the_ports: lambda word, explain: True,
}


def _forms(step, params, keras):
    """Which form of the layer's formula each side ran, {port, original}: see hypotheses.form."""
    case = layer_case(step.layer, params, step.x, keras)
    return {
        side: hypotheses.form(case, np.asarray(values))
        for side, values in (("port", step.isolated.actual), ("original", step.expected))
    }


def _attribute(records, explanation):
    """Put each layer's share of the final drift into its record; returns what a model's record
    says of attribution and logits.
    """
    if explanation is None:
        return {"attribution": None, "logits": None}
    found = explanation.findings()
    parts = found["attribution"] or {"layers": {}, "drift": None, "closure": None}
    for name, part in parts["layers"].items():
        records[name]["chained"].update(share=part["share"], energy=part["energy"])
    whole = {
        "space": found["space"],
        "message": found["message"],
        "drift": parts["drift"],
        "closure": parts["closure"],
        "ends": found["ends"],
    }
    return {"attribution": whole, "logits": found["logits"]}


def _fill(cell, measures, side, upstream):
    """Replace a cell's born failure by its figures and verdict, or say why the port gave
    nothing.
    """
    if side.actual is None:
        cell["message"] = side.fault
        return
    cell.update(
        measures,
        verdict=verdict.judge(measures, upstream_holds=upstream is None),
        message=measures["fault"] or None,
    )
    if "rho_local" in cell:
        cell["rho_local"] = measures["rho_port"]
    if cell["verdict"] == verdict.INHERITED:
        cell["message"] = f"its input differs since {upstream}"


def _add_noise(cell, expected, noise):
    """The original's own noise at this layer: compiled with fast_run against not compiled."""
    drift = Pair(noise, expected, (1, 1, -1))
    for start in range(0, expected.size, BLOCK):
        drift.add((slice(None), slice(None), slice(start, start + BLOCK)))
    cell.update(noise_max_abs=float(drift.largest), noise_rms=drift.rms)


def _recall(trace, name, kept):
    """A layer's output; `kept` holds the last one read, which the next layer asks for as its
    input.
    """
    if name not in kept:
        kept.clear()
        kept[name] = trace.read(name)
    return kept[name]


def _check_oracle(worst, judge, name, expected):
    """Oracle against the original in float64, on the original's own float64 input, as a share of
    the agreement asked for.
    """
    flat = expected.reshape(judge.view)
    gap = float(
        np.max([np.abs(judge.value(where) - flat[where]).max() for where in judge.blocks()])
    )  # NaN stays NaN
    allowed = TRUTH_AGREEMENT * float(
        np.max([np.abs(flat[where]).max() for where in judge.blocks()])
    )
    ratio = gap / allowed if allowed else (0.0 if gap == 0 else float("inf"))
    if not ratio <= worst["ratio"]:
        worst.update(layer=name, ratio=ratio)


def _flag_strangers(records, case, reference, port):
    """Say why a layer that not all three lists have was not compared."""
    known = {
        "the original": set(network_order(reference)),
        "the port": set(port.layers),
        "the declared list": set(case.model.layers),
    }
    for name, record in records.items():
        lacking = [who for who, names in known.items() if name not in names]
        if lacking:
            why = (
                f"{' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no layer {name}"
            )
            for mode in ("isolated", "chained"):
                record[mode].update(verdict=verdict.NOT_COMPARED, message=why)


def _final(step, traces, ends):
    """Largest differences of the final scores between the port, the original (reference), its
    noise and the truth.

    allowed: the largest of the port from the original that rounding explains (explain.at_the_end),
    None where it was not found out. Two float32 runs of an original are no measure of that: which
    of their few large errors is the largest is a matter of luck. With the BLAS kernels of several
    processors the port comes to 0.3 to 2.7 times the farther of them, and to the same 0.4 to 0.7
    standard deviations.
    """
    name = step.layer.name
    scores = {lane: trace.read(name).astype(np.float64) for lane, trace in traces.items()}
    comparable = (
        step.chained.actual is not None and step.chained.actual.shape == step.expected.shape
    )
    scores["port"] = step.chained.actual.astype(np.float64) if comparable else None

    def distance(a, b):
        return None if scores[a] is None else float(np.abs(scores[a] - scores[b]).max())

    pairs = (
        ("port", "reference"),
        ("noise", "reference"),
        ("port", "truth"),
        ("reference", "truth"),
        ("noise", "truth"),
    )
    figures = {f"{a}_{b}": distance(a, b) for a, b in pairs}
    figures["allowed"] = ends and ends["allowed"]
    figures["holds"] = (
        comparable and bool(np.isfinite(scores["port"]).all()) and (ends is None or ends["holds"])
    )
    return figures
