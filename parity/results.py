"""What a run finds, as types: the contents of parity.json, from which its schema is generated.

One more measure is one more field of `Cell`. A cell is born failed: its verdict is NOT COMPARED and
its figures are null until a comparison replaces them, so that nothing missing can look green.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from parity.schema import Later, Says

EXACT, ROUNDING, INHERITED, EXCESS = "EXACT", "ROUNDING", "INHERITED", "EXCESS ROUNDING"
FORMULA, GROSS, SUSPECT = "FORMULA(unnamed)", "GROSS", "ORACLE-SUSPECT"
MISBEHAVES = "MISBEHAVES"  # right, but no function of its input alone, or one that writes to it
INCOMPARABLE, NOT_COMPARED = "INCOMPARABLE", "NOT COMPARED"
ALLOWED = "ALLOWED TRANSFORM"  # rounds as a transform does, and was allowed to by its name
MODES = ("isolated", "chained")


def _exactly(count: int) -> Says:
    return Says(minItems=count, maxItems=count)


def _verdict(name: str, *verdicts: str) -> Says:
    words = [r"FORMULA\(.+\)" if word == FORMULA else word for word in verdicts]
    return Says(name, type="string", pattern=f"^({'|'.join(words)})$")


def _figure(name: str, title: str, *words: str | None, **limits: float) -> Says:
    return Says(name, title=title, anyOf=[{"type": "number", **limits}, {"enum": [*words, None]}])


def _if(verdicts: list[str], **then: Any) -> dict[str, Any]:
    """A rule: where the verdict is one of these, the other properties are so."""
    return {"if": {"properties": {"verdict": {"enum": verdicts}}}, "then": {"properties": then}}


_CELL = (EXACT, ROUNDING, ALLOWED, EXCESS, MISBEHAVES, FORMULA, GROSS, SUSPECT, INCOMPARABLE)
_NUMBER = {"type": "number"}
_HOLDING = _if([EXACT, ROUNDING, ALLOWED], max_abs=_NUMBER, rms=_NUMBER)
_DIGITS = r"-?[0-9]+([.][0-9]+)?(e[+-][0-9]{1,3})?"
_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"

Text = Annotated[str, Says(minLength=1)]
Natural = Annotated[int, Says(minimum=0)]
Positive = Annotated[int, Says(minimum=1)]
Many = Annotated[int, Says(minimum=1, maximum=1_000_000)]
Sha256 = Annotated[str, Says("sha256", type="string", pattern="^[0-9a-f]{64}$")]
Time = Annotated[str, Says(pattern=_TIME)]
Mode = Literal["isolated", "chained"]
Data = Literal["real", "seeded"]
Side = Literal["port", "reference", "equal"]
Bound = Literal["derived", "experiment"]
RunVerdict = Literal["HOLDS", "DRIFTS", "INCOMPLETE"]
HELD: RunVerdict = "HOLDS"
DRIFTS: RunVerdict = "DRIFTS"
INCOMPLETE: RunVerdict = "INCOMPLETE"
NOT_PROBED, TRANSFORM = "NOT PROBED", "ROUNDING (TRANSFORM)"
ProbedVerdict = Annotated[
    str,
    Says(
        "probed_verdict",
        type="string",
        pattern=r"^(EXACT|ROUNDING|ROUNDING \(TRANSFORM\)|ALLOWED TRANSFORM|EXCESS ROUNDING|GROSS|"
        r"FORMULA\(.+\)|MISBEHAVES|INCOMPARABLE|NOT COMPARED|NOT PROBED)$",
    ),
]
IsolatedVerdict = Annotated[str, _verdict("isolated_verdict", *_CELL, NOT_COMPARED)]
Verdict = Annotated[str, _verdict("verdict", *_CELL, INHERITED, NOT_COMPARED)]
Figure = Annotated[
    float | None,
    _figure("figure", 'a number, "inf", "-inf", "nan" or null', "inf", "-inf", "nan"),
]
Size = Annotated[
    float | None, _figure("size", 'a number from 0, "inf", "nan" or null', "inf", "nan", minimum=0)
]
Share = Annotated[
    float | None,
    _figure("share", 'a share from 0 to 1, "nan" or null', "nan", minimum=0, maximum=1),
]
# figures in one line of text: a list would take a line for each
Series = Annotated[
    str,
    Says(
        "series",
        type="string",
        pattern=f"^{_DIGITS}( {_DIGITS})*$",
        title="figures with a space between",
    ),
]


# --- one layer ---


@dataclass
class Structure:
    """A gain or an offset that a whole channel shares, with what rounding may do and its t."""

    structured: bool
    gain_channels: Later[list[Natural]]
    offset_channels: Later[list[Natural]]
    gain: Later[Figure]
    gain_limit: Later[Size]
    gain_t: Later[Figure]
    offset: Later[Figure]
    offset_limit: Later[Size]
    offset_t: Later[Figure]


@dataclass
class Support:
    """Where the elements beyond the bound are: touched indices per axis, which side of zero."""

    touched: Later[list[Natural]]
    indices: Later[list[list[Natural]]]
    edges_only: Later[bool]
    side: Later[str | None]
    text: str


Where = Annotated[Support | str | None, Says(title="null, text or {text}")]


@dataclass
class Cell:
    """One comparison of a port's layer with the original's. port and reference: against the
    float64 oracle, the reference's always on its own input.
    """

    verdict: Verdict = NOT_COMPARED
    message: str | None = "the run never reached this layer"
    fault: Later[str] = ""  # why nothing can be compared
    exact: Later[bool | None] = None  # the condition of the verdict EXACT
    rho_port: Size = None  # largest |value - oracle| over the bound B
    rho_reference: Size = None
    q_port: Size = None  # rms of (value - oracle)/sigma
    q_reference: Size = None
    rho_det: Size = None  # rho against the certain bound
    rho_det_exact: Later[bool | None] = None  # or only an upper bound
    proved: Later[bool | None] = None  # by probes: then the certain bound counts
    rho_transform: Later[Size] = None  # rho against an allowed transform's bound
    u_in: Later[Size] = None  # unit roundoff of the operands that the errors would need
    max_abs: Size = None  # of port - original
    rms: Size = None
    worst_index: list[Natural] | None = None  # the element of the largest |value - oracle|/B
    worst_actual: Figure = None
    worst_expected: Figure = None
    worst_oracle: Later[Figure] = None
    worst_allowed: Size = None  # in the output's unit, as all that is "worst"
    bitwise_equal: bool | None = None
    bitwise_share: Share = None
    signed_zeros: Later[int | None] = None
    beyond: Natural | None = None  # elements beyond the bound
    beyond_share: Share = None
    beyond_share_reference: Later[Share] = None
    effective_bits: Figure = None
    rms_error_port: Later[Size] = None
    rms_error_reference: Later[Size] = None
    structured: Later[bool | None] = None
    structure: Structure | None = None
    support: Where = None
    inherited: Later[Size] = None  # norm of what the layer's input brought
    local: Later[Size] = None  # norm of what the layer added


@dataclass
class Isolated(Cell):
    """The port's layer on the original's own input."""

    rules: ClassVar[Any] = {"allOf": [_HOLDING, _if([ROUNDING], rho_port=_NUMBER)]}
    verdict: IsolatedVerdict = NOT_COMPARED


@dataclass
class Chained(Cell):
    """The port's layer on the port's own input, in the chain from the first layer on. rho_local:
    how the layer itself does there; noise: the original's own, compiled with fast_run or not.
    """

    rules: ClassVar[Any] = {"allOf": [_HOLDING, _if([ROUNDING], rho_local=_NUMBER)]}
    required: ClassVar[list[str]] = [
        *("verdict", "rho_local", "max_abs", "rms", "inherited", "local", "amplification"),
        *("share", "energy", "noise_max_abs", "noise_rms"),
    ]
    rho_local: Size = None
    input_fault: Later[str | None] = None  # why its input cannot be compared
    input_drift: Later[Size] = None  # norm of its input's difference
    amplification: Size = None  # how much of that came out
    share: Figure = None  # of the final drift: its projection on it; adds up to 1
    energy: Size = None  # of the squares of all layers' parts
    noise_max_abs: Size = None
    noise_rms: Size = None
    rounding_rms: Later[Size] = None  # how far rounding up to here may part two float32 runs


@dataclass
class Survivor:
    """A hypothesis that explains the layer; distance: how far its output is from the first one's,
    of its allowance.
    """

    name: str
    rho: Later[Size] = None
    q: Later[Size] = None
    distance: Later[Size] = None


@dataclass
class Undecidable:
    """A hypothesis that this layer on this input could not show; D: its largest effect as a share
    of the allowance.
    """

    name: str
    D: Later[Size] = None


@dataclass
class Estimate:
    """A parameter's value as the output tells it, with its standard error."""

    what: Later[str]
    value: Later[Figure] = None
    se: Later[Figure] = None


