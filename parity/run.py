"""The main job: record or recall the originals, run the port on the same input, compare, and make
parity.json's document.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from parity import known
from parity.attribution.tags import tag_tables
from parity.compare import verdict
from parity.compare.glance import glances
from parity.compare.whole import as_fused, whole_call
from parity.document import document, model_verdict, worst_cell
from parity.identity import identity
from parity.model import Case
from parity.options import asks_for
from parity.ports import OURS, load, of_case
from parity.probes.naming import told_by_clips
from parity.probes.networks import without_clips
from parity.probes.originals import ask_originals
from parity.probes.proof import fresh_seed, probe
from parity.processes import side_by_side
from parity.provenance import environment, threads_per_worker
from parity.proving import Found, compare_case
from parity.recording import recordings
from parity.recording.asking import asking
from parity.recording.clips import Clips, clips_of
from parity.recording.trace import open_trace
from parity.results import INCOMPLETE, Clip, Model, Stack, Weights

Lanes = Mapping[str, Path]
EXIT = {"HOLDS": 0, "DRIFTS": 1, "INCOMPLETE": 1}
NOTHING_COMPARED = 3


def run(
    cases: Sequence[Case],
    *,
    port: Any = OURS,
    layers: Sequence[str] | None = None,
    workers: int = 2,
    here: bool = False,
    command: str = "",
    again: str | None = None,
    progress: Any = None,
    explain: bool = True,
    seed: int | None = None,
) -> dict[str, Any]:
    """Prove `port` on every case; returns the document. Raises CannotRun where something needed is
    missing or broken.

    port : "module:function", or what else ports.load takes. here : compare in this process.
    layers : names to judge, None for all. explain : see compare.compare_case. workers : recorders,
    and comparing processes, side by side. seed : of the random probes, fresh by default. again : of
    options.again.
    """
    for case in cases:
        _ = case.weights.params  # a broken file is said before anything is started
    heard = clips_of(cases)
    batches = {case: given.inputs for case, given in heard.items()}
    before = cache(partial(_meet, port, cases))
    traces = known.traces(batches, workers=workers, progress=progress, before=before)
    originals = ask_originals(cases, workers=workers, progress=progress, before=before)
    seed = fresh_seed() if seed is None else seed
    jobs = {case: (case, traces[case], port, layers, explain, seed) for case in cases}
    found = {}
    for case in cases if progress else ():
        progress.update(case.model.name, "asking and comparing")
    in_turn = ((case, _compare_one(*job)) for case, job in jobs.items())
    others = partial(side_by_side, _compare_one, jobs, workers)
    with closing(in_turn if here else others()) as done:
        for case, record in done:
            found[case] = record
            for layer in record.layers:
                if layer.probed:
                    layer.probed.original = originals[case].get(layer.name)
            if progress:
                progress.done(case.model.name, "compared")
                if record.printed:
                    progress.note(f"{case.model.name}: {record.printed}")
    known.drop(batches)
    models = [model_record(case, heard[case], traces[case], found[case]) for case in cases]
    for model in models:
        model.again = again and asks_for(again, model.name)
    versions = models[0].identity["stack"]["harness"]
    return document(
        models,
        environment=environment(threads_per_worker(min(workers, len(cases))), versions),
        command=command,
        port=", ".join(dict.fromkeys(_said_of(of_case(port, case)) for case in cases)),
        selection=list(layers) if layers else None,
        audio_read_by=next((given.read_by for given in heard.values() if given.read_by), None),
    )


def exit_code(document: dict[str, Any]) -> int:
    """The run's exit code: 3 where not one cell was compared, else by its verdict."""
    compared = any(
        layer[mode]["verdict"] != "NOT COMPARED"
        for model in document["models"]
        for layer in model["layers"]
        for mode in ("isolated", "chained")
    )
    return EXIT[document["verdict"]] if compared else NOTHING_COMPARED


def model_record(case: Case, clips: Clips, lanes: Lanes, found: Found) -> Model:
    """One model's part of the document; found: of compare_case."""
    holds = {*verdict.HOLDS, verdict.EXCESS}  # rounding alone may be the reason for a swap
    rounding_only = all(cell.verdict in holds for layer in found.layers for cell in layer.cells())
    model = Model(
        name=case.model.name,
        verdict=INCOMPLETE,
        worst=None,
        data=case.data,
        weights=Weights(case.weights.path.name, case.weights.sha256),
        stack=Stack(
            **recordings.describe(case.model.stack, lanes["reference"]), keras_from=case.keras_from
        ),
        clips=[
            Clip(name, sha256, list(remarks))
            for name, sha256, remarks in zip(clips.names, clips.sha256, clips.remarks, strict=True)
        ],
        batch_size=len(clips.names),
        first_divergence=found.first_divergence,
        final=found.final,
        whole_call=found.whole_call,
        probes=found.probes,
        oracle_truth=found.oracle_truth,
        identity=found.identity,
        layers=found.layers,
        attribution=found.attribution,
        microscope=found.microscope,
        tags=tag_tables(clips.names, case.model.tags, found.scores, found.logits, rounding_only),
    )
    model.remarks = [*case.remarks, *_worthless(found), *found.remarks]
    model.verdict, model.worst = model_verdict(model), worst_cell(model)
    return model


def _worthless(found: Found) -> list[str]:
    """What the original's own scores show that makes a verdict on them worth little."""
    if found.scores is None:
        return []
    scores = np.asarray(found.scores["expected"])
    single = scores.ndim < 2 or scores.shape[-1] == 1
    if np.isfinite(scores).all() and (single or np.ptp(scores, axis=-1).all()):
        return []
    return [
        "the original gives every tag of a clip the same score, or NaN, so these weights are not "
        "of this model or of this Keras release, and that the port agrees says little"
    ]


def _said_of(port: Any) -> str:
    return port if isinstance(port, str) else f"an object of {type(port).__qualname__}"


def _meet(port: Any, cases: Sequence[Case]) -> None:
    """Raise CannotRun for a port that cannot be had, before minutes are spent on the originals."""
    process = None
    for case in cases:
        process = load(port, case, process).process


def _compare_one(
    case: Case, lanes: Lanes, port: Any, layers: Sequence[str] | None, explain: bool, seed: int
) -> Found:
    asked = load(port, case)
    # here, where the port is imported already
    with asking(case) as original, open_trace(lanes["reference"]) as opened:
        trace = opened.grouped(case.names)
        trace.layers = original.answering(trace.layers)
        keras, params = trace.provenance["keras"], case.params
        proof = probe(case, asked, seed, without_clips(trace.layers), layers, trace)
        found = compare_case(
            case,
            lanes,
            asked,
            layers=layers,
            explain=explain,
            proved=proof.proved,
            original=original,
        )
        for layer in found.layers:
            layer.probed = proof.layers.get(layer.name)
            if layer.probed and layer.cause:
                told_by_clips(layer.probed, layer.cause.hypothesis)
        call = whole_call(asked, trace, found.scores, found.final, original)
        return found._replace(
            microscope=glances(trace, params, keras, asked) if explain else None,
            whole_call=as_fused(asked, trace, found.layers, found.final, call),
            identity=identity(case, trace, asked),
            probes=proof.summary(),
            printed=asked.process.said().strip("\n"),
        )
