"""One mutant on trial: it is walked along the original, and the first layer that does not hold is
blamed.

Every layer runs. One whose output is bit for bit the sound port's has the sound port's verdict, and
every other one is judged anew: the harness is not told where the mutation is.
"""

from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, cast, get_args

import numpy as np

from parity.attribution.explain import Space
from parity.compare import verdict
from parity.compare.measure import allow_transform, measure
from parity.compare.tally import Tally
from parity.compare.walk import CHAINED, ISOLATED, MODES, Step, network_order, walk
from parity.diagnose import cause
from parity.errors import CannotRun
from parity.faults.drift import Attribution, Broken, Chain, NotNegative, SoundEnd
from parity.faults.plant import left_alone, planted, widened
from parity.faults.table_row import BY_TRANSFORM, ELSEWHERE, Fault
from parity.kinds import LayerCase, layer_case
from parity.kinds.activation import ROUGH
from parity.numerics.structure import Regression
from parity.port.proof import ChainerPort
from parity.port.weights import load
from parity.port_api import Port, answer
from parity.probes.asking import BEHAVIOUR, RIGHT, probe_layer
from parity.probes.naming import settle
from parity.probes.networks import without_clips
from parity.probes.proof import whole_call
from parity.recording.stacks import STACKS
from parity.recording.trace import array_sha256, open_trace
from parity.results import (
    ALLOWED,
    NOT_PROBED,
    TRANSFORM,
    Estimate,
    ProbedVerdict,
    Size,
    Text,
)
from parity.schema import Later, Says

# why nobody is blamed; not asked: of rows that are made for probes
Apart = Literal["several layers", "no end", "below rounding", "not asked"]
SEVERAL, NO_END, BELOW, UNASKED = get_args(Apart)
Kind = Literal["weights", "configuration", "code path", "input", "small", "behaviour"]
Way = Literal["isolated", "chained", "probed", "form", "behaviour", "whole call"]
SEED = 20160618  # of the random probes: the same verdicts in every run
NAMELESS = "nothing that has a name"
PROBES_ONLY = ("small", "behaviour")  # rows that need no chain and no end
PUBLISHED = (
    "Chainer's batch normalisation as the port published in 2018 has it: sqrt(std^2 + 2e-5), "
    "in the first layer of CNN0 and CNN 1e-5"
)


class Original(NamedTuple):
    """A reference trace in memory, its layers in network order, with the original's parameters."""

    model: str
    weights: Path
    path: Path
    layers: dict[str, Any]
    outputs: dict[str, np.ndarray]
    params: dict[str, dict[str, np.ndarray]]
    keras: str
    logits: np.ndarray | None = None  # of the last layer, before its activation
    data: str = "seeded"  # or "real": the published weights

    def read(self, name):
        return self.outputs[name]

    def input_of(self, name):
        return self.outputs[self.layers[name].inbound[0]]

    def case(self, name):
        """A layer on the original's input."""
        params = self.params.get(name, {})
        return layer_case(self.layers[name], params, self.input_of(name), self.keras)

    def blank(self, name):
        """A layer with one clip of zeros, as probes are made of it."""
        x = np.broadcast_to(np.float32(0), (1, *self.input_of(name).shape[1:]))
        return layer_case(self.layers[name], self.params.get(name, {}), x, self.keras)

    def network(self):
        """Its layers and its input, shapes without clips."""
        first = next(iter(self.layers.values()))
        (name,) = first.inbound
        given = first._replace(name=name, inbound=(), shape=self.outputs[name].shape)
        return without_clips({name: given, **self.layers})

    def tagger(self):
        """The sound port's network, one of its own."""
        return deepcopy(_network(self.model, self.weights, self.keras))


_network = lru_cache(maxsize=1)(load)


@dataclass
class Sound:
    """The sound port on one original: verdicts and digests of its answers, its outputs in the
    chain, and its end. asked: of the layer that was probed last, what it was asked.
    """

    original: Original
    port: Port
    verdicts: dict[str, str]
    known: dict[tuple[str, str], str]
    chained: dict[str, Any]
    end: SoundEnd
    asked: dict[str, LayerCase] = field(default_factory=dict)

    def walk(self, port: Port, modes: Collection[str] = MODES) -> Iterator[Step]:
        """A mutant along the original; what is the sound port's is not run again."""
        same = left_alone(port, self.port)
        alike = {name: output for name, output in self.chained.items() if name in same}
        return walk(self.original, port, modes, self.known, alike)

    def blank(self, name: str) -> LayerCase:
        """As Original.blank, with probes that are made once: they depend on the layer alone."""
        if name not in self.asked:
            self.asked.clear()  # they are large
            case = self.original.blank(name)
            made = [*case.kind.probes(case, np.random.default_rng(SEED))]
            kind = replace(case.kind, probes=lambda case, rng: iter(made))
            self.asked[name] = replace(case, kind=kind)
        return self.asked[name]