@dataclass
class OfChannels(Estimate):
    """The first of several channels' values; each: all of them."""

    each: list[Estimate] = field(default_factory=list)


@dataclass
class Form:
    """Which formula of an exponential the output's lattice shows."""

    lattice_share: Share
    formula: str | None


# null or 0 where nothing shows a form
Shown = Annotated[Form | float | None, Says(title="a form, 0 or null")]
Survivors = list[Annotated[Text | Survivor, Says(title="a name or {name, rho, q}")]]
Hidden = list[Annotated[Text | Undecidable, Says(title="a name or {name, D}")]]


@dataclass
class Cause:
    """Why a layer fails: the best hypothesis that explains it and every other one that does; theta:
    how much of the hypothesis' effect is seen, 1 where it is true; tested: how many were tried.
    """

    hypothesis: str | None = None
    survivors: Survivors = field(default_factory=list)
    undecidable: Hidden = field(default_factory=list)
    estimate: Estimate | None = None
    r2: Figure = None
    theta: Later[dict[str, Figure] | None] = None
    tested: Later[Natural] = 0
    form: Later[Shown] = None


@dataclass
class Forms:
    """The form of the exponential on either side."""

    port: Later[Shown] = None
    original: Later[Shown] = None


@dataclass
class Residuals:
    """Counts of (side - oracle)/sigma in 41 bins over [-5, 5] and both tails; one element in
    `every` was counted; certain: those that may not round.
    """

    inside: Annotated[str, Says(pattern="^[0-9]{1,15}( [0-9]{1,15}){40}$")]
    below: Natural
    above: Natural
    certain: Natural
    every: Positive


