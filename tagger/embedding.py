"""What a layer makes of music, a vector or a map for every clip: embeddings, as npz or Parquet."""

import importlib.util
import io
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parity.errors import visible
from parity.files import FilePath, check_writable, publish, sha256_of
from parity.port.architectures import nearest
from tagger.inputs import audio_files
from tagger.tagging import ScoreError, decoded, sentences

Tagger = Any  # tagger.model's, which has a method that comes here
KINDS = (".npz", ".parquet")


class Embedded(NamedTuple):
    """One clip. frame : "centre", or its number in the track; values : float32, as the layer shapes
    it; remarks : on what changes their worth.
    """

    path: FilePath
    frame: str
    values: np.ndarray
    remarks: str


def embedded(tagger: Tagger, x: np.ndarray, layer: str) -> np.ndarray:
    """What a layer makes of mel spectrograms.

    Parameters
    ----------
    tagger : Tagger
    x : numpy.ndarray, shape (B,1,96,1366), float32
        In dB.
    layer : str
        As Keras calls it: "gru2" of CRNN gives (B,32), "pool5" of CNN (B,256,1,1).

    Returns
    -------
    numpy.ndarray, float32
        B first, then the layer's own axes.

    Raises
    ------
    ValueError
        For a layer that the model does not have.
    """
    return tagger.through(x, until(tagger, layer))


def until(tagger: Tagger, layer: str) -> tuple[str, ...]:
    """The layers up to and with one. Raises ValueError where there is none of that name."""
    names = getattr(tagger.network, "layer_names", ())
    if not names:
        raise ValueError(f"{tagger.source} gives scores alone; embeddings need the engine chainer")
    if layer not in names:
        raise ValueError(
            f"{tagger.model} has no layer {layer!r}; did you mean {nearest(layer, names)}? It has "
            f"{', '.join(names)}"
        )
    return names[: names.index(layer) + 1]


def embed(
    tagger: Tagger, given: Iterable[FilePath], layer: str, out: Path, *, batch_size: int, **cut: Any
) -> tuple[int, list[Any], list[str]]:
    """Write the embeddings of audio files; returns how many files are in it, what is wrong with
    others, and sentences on what changes their worth.

    out : .npz has `values`, `files`, `frames`, `remarks` and `provenance`; .parquet a row a clip.
    batch_size : clips of one file at a time. cut : options of tagger.tagging.decoded.
    """
    found = audio_files(given)
    kind = out.suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"{out}: embeddings are written as .npz or .parquet; name one of these")
    if kind == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(f"{out}: pyarrow is not here, which writes Parquet; name it .npz")
    check_writable(out, kind, [tagger.source, *found.paths])
    until(tagger, layer)  # said before anything is read
    errors, clips, done, said = list(found.errors), [], 0, found.passed_over()
    for track in decoded(found.paths, **cut):
        starts = range(0, len(track.clips), batch_size)
        rows = [embedded(tagger, track.clips[at : at + batch_size], layer) for at in starts]
        if error := track.error or fault_of(track.path, rows):
            errors.append(error)
            continue
        done += 1
        said += sentences(track.path, track.remarks)
        remarks, count = "; ".join(track.remarks), len(track.clips)
        names = ["centre"] if count == 1 else map(str, range(count))
        clips += [
            Embedded(track.path, name, values, remarks)
            for name, values in zip(names, itertools.chain(*rows), strict=True)
        ]
    if clips:
        told = {
            "layer": layer,
            "tagger": tagger.name,
            "weights": tagger.source.name,
            "weights_sha256": sha256_of(tagger.source),
            "remedies": "; ".join(tagger.remedies),
            "remarks": "; ".join(tagger.remarks),
            "meaningless": str(tagger.is_meaningless),
            "writer": "music-tagger-parity",
        }
        write = _npz if kind == ".npz" else _parquet
        publish({out: write(clips, told)}, inputs=[tagger.source, *found.paths])
    return done, errors, said


def fault_of(path: FilePath, rows: list[np.ndarray]) -> ScoreError | None:
    """That a track's values are no numbers, or None."""
    if all(np.isfinite(values).all() for values in rows):
        return None
    return ScoreError(f"{path}: a value of it is NaN or infinite; give other weights")


def _npz(clips: list[Embedded], told: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        values=np.stack([clip.values for clip in clips]),
        files=np.array([visible(clip.path) for clip in clips]),
        frames=np.array([clip.frame for clip in clips]),
        remarks=np.array([clip.remarks for clip in clips]),
        provenance=np.array([f"{name}: {said}" for name, said in told.items()]),
    )
    return stream.getvalue()


def _parquet(clips: list[Embedded], told: dict[str, str]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    columns = {
        "file": [visible(clip.path) for clip in clips],
        "frame": [clip.frame for clip in clips],
        "values": [clip.values.ravel() for clip in clips],
        "remarks": [clip.remarks for clip in clips],
    }
    text = pyarrow.string()
    kinds = [text, text, pyarrow.list_(pyarrow.float32()), text]
    shape = {"shape": "x".join(map(str, clips[0].values.shape))}
    schema = pyarrow.schema(list(zip(columns, kinds, strict=True)), metadata=told | shape)
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns, schema=schema), stream, compression="zstd")
    return stream.getvalue()