WORDS = [word for word in verdict.VERDICTS if word != verdict.INHERITED]
Word = Annotated[str | None, Says("verdict", enum=WORDS)]


@dataclass
class Named:
    """The hypothesis that explains the layer, and the names of all that do."""

    hypothesis: Text | None
    survivors: list[Text]
    estimate: Estimate | None


@dataclass
class Seen:
    """What the harness sees of a mutant: the first layer that does not hold, its verdict, message
    and cause; where all hold, the verdict of the mutated layer.

    changed_layers: those whose output on the original's input is not the sound port's, bit for bit.
    """

    id: Text
    model: Text
    layer: Text
    verdict: Word = None
    located_layer: Text | None = None
    cause: Named | None = None
    message: str | None = None
    changed_layers: list[Text] = field(default_factory=list)


@dataclass
class Found:
    """What probes say of one layer of a mutant."""

    layer: Text
    verdict: ProbedVerdict
    message: str | None
    cause: str | None
    form: str | None
    place: str | None = None

    @property
    def way(self) -> Way | None:
        """By what it is caught."""
        if (self.message or "").startswith(BEHAVIOUR):
            return "behaviour"
        if self.verdict not in {*RIGHT, NOT_PROBED}:
            return "probed"
        return "form" if self.form else None


@dataclass
class Trial(Seen):
    """The record of a mutant in faults.json.

    apart: why no single layer can be blamed for the drift at the end. ways: by which it is caught;
    "chained" is an end farther from the original's than rounding alone takes it. probed: what
    probes say of the layers that answer otherwise than the sound port's. call: what is wrong with
    what users call. why: how an undecidable mutant can be the same function.
    """

    kind: Kind = "weights"
    expected_cause: Text = ""
    caught: bool = False
    located: bool = False
    named: bool = False
    undecidable: bool = False
    observability: Size = None
    attribution: Attribution = field(default_factory=Attribution)
    apart: Apart | None = None
    attributed: bool | None = None
    ways: Later[list[Way]] = field(default_factory=list)
    probed: Later[list[Found]] = field(default_factory=list)
    call: Later[str | None] = None
    why: Later[str | None] = None


@dataclass
class Reordering(Seen):
    """The record of a harmless reordering, quiet where every layer still holds. Without changed
    layers it proves nothing.
    """

    required: ClassVar[list[str]] = [
        *("id", "model", "layer", "verdict", "located_layer", "quiet", "message")
    ]
    quiet: bool = False
    probed: Later[list[Found]] = field(default_factory=list)


@dataclass
class Replaced:
    """A layer with the published port's formula, and its part of the drift."""

    layer: Text
    verdict: Word
    cause: Named | None
    share: float | None = None
    energy: NotNegative = None


@dataclass
class Published:
    """The record of the published port's formulas in one model: the layers that do not hold, the
    names of those that do, because rounding hides the formula, and the end as in Division.
    """

    id: Text
    model: Text
    what: str
    layers: list[Replaced]
    holds: list[Text]
    space: Space | None
    drift: NotNegative
    sound_drift: NotNegative
    final: NotNegative
    sound_final: NotNegative
    message: str | None


def read_original(case, path) -> Original:
    """The original of a case. Raises CannotRun for an unreadable trace or weight file."""
    with open_trace(path) as trace:
        lacking = [name for name in case.model.layers if name not in trace.layers]
        if lacking:
            raise CannotRun(
                f"{path}: the trace of {case.model.name} has no layer {', '.join(lacking)}, "
                "and faults need every layer; "
                "remove it (`python -m parity data clear`) and run again"
            )
        layers = {name: trace.layers[name] for name in network_order(trace)}
        *_, last = layers.values()
        linear = last.config.get("activation", "linear") == "linear"
        return Original(
            case.model.name,
            case.weights,
            path,
            layers,
            {name: trace.read(name) for name in trace.layers},
            case.weights.params,
            STACKS[case.model.stack].keras,
            None if linear else trace.read_pre_activation(last.name),
            case.data,
        )


@lru_cache(maxsize=1)
def sound_of(case, path) -> Sound:
    """The sound port on a case's reference trace, which lies at `path`."""
    there = read_original(case, path)
    return prove(there, ChainerPort(there.tagger()))


def prove(there: Original, port: Port) -> Sound:
    """A port without a mutation. Raises CannotRun where it does not hold."""
    known, verdicts, chained = {}, {}, {}
    chain = Chain(port, list(there.layers)[-1])
    for step in walk(there, port):
        name = step.layer.name
        verdicts[name], why = judged(there, step)
        if not verdict.holds(verdicts[name]):
            raise CannotRun(
                f"{there.model} {name}: the port is {verdicts[name]} with no fault planted "
                f"({why}); faults can be tried on a port that holds, so run `parity run` first"
            )
        for mode, said in ((ISOLATED, step.isolated), (CHAINED, step.chained)):
            if said.actual is not None:
                known[mode, name] = array_sha256(said.actual)
        chained[name] = said.actual
        chain.follow(step)
    return Sound(there, port, verdicts, known, chained, SoundEnd(there, chain))