@dataclass
class Sides:
    """The residuals of both sides; null where a side copies the other or nothing may round."""

    port: Residuals | None
    original: Residuals | None


@dataclass
class Channels:
    """Per channel, or the one of each `every` nearest to its limit: gain in units of 2^-24, offset
    in the output's unit, beside what rounding may do. A limit that all share stands once.
    """

    axis: Text
    count: Many
    every: Many
    gain_u: Series
    gain_limit_u: Series
    offset: Series
    offset_limit: Series


MapRow = Annotated[str, Says(pattern="^[0-9a-f]{1,64}$")]


@dataclass
class Map:
    """Largest |port - original| over clips and channels, block by block of the last two axes: 0
    none, 1 to f from least to largest in equal ratios. block: places of each axis in a letter.
    """

    mode: Mode
    shape: Annotated[list[Positive], _exactly(2)]
    block: Annotated[list[Positive], _exactly(2)]
    least: Annotated[float, Says(exclusiveMinimum=0)]
    largest: Annotated[float, Says(exclusiveMinimum=0)]
    rows: Annotated[list[MapRow], Says(minItems=1, maxItems=32)]


@dataclass
class Evidence:
    """What the layer's card draws; null where the layer was not compared or only moves values."""

    residuals: Sides | None
    channels: Channels | None
    map: Map | None


