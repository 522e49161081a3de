"""Pooling: the windows, pooling by maximum, and what ports get wrong in either."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from parity.kinds.api import ANY, IMAGE, Config, LayerCase, LayerKind, Maker, Variant
from parity.kinds.fitting import Proposal, Seen
from parity.kinds.layouts import ORDERINGS, channels_last, lifted
from parity.kinds.probing import of_ranks
from parity.numerics.rounding import BLOCK, FLUSHED, SPREAD, Array, U, Where, tail_factor
from parity.numerics.witness import Block, Moves, Whole, Witness

CENTRED = "border as TensorFlow has it"
POOLS_MOST = 8  # rows or columns of a window


def geometry(config: Config) -> tuple[Any, Any]:
    """(size, strides) of the windows, (rows, columns) each."""
    return config["pool_size"], config.get("strides") or config["pool_size"]


def _same(config: Config) -> bool:
    return bool(config.get("border_mode") == "same")


def border(config: Config) -> Sequence[int]:
    """Rows and columns that are thought before the first of "same": the same at the end, and so
    not centred for 5 and more (theano_backend.py, pool2d).
    """
    own = [k - 2 if k > 2 and k % 2 else k - 1 for k in config["pool_size"]]
    return config.get("before", own)  # which a variant gives


def windows(config: Config, x: Array, beyond: float = 0.0) -> list[Array]:
    """Per element of a window: what it holds in every window, (..., rows, columns), a view of x or
    of x with `beyond` around it.
    """
    size, strides = geometry(config)
    if _same(config):
        edges = list(zip(border(config), size, strict=True))
        around = np.pad(x, [(0, 0)] * (x.ndim - 2) + edges, constant_values=beyond)
        image = zip(x.shape[-2:], strides, strict=True)
        rows, columns = (slice(-(-n // stride)) for n, stride in image)
        inside = windows({**config, "border_mode": "valid"}, around)
        return [tap[..., rows, columns] for tap in inside]
    axes = []
    for n, k, stride in zip(x.shape[-2:], size, strides, strict=True):
        last = (n - k) // stride * stride
        axes.append([slice(tap, tap + last + 1, stride) for tap in range(k)])
    return [x[..., rows, columns] for rows, columns in itertools.product(*axes)]


def pooled_shape(x: Array, size: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The shape of x, (B, C, rows, columns), after pooling without a border."""
    image = zip(x.shape[2:], size, strides, strict=True)
    return (*x.shape[:2], *((n - k) // stride + 1 for n, k, stride in image))


def max_pool(config: Config, x: Array) -> Array:
    """Floor max-pooling over the last two axes, in x's own dtype: a maximum rounds nothing."""
    first, *rest = windows(config, x, -np.inf)
    out = first.copy()
    for tap in rest:
        np.maximum(out, tap, out=out)
    return out


class Average(Witness):
    """The mean of each window of n values: no order of its float32 sum errs by more than u sum|x|,
    its quotient included; sigma as of any sum of n terms.

    counted : whether the zeros beyond a border count, which Keras leaves out.
    """

    def __init__(self, config: Config, x: Array, counted: bool = False):
        taps = windows(config, x)
        super().__init__(taps[0].shape, 1)
        self.inside = [np.ascontiguousarray(tap).reshape(self.view) for tap in taps]
        self.count: Any = len(taps)
        if _same(config) and not counted:
            count = np.sum(windows(config, np.ones_like(x)), axis=0, dtype=np.float64)
            self.count = count.reshape(self.view)

    def block(self, where: Where) -> Block:
        n: Any = self.count[where] if isinstance(self.count, np.ndarray) else self.count
        total, squares, sizes = (np.zeros(self.inside[0][where].shape) for _ in range(3))
        for tap in self.inside:
            x = tap[where].astype(np.float64)
            total, squares, sizes = total + x, squares + np.square(x), sizes + np.abs(x)
        variance = ((n / 3 + 1) * np.square(total) + (n / 6 + 1) * squares) / n**2
        sigma2 = np.square(SPREAD * U) * variance + FLUSHED**2
        return Block(where, total / n, np.square(U * sizes + FLUSHED), sigma2)


def _propagate(case: LayerCase, d: Array) -> Array:
    """max((a - m) + d) over a window whose maximum in a is m: where a + d is largest, |a - m| is no
    more than deviations are.
    """
    recorded = case.fact("pooled", lambda: max_pool(case.config, case.x))
    out = np.full(recorded.shape, -np.inf, np.float32)
    a, d, m, flat = (t.reshape(-1, *t.shape[2:]) for t in (case.x, d, recorded, out))
    many = max(1, 2 * BLOCK // a[0].size)
    for first in range(0, len(a), many):
        part = slice(first, first + many)
        held = windows(case.config, a[part], -np.inf)
        pairs = zip(held, windows(case.config, d[part]), strict=True)
        for of_a, of_d in pairs:
            near = of_a - m[part]
            near += of_d
            np.maximum(flat[part], near, out=flat[part])
    return out


def _padded(s: LayerCase, sides: Any, cut: tuple[int, int] = (0, 0)) -> Variant:
    """Input rows and columns cut off at the start, and as if no values were added beyond."""
    x = s.x[:, :, cut[0] :, cut[1] :]
    return s.but(x=np.pad(x, ((0, 0), (0, 0), *sides), constant_values=-np.inf))


def _cover_all(s: LayerCase) -> Variant:
    """Chainer's default: a last window that is not full counts."""
    if _same(s.config):
        return None
    size, strides = geometry(s.config)
    short = [-(n - k) % stride for n, k, stride in zip(s.x.shape[2:], size, strides, strict=True)]
    return _padded(s, [(0, n) for n in short]) if any(short) else s


def _moved(rows: int, columns: int) -> Maker:
    return lambda s: _padded(s, ((0, rows), (0, columns)), cut=(rows, columns))


def _strides(change: Callable[[int, int], int]) -> Maker:
    def make(s: LayerCase) -> Variant:
        sides = zip(*geometry(s.config), strict=True)
        return s.but(config={"strides": [max(1, change(k, stride)) for k, stride in sides]})

    return make


def _transposed(s: LayerCase) -> Variant:
    size, strides = geometry(s.config)
    if size[0] == size[1] and strides[0] == strides[1]:
        return None
    return s.but(config={"pool_size": size[::-1], "strides": strides[::-1]})


def centred(s: LayerCase) -> Config | None:
    """The settings with the border where TensorFlow has it: what is missing, halved."""
    if not _same(s.config):
        return None
    before = []
    for n, k, stride in zip(s.x.shape[2:], *geometry(s.config), strict=True):
        before.append(max(0, (-(-n // stride) - 1) * stride + k - n) // 2)
    return None if before == list(border(s.config)) else {**s.config, "before": before}


def _centred(s: LayerCase) -> Variant:
    config = centred(s)
    return Moves(max_pool(config, s.x)) if config else None


GEOMETRY = {
    "stride 1": _strides(lambda size, stride: 1),
    "stride one less": _strides(lambda size, stride: stride - 1),
    "stride one more": _strides(lambda size, stride: stride + 1),
    "pool size and stride transposed": _transposed,
    "windows start one row late": _moved(1, 0),
    "windows start one column late": _moved(0, 1),
}
VARIANTS = {
    "last windows that are not full count (cover_all)": _cover_all,
    "average instead of maximum": lambda s: Average(s.config, s.x),
    "minimum instead of maximum": lambda s: Moves(
        np.minimum.reduce(windows(s.config, s.x, np.inf))
    ),
    CENTRED: _centred,
    **GEOMETRY,
}


def by_shape(seen: Seen) -> Iterator[Proposal]:
    """Windows of another size, next to each other or with the original's stride."""
    size, strides = (tuple(side) for side in geometry(seen.case.config))
    for other in itertools.product(range(1, POOLS_MOST + 1), repeat=2):
        for apart in dict.fromkeys((other, strides)):
            shape = pooled_shape(seen.case.x, other, apart)
            if (other, apart) != (size, strides) and shape == seen.actual.shape:
                name = f"pool size {other}" + ("" if apart == other else f", stride {apart}")
                config = {"pool_size": list(other), "strides": list(apart)}
                yield Proposal(name, seen.case.but(config=config))


def pooled_instead(seen: Seen) -> Iterator[Proposal]:
    """Maximum pooling where this layer is: a wrong layer order that the shape shows."""
    x, shape = seen.case.x, seen.actual.shape
    if len(shape) != 4 or x.ndim != 4 or not all(shape) or shape == x.shape:
        return
    size = [n // m for n, m in zip(x.shape[2:], shape[2:], strict=True)]
    if all(size) and pooled_shape(x, size, size) == shape:
        pooled = Moves(max_pool({"pool_size": size}, x))
        yield Proposal("wrong layer order: maximum pooling in its place", pooled)


SETTINGS = {**IMAGE, "pool_size": ANY, "strides": ANY, "border_mode": ("valid", "same")}
OF_SEQUENCES = {"pool_length": ANY, "stride": ANY, "border_mode": ("valid", "same")}


def of_steps(config: Config) -> dict[str, Any]:
    """The pooling of a sequence as that of an image one column wide."""
    image = {name: config[name] for name in config.keys() - {"pool_length", "stride"}}
    size, stride = config["pool_length"], config.get("stride") or config["pool_length"]
    return {**image, "pool_size": [size, 1], "strides": [stride, 1]}


def of_all(config: Config, x: Array) -> tuple[int, ...]:
    """The axes that a global pooling leaves nothing of."""
    if x.ndim == 3:
        return (1,)
    return (1, 2) if channels_last(config) else (2, 3)


_MAX_POOLING = LayerKind(
    "MaxPooling2D",
    SETTINGS,
    move=max_pool,
    variants=lambda case: VARIANTS,
    by_shape=(by_shape,),
    propagate=_propagate,
    channelwise=True,
    beside_activation=True,
    any_image=True,
    probes=of_ranks,
)
MAX_POOLING = lifted(_MAX_POOLING)
MAX_POOLING_1D = lifted(_MAX_POOLING, "MaxPooling1D", OF_SEQUENCES, of_steps)


def mean(x: Array, axes: tuple[int, ...]) -> Whole:
    """The mean of (B, ..., C) over all places, with the bound of any sum of n terms over n."""
    wide, n = x.astype(np.float64), int(np.prod([x.shape[axis] for axis in axes]))
    total, squares, sizes = (a.sum(axis=axes) for a in (wide, np.square(wide), np.abs(wide)))
    deviation = U * np.sqrt((n / 3 + 1) * np.square(total) + (n / 6 + 1) * squares) / n
    return Whole(
        1,
        total / n,
        np.square(tail_factor(total.size) * deviation + FLUSHED),
        np.square(SPREAD * deviation) + FLUSHED**2,
        np.square(U * (sizes + np.abs(total) / n) + FLUSHED),
    )


def other_axes(seen: Seen) -> Iterator[Proposal]:
    """Pooled over other axes."""
    case, x = seen.case, seen.case.x
    for axes in itertools.combinations(range(1, x.ndim), x.ndim - 2):
        if axes != of_all(case.config, x):
            made = Moves(x.max(axis=axes)) if case.kind.move else mean(x, axes)
            if made.shape == seen.actual.shape:
                yield Proposal(f"pooled over axes {axes}", made)


def _reduced(reduce: Any) -> Maker:
    return lambda s: Moves(reduce(s.x, axis=of_all(s.config, s.x)))


def _propagate_to_all(case: LayerCase, d: Array) -> Array:
    """As `_propagate`, over all places."""
    axes = of_all(case.config, case.x)
    near: Array = case.x - case.x.max(axis=axes, keepdims=True) + d
    return np.asarray(near.max(axis=axes), np.float32)


GLOBAL_MAX = tuple(
    LayerKind(
        name,
        settings,
        move=lambda config, x: x.max(axis=of_all(config, x)),
        variants=lambda case: {
            "minimum instead of maximum": _reduced(np.min),
            "average instead of maximum": lambda s: mean(s.x, of_all(s.config, s.x)),
        },
        by_shape=(other_axes,),
        propagate=_propagate_to_all,
        input_ranks=(),
        probes=of_ranks,
    )
    for name, settings in (
        ("GlobalMaxPooling1D", dict[str, Any]()),
        ("GlobalMaxPooling2D", ORDERINGS),
    )
)