def tried(mutant: Fault, sound: Sound) -> Trial:
    """The record of one mutant. Raises CannotRun where the trace lacks its layer."""
    kind = cast(Kind, mutant.kind)
    found = Trial(
        mutant.id,
        mutant.model,
        mutant.layer,
        kind=kind,
        expected_cause=mutant.cause or NAMELESS,
    )
    for_probes = mutant.kind in PROBES_ONLY
    chain = _watch(found, mutant, sound, (ISOLATED,) if for_probes else MODES)
    _probe(found, mutant, sound)
    ways = {each.way for each in found.probed} | {"whole call" if found.call else None}
    ways |= {"isolated" if found.located_layer else None}
    found.caught = ways != {None}
    first = [found.located_layer] if found.located_layer else []
    blamed = {*first, *(each.layer for each in found.probed if each.way)}
    found.located_layer = min(blamed, key=[*sound.original.layers].index, default=None)
    found.located = (found.located_layer or mutant.layer) == mutant.layer and found.caught
    said = [found.call, *(name for each in found.probed for name in (each.cause, each.form))]
    told = [*said, *(f"only in {each.place}" for each in found.probed)]
    if mutant.cause:
        found.named = named(mutant.cause, found.cause) or any(
            name and name.startswith(mutant.cause) for name in told
        )
    else:
        found.named = all(name is None or name == ROUGH for name in said)
    if not found.caught:
        found.observability, hidden = equivalence(sound.original, mutant)
        found.undecidable = hidden and may_be_equivalent(mutant, sound.original.data)
        found.why = likeness(sound.original, mutant) if found.undecidable else None
    if for_probes:
        found.apart, found.ways = UNASKED, [way for way in get_args(Way) if way in ways]
        return found
    end = found.attribution = sound.end.attribute(chain, mutant.layer)
    ways |= {"chained" if end.message or (end.above_rounding or 0) > 1 else None}
    found.ways = [way for way in get_args(Way) if way in ways]
    if len(found.changed_layers) > 1:
        found.apart = SEVERAL
    elif end.message:
        found.apart = NO_END
    elif not (end.above_rounding or 0.0) > 1:
        found.apart = BELOW
    else:
        found.attributed = end.blamed_layer == mutant.layer
    return found


def heard(reordering: Fault, sound: Sound) -> Reordering:
    """The record of one harmless reordering; raises as `tried`."""
    found = Reordering(reordering.id, reordering.model, reordering.layer)
    _watch(found, reordering, sound, (ISOLATED,))
    if reordering.kind != ELSEWHERE:
        _probe(found, reordering, sound)
    found.quiet = found.located_layer is None and not any(each.way for each in found.probed)
    if reordering.kind == BY_TRANSFORM:  # it has to be told from any order of summation
        found.quiet &= ALLOWED in [each.verdict for each in found.probed]
    return found


def measured(mutant: Fault, sound: Sound) -> Published:
    """The record of the published port's formulas in one model."""
    there, port = sound.original, planted(sound.original.tagger(), mutant)
    chain, layers = Chain(port, sound.end.last), []
    for step in sound.walk(port):
        chain.follow(step)
        if step.layer.name in getattr(port, "steps", ()):
            word, _ = judged(there, step)
            found = None if verdict.holds(word) else cause_of(there, step)
            layers.append(Replaced(step.layer.name, word, found))
    end, message = None, None
    try:
        end = sound.end.divide(chain)
    except Broken as why:
        message = str(why)
    for replaced in layers:
        if end:
            replaced.share, replaced.energy = end.layers[replaced.layer]
    return Published(
        mutant.id,
        mutant.model,
        PUBLISHED,
        [replaced for replaced in layers if not verdict.holds(replaced.verdict or "")],
        [replaced.layer for replaced in layers if verdict.holds(replaced.verdict or "")],
        end.space if end else None,
        end.drift if end else None,
        end.sound_drift if end else None,
        end.final if end else None,
        end.sound_final if end else None,
        message,
    )