@dataclass
class Closeness:
    """How many bits closer to the oracle the port is than the original, with a 95 % interval."""

    bits: Figure = None
    interval: list[Figure] | None = None
    closer: Side | None = None


@dataclass
class Asked:
    """Probes of one name: how many answers were compared, and how many strayed farther than float32
    may; share: the largest stray, of what is allowed; q: the largest root mean square of (answer -
    formula)/sigma over a slice, in that slice.
    """

    name: Text
    probes: Natural
    answers: Natural
    wrong: Natural
    share: Size = None
    q: Size = None
    q_where: str = ""


@dataclass
class Read:
    """What answers show of a parameter, or of what the formula makes of some.

    equal: bit for bit the file's; within: as near as the answers can show; close: within to_u of
    itself; worst_u: the largest distance; shows_u: how far off half of the values would have to be
    to be seen; all three relative, in units of 2^-24. at: a value beyond what the answers can show;
    hidden: why some could not be read; sha256: of what was read, where that was exact, so that it
    is the same on every processor.
    """

    name: Text
    count: Natural
    read: Natural
    within: Natural
    equal: Natural
    close: Natural = 0
    to_u: Size = 0.0
    worst_u: Size = None
    shows_u: Size = None
    at: list[Natural] | None = None
    hidden: str | None = None
    sha256: Text | None = None


@dataclass
class OriginalAsked:
    """The same questions put to the original. wrong: answers that its own float32 has wrong; truth:
    the largest distance of its float64 answers from the formula, of the agreement asked for.
    """

    probes: Natural
    wrong: Natural
    truth: Size = None
    message: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the formula is the original's wherever it was asked."""
        return self.probes > 0 and not self.wrong and self.truth is not None and self.truth <= 1


@dataclass
class Probed:
    """What a layer answers to questions whose answers are known. batches: clips at a time; place:
    where all of one probe's wrong answers are, where that is not everywhere.
    """

    verdict: ProbedVerdict = NOT_PROBED
    message: str | None = "the run never asked this layer"
    asked: list[Asked] = field(default_factory=list)
    read: list[Read] = field(default_factory=list)
    batches: list[Natural] = field(default_factory=list)
    form: str | None = None
    cause: str | None = None
    place: str | None = None
    original: OriginalAsked | None = None


@dataclass
class Shows:
    """Something that a layer of the port does beside answering; fault: a run that shows it does
    not hold.
    """

    habit: Text
    text: Text
    fault: bool


@dataclass
class Layer:
    """One layer of the original, of the port or of the declared list."""

    name: Text
    kind: Text = "unknown"
    shape: list[Natural] | None = field(default_factory=list)
    dtype: str | None = ""
    axes: Later[list[Text]] = field(default_factory=list)  # what each is; empty: not known
    isolated: Isolated = field(default_factory=Isolated)
    chained: Chained = field(default_factory=Chained)
    cause: Cause | None = None
    original_cause: Later[Cause | None] = None
    undecidable: Later[Hidden | None] = None
    form: Later[Forms | None] = None
    evidence: Later[Evidence | None] = None
    closer: Side | None = None
    closeness_bits: Figure = None
    closeness_interval: Later[list[Figure] | None] = None
    probed: Later[Probed | None] = None
    habits: Later[list[Shows]] = field(default_factory=list)
    bound: Later[Bound] = "derived"  # or from draws of rounding on the original's own graph

    def cells(self) -> tuple[Isolated, Chained]:
        """Both modes' cells."""
        return self.isolated, self.chained


# --- one model ---


@dataclass
class Ends:
    """Whether rounding explains the logits. ratio: largest |port - original| over what it may do;
    allowed: the largest difference of two float32 runs' scores; z: rms of (logit - oracle)/sd.
    """

    ratio: Size
    holds: bool
    allowed: Later[Size] = None
    z_port: Later[Size] = None
    z_reference: Later[Size] = None
    closeness: Later[Closeness | None] = None


