"""Layers that begin a sequence: rows of a table, masked steps, one vector repeated."""

from collections.abc import Callable, Iterator

import numpy as np

from parity.kinds.api import (
    ANY,
    TRAINING_ONLY,
    Config,
    LayerCase,
    LayerKind,
    Maker,
    Variant,
    through_float64,
)
from parity.kinds.probing import Probe, Reading, batches, like, of_ranks
from parity.numerics.rounding import Array
from parity.numerics.witness import Moves

SOME = 17  # clips that are asked in batches of several sizes


def _rows(case: LayerCase, off: int = 0) -> Array:
    """W's row of every id, (B, T, units)."""
    table = case.parameter("W").astype(np.float32)
    ids = case.x.astype(np.int64)
    found: Array = table[(ids + off) % len(table) if off else ids]
    return found


def _off(by: int) -> Maker:
    return lambda s: Moves(_rows(s, by))


def _nothing_at_zero(s: LayerCase) -> Variant:
    return Moves(np.where(s.x[..., None] == 0, np.float32(0), _rows(s)))


def _read_by_units(s: LayerCase) -> Variant:
    """The file's bytes taken for a matrix (units, ids)."""
    rows, columns = s.params["W"].shape
    return s.but(params={"W": s.params["W"].reshape(columns, rows).T}) if rows != columns else None


ROWS: dict[str, Maker] = {
    "row before the id's": _off(-1),
    "row after the id's": _off(1),
    "nothing for id 0": _nothing_at_zero,
    "table read as units by ids": _read_by_units,
}


def _ids(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Every id, several times where there are few: W is what comes back."""
    table, length = _rows(case.but(x=np.arange(len(case.parameter("W"))))), case.x.shape[1]
    clips = max(SOME, -(-len(table) // length))
    ids = np.resize(rng.permutation(len(table)), (clips, length)).astype(np.int32)
    for part in [*batches(SOME), *([slice(SOME, clips)] if clips > SOME else [])]:
        x = ids[part]
        expected = table[x]
        yield Probe("every id", x, expected, expected, read=_read(x, table))


def _read(ids: Array, table: Array) -> Callable[[Array], Iterator[Reading]]:
    def read(answer: Array) -> Iterator[Reading]:
        rows, first = np.unique(ids, return_index=True)
        shown = answer.reshape(-1, table.shape[1])[first]
        yield Reading("W", rows, shown, table[rows], whole=table.shape)

    return read


def _masked(config: Config, x: Array) -> Array:
    """x where any of a step's values is another than mask_value, else 0."""
    counts = (x != np.float32(config["mask_value"])).any(axis=-1, keepdims=True)
    return np.where(counts, x, 0).astype(x.dtype)


def _by_values(s: LayerCase) -> Variant:
    value = np.float32(s.config["mask_value"])
    return Moves(np.where(s.x == value, 0, s.x).astype(s.x.dtype)) if value else None


def _where_all_differ(s: LayerCase) -> Variant:
    differ = (s.x != np.float32(s.config["mask_value"])).all(axis=-1, keepdims=True)
    return Moves(np.where(differ, s.x, 0).astype(s.x.dtype))


MASKS: dict[str, Maker] = {
    "every value equal to mask_value zeroed": _by_values,
    "steps zeroed that hold one mask_value": _where_all_differ,
    "mask_value 0": lambda s: s.but(config={"mask_value": 0.0}),
}


def _masks(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Ranks, and steps of which all values, one or none is the mask's."""
    yield from of_ranks(case, rng)
    value = np.float32(case.config["mask_value"])
    for part in batches(SOME):
        x = rng.standard_normal(like(case, part.stop - part.start), np.float32)
        drawn = rng.integers(0, 3, x.shape[:-1])
        x[drawn == 0] = value
        x[..., 0] = np.where(drawn == 1, value, x[..., 0])
        right = _masked(case.config, x)
        yield Probe("steps of mask_value", x, right, right)


def _repeated(config: Config, x: Array) -> Array:
    return np.repeat(x[:, None], config["n"], axis=1)


def _side_by_side(s: LayerCase) -> Variant:
    times = s.config["n"]
    return Moves(np.repeat(s.x, times, axis=1).reshape(len(s.x), times, -1))


def _once(s: LayerCase) -> Variant:
    out = _repeated(s.config, s.x)
    out[:, 1:] = 0
    return Moves(out)


EMBEDDING = LayerKind(
    "Embedding",
    {
        **TRAINING_ONLY,
        **dict.fromkeys(("input_dim", "output_dim", "input_length", "mask_zero", "dropout"), ANY),
    },
    reference=lambda case: Moves(_rows(case)),
    parameters=("W",),
    variants=lambda case: ROWS,
    input_ranks=(2,),
    probes=_ids,
)
MASKING = LayerKind(
    "Masking",
    {"mask_value": ANY},
    move=_masked,
    propagate=through_float64,
    variants=lambda case: MASKS,
    input_ranks=(3,),
    probes=_masks,
)
REPEAT_VECTOR = LayerKind(
    "RepeatVector",
    {"n": ANY},
    move=_repeated,
    variants=lambda case: {
        "every value repeated by itself": _side_by_side,
        "nothing but the first step": _once,
    },
    input_ranks=(2,),
    probes=of_ranks,
)