def _watch(seen, mutant, sound, modes):
    """Fill in what is Seen of a mutant on its walk; returns its Chain."""
    there = sound.original
    if mutant.layer not in there.layers:
        raise CannotRun(
            f"{there.path}: the trace has no layer {mutant.layer}, which the fault {mutant.id} "
            f"needs; it holds {' '.join(there.layers)}; record it again"
        )
    port = planted(there.tagger(), mutant)
    chain = Chain(port, sound.end.last)
    for step in sound.walk(port, modes):
        name, same = step.layer.name, ISOLATED in step.unchanged
        seen.changed_layers += [] if same else [name]
        if seen.located_layer is None:
            allowed = mutant.kind == BY_TRANSFORM
            word, said = (sound.verdicts[name], None) if same else judged(there, step, allowed)
            if not verdict.holds(word):
                seen.located_layer, seen.verdict, seen.message = name, word, said
                seen.cause = cause_of(there, step)
            elif name == mutant.layer:
                seen.verdict = word
        if CHAINED in modes:
            chain.follow(step)
    return chain


def _probe(found: Trial | Reordering, mutant: Fault, sound: Sound) -> None:
    """Ask a fresh mutant's layer, those that answered the clips otherwise, and its whole call."""
    there = sound.original
    port = planted(there.tagger(), mutant)
    for name in dict.fromkeys([mutant.layer, *found.changed_layers]):
        blank = sound.blank(name)
        layer = probe_layer(port, blank, np.random.default_rng(SEED))
        said = settle(blank, layer, guess=not (found.cause and found.cause.hypothesis))
        if said.verdict == TRANSFORM and mutant.kind == BY_TRANSFORM:
            said.verdict = ALLOWED
        found.probed.append(
            Found(name, said.verdict, said.message, said.cause, said.form, said.place)
        )
    if isinstance(found, Trial):
        found.call = whole_call(port, there.network(), SEED)


def likeness(there: Original, mutant: Fault) -> str:
    """How a mutant answers the probes, beside the sound port."""
    port, sound = planted(there.tagger(), mutant), ChainerPort(there.tagger())
    blank, count, other, most = there.blank(mutant.layer), 0, 0, 0.0
    for probe in blank.kind.probes(blank, np.random.default_rng(SEED)):
        if probe.of == "run":
            said, own = (each.run(mutant.layer, probe.x) for each in (port, sound))
            count, other = count + own.size, other + int(np.count_nonzero(said != own))
            room = (probe.high.astype(np.float64) - probe.low) / 2
            apart = np.abs(said.astype(np.float64) - own)[probe.at][room > 0] / room[room > 0]
            most = max(most, float(np.max(apart, initial=0.0)))
    if not other:
        return f"the same function at this shape: {count:,} answers alike, bit for bit"
    return f"{other:,} of {count:,} answers differ, by {most:.2g} of what rounding may at most"


def judged(there: Original, step: Step, allowed: bool = False) -> tuple[str, str | None]:
    """(verdict, message) of one layer, from its answer to the original's input; allowed: it may be
    computed by way of a transform.
    """
    if step.isolated.actual is None:
        return verdict.NOT_COMPARED, step.isolated.fault
    case = there.case(step.layer.name)
    measures = measure(step.isolated.actual, step.expected, case.witness)
    if allowed:
        allow_transform(measures, step.isolated, case)
    return verdict.judge(measures), measures.message


def cause_of(there: Original, step: Step) -> Named:
    """Why a layer does not hold."""
    case, said = there.case(step.layer.name), step.isolated
    found = cause(case, None, said.fault if said.actual is None else said.actual)
    names = [each if isinstance(each, str) else each.name for each in found.survivors]
    return Named(found.hypothesis, names, found.estimate)


def named(expected: str | None, found: Named | None) -> bool:
    """Whether a cause is the expected one or has it among its survivors."""
    return found is not None and expected in (found.hypothesis, *found.survivors)


def may_be_equivalent(mutant: Fault, data: str) -> bool:
    """Whether rounding may hide the mutant: on the published weights only those known to be."""
    return data != "real" or mutant.equivalent


def equivalence(there: Original, mutant: Fault) -> tuple[float, bool]:
    """(D, whether nothing shows the mutant) of one that no layer's verdict showed.

    D = max|o_mutant - o|/B: the mutant's formula is the planted port run in float64, beside the
    oracle. Below 1 no single output can tell the mutant from rounding; then all of them together
    are asked: the regression over channels and taps, of what the original rounded with the
    mutant's effect added.
    """
    name, port = mutant.layer, planted(widened(there.tagger()), mutant)
    formula = answer(port, name, there.input_of(name).astype(np.float64)).actual
    if formula is None or formula.shape != there.read(name).shape:
        return float("inf"), False
    judge = there.case(name).witness
    tally, regression = Tally(judge, formula), Regression(judge) if judge.limits else None
    would_be = there.read(name).astype(np.float64).reshape(judge.view)
    for where in judge.blocks():
        block = judge.block(where)
        effect = tally.add(block)
        if regression:
            would_be[where] += effect
            regression.add(block, would_be[where] - block.o)
    shown = regression and regression.findings(would_be)["structured"]
    return tally.rho, bool(tally.rho < 1 and not shown)