@dataclass
class Attribution:
    """Where the final drift was attributed, or why it was not; closure: what the layers' parts
    leave of the drift.
    """

    space: Literal["logits", "scores"]
    message: str | None
    drift: Size
    closure: Later[Size]
    ends: Ends | None


@dataclass
class Final:
    """Largest differences of the final scores between the port, the original, the original's noise
    and the float64 truth; allowed: what rounding explains of the port's from the original's.
    """

    port_reference: Size
    noise_reference: Size
    port_truth: Size
    reference_truth: Size
    noise_truth: Size
    allowed: Later[Size] = None
    holds: Later[bool | None] = None
    port_share_of_published: Later[Size] = None


@dataclass
class FusedLayer:
    """A layer whose output is still there once a runtime has fused layers: its largest difference
    from the original's, their rms, and how large that may be, null where nobody found out.
    """

    name: str
    port_reference: Size
    rms: Later[Size] = None
    allowed_rms: Later[Size] = None


@dataclass
class Fused:
    """The port as its runtime makes it fast, at the layers that are left, of `declared`; holds:
    as of WholeCall, and none of these layers may be farther off than rounding up to there allows.
    """

    declared: Natural
    layers: list[FusedLayer]
    holds: bool | None


@dataclass
class WholeCall:
    """What users call, against the composition of the layers. port_reference: its scores' largest
    difference from the original's; holds: judged by the end's allowance, null without one; fused:
    of a port whose runtime may fuse layers.
    """

    bitwise_equal: bool
    port_reference: Size
    holds: bool | None
    message: str | None
    fused: Later[Fused | None] = None


@dataclass
class Probes:
    """What a model's probes add up to. seed: of the random ones; proved: layers that compute the
    original's function wherever they were asked; read: weights read back bit for bit, of `weights`;
    call: what is wrong with what users call on random values, or null.
    """

    seed: Natural
    layers: Natural
    proved: Natural
    weights: Natural
    read: Natural
    call: str | None = None


@dataclass
class OracleTruth:
    """The oracle against the original in float64: the worst layer, of the agreement asked for."""

    layer: str | None = None
    ratio: Size = 0.0


@dataclass
class Distance:
    """Of one side's values from the other's."""

    max_abs: Figure
    rms: Figure


@dataclass
class Saturation:
    """Shares of a gate's hard sigmoids at exactly 0 (shut) and 1, whose slope is 0 there."""

    shut: Figure
    open: Figure
    shut_by_step: list[Figure]
    open_by_step: list[Figure]


@dataclass
class TimeStep:
    """One step: the state's distance from the original's, and of either side from the oracle as a
    share of the bound, whose largest is `bound`; gates: largest |port - oracle|.
    """

    step: Positive
    state: Distance
    rho_port: Figure
    bound: Figure
    rho_original: Figure
    gates: dict[str, Figure] | None


@dataclass
class Unrolled:
    """A recurrent layer's steps: free-running, and forced to start from the original's state;
    sources: what the figures rest on.
    """

    steps: Positive
    units: Positive
    sources: dict[str, str]
    saturation: dict[str, Saturation]
    free: list[TimeStep]
    forced: list[TimeStep] | None


@dataclass
class NotUnrolled:
    """Why a recurrent layer's steps could not be looked into."""

    message: Text


@dataclass
class Asymmetry:
    """|W - flip(W)|/|W| of all kernels and of the most symmetric one; 0: no flip shows."""

    whole: Figure
    least: Figure
    least_kernel: Natural


Recurrent = Annotated[
    Unrolled | NotUnrolled,
    Says(title="steps, units, sources, saturation, free and forced, or a message"),
]


@dataclass
class Microscope:
    """What every run measures of its recurrent layers and kernels."""

    gru: Later[dict[str, Recurrent]]
    convolution: Later[dict[str, Asymmetry]]
    messages: Later[dict[str, str]]


@dataclass
class Tag:
    """One tag of a clip's top, on both sides; sd: of its logit, by rounding."""

    tag: Text
    expected: Figure
    actual: Figure
    delta: Figure
    rank_expected: Later[int | None]
    rank_actual: Later[int | None]
    logit_expected: Later[Figure]
    logit_actual: Later[Figure]
    sd: Later[Size]


@dataclass
class Swap:
    """Two tags that the port ranks the other way; tied: by rounding; explained: by it alone."""

    pair: Annotated[list[str], _exactly(2)]
    margin: Later[Figure] = None
    tied: Later[bool | None] = None
    explained: Later[bool | None] = None


@dataclass
class ClipTags:
    """A clip's top tags on both sides, and how alike the rankings are."""

    clip: Text
    top: list[Tag]
    swaps: list[Swap]
    stability: Figure
    k: Later[Positive]
    tau: Later[Figure]
    jaccard: Later[Share]


@dataclass
class Weights:
    """The weight file."""

    file: Text
    sha256: Sha256


@dataclass
class Stack:
    """The original's surroundings."""

    name: Text
    python: Text
    keras: Text
    theano: Text
    flags: str | dict[str, Any]
    keras_from: Later[Literal["asked", "file", "assumed"]] = "assumed"


@dataclass
class Clip:
    """One clip."""

    name: Text
    sha256: Sha256
    remarks: Later[list[Text]] = field(default_factory=list)  # what changes its tags' worth


@dataclass
class Worst:
    """The cell of the gravest verdict and, among equals, of the largest rho."""

    layer: Text
    mode: Mode
    verdict: Verdict
    rho: Figure


@dataclass
class Model:
    """One model: its cells, its end and what its drift does to the tags."""

    rules: ClassVar[Any] = {
        "allOf": [
            _if(
                [HELD],
                first_divergence={"type": "null"},
                layers={
                    "minItems": 1,
                    "items": {
                        "properties": {
                            **{
                                mode: {
                                    "properties": {"verdict": {"enum": [EXACT, ROUNDING, ALLOWED]}}
                                }
                                for mode in MODES
                            },
                            "probed": {
                                "properties": {
                                    "verdict": {"enum": [EXACT, ROUNDING, ALLOWED, NOT_PROBED]}
                                }
                            },
                        }
                    },
                },
            )
        ]
    }
    name: Text
    verdict: RunVerdict
    worst: Worst | None
    data: Data
    weights: Weights
    stack: Stack
    clips: list[Clip]
    batch_size: Positive
    first_divergence: str | None
    final: Final
    whole_call: Later[WholeCall | None]
    oracle_truth: OracleTruth
    identity: Later[Any]
    layers: list[Layer]
    attribution: Later[Attribution | None]
    microscope: Later[Microscope | None]
    tags: list[ClipTags]
    seconds: Later[Annotated[float | None, Says(minimum=0)]] = None
    probes: Later[Probes | None] = None
    remarks: Later[list[Text]] = field(default_factory=list)
    again: Later[str | None] = None  # the command that asks for this model, and writes elsewhere


# --- the run ---


@dataclass
class Environment:
    """With what a run was made; the port's own versions stand beside them by name. commit: of the
    clone it was made in; threads: BLAS threads of each comparing process.
    """

    rules: ClassVar[Any] = {"additionalProperties": {"type": "string"}}
    parity: str | None
    commit: Later[str | None]
    python: str | None
    numpy: str | None
    blas: str | None
    threads: Positive | None
    os: str | None
    cpu: str | None


@dataclass
class Run:
    """What one parity run measured. Records are born failed: NOT COMPARED, figures null."""

    rules: ClassVar[Any] = {
        "allOf": [
            _if(
                [HELD],
                models={"minItems": 1, "items": {"properties": {"verdict": {"const": HELD}}}},
            )
        ]
    }
    format: Annotated[int, Says(const=1)]
    verdict: RunVerdict
    data: Data
    created: Time
    command: Text
    environment: Environment
    port: Text
    selection: Later[Annotated[list[Text] | None, Says(description="layers asked for; null: all")]]
    models: list[Model]
    audio_read_by: Later[Text | None] = None  # whose front end; null: only spectrograms were given
