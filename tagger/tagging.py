"""Audio files -> tag scores, in batches across files; one bad file never stops the others."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from parity.files import FilePath
from parity.port.architectures import MEL_SHAPE
from tagger import audio
from tagger.reading import AudioError, unforeseen

BATCH_SIZE = 8
WORKERS = 2  # files decoded at a time
AHEAD = 4  # files decoded before they are needed

Predict = Callable[[np.ndarray], np.ndarray]  # clips (B,1,96,1366) -> scores (B,tags)


class ScoreError(ValueError):
    """Scores that mean nothing: one sentence with what, where and what to do."""


class Scored(NamedTuple):
    """A track's scores (frames,tags) float32 in [0, 1], or the error why there are none.

    remarks : what changes the worth of the scores, clauses with the track as their subject.
    """

    path: FilePath
    scores: np.ndarray | None
    error: AudioError | ScoreError | None = None
    remarks: tuple[str, ...] = ()

    def by_frame(self) -> list[tuple[str, np.ndarray]]:
        """[("centre", scores (tags,))], or for more frames [("0", ..), .., ("mean", ..)]."""
        if len(self.scores) == 1:
            return [("centre", self.scores[0])]
        frames = [(str(i), row) for i, row in enumerate(self.scores)]
        return [*frames, ("mean", self.scores.mean(axis=0))]


class Decoded(NamedTuple):
    """A track's mel spectrograms (n,1,96,1366); n is 0 where there is an error."""

    path: FilePath
    clips: np.ndarray
    error: AudioError | None
    remarks: tuple[str, ...]


def percent_of(scores: np.ndarray) -> np.ndarray:
    """scores (..,tags) -> their percentages of the row's sum, as the published port prints them."""
    return 100 * scores / scores.sum(axis=-1, keepdims=True)


def sentences(path: FilePath, remarks: Iterable[str]) -> list[str]:
    """A track's remarks, each a sentence that names it."""
    return [f"{path} {remark}" for remark in remarks]


def ranked_rows(tags: tuple[str, ...], scored: Scored, top: int | None = None) -> list[dict]:
    """A dict for each of the `top` tags of each frame: file, frame, rank, tag, score, percent."""
    return [
        {
            "file": str(scored.path),
            "frame": frame,
            "rank": rank,
            "tag": tags[i],
            "score": float(scores[i]),
            "percent": float(share[i]),
        }
        for frame, scores in scored.by_frame()
        for share in [percent_of(scores)]
        for rank, i in enumerate(np.argsort(-scores, kind="stable")[:top], 1)
    ]


def decoded(
    paths: Iterable[FilePath], frames: str = "centre", front_end: str = audio.TODAY
) -> Iterator[Decoded]:
    """Yield each path's mel spectrograms, in order, read in threads a few files ahead.

    Raises ValueError for another `frames` or `front_end`.
    """
    audio.check_options(frames, front_end)

    def decode(path: FilePath) -> Decoded:
        try:
            clips, remarks = audio.heard(path, frames, front_end)
            return Decoded(path, clips, None, remarks)
        except Exception as error:  # whatever is wrong with one file, the others are tagged
            said = error if isinstance(error, AudioError) else unforeseen(path, error)
            return Decoded(path, np.zeros((0, *MEL_SHAPE), np.float32), said, ())

    return _ahead(decode, paths)


def _ahead(function: Callable, items: Iterable) -> Iterator:
    """map(function, items) in threads, at most AHEAD results before they are asked for."""
    items = iter(items)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = deque(pool.submit(function, item) for item in itertools.islice(items, AHEAD))
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
            yield result


def score_files(
    predict: Predict,
    paths: Iterable[FilePath],
    frames: str = "centre",
    batch_size: int = BATCH_SIZE,
    front_end: str = audio.TODAY,
) -> Iterator[Scored]:
    """Yield a Scored for every path, in order, as soon as its last batch is through.

    Files are decoded in threads while the network works; only the files of one batch and a few
    ahead are in memory. A batch may hold clips of several tracks, which matters to CNN0 alone: it
    normalises with its batch's statistics.

    Parameters
    ----------
    predict : callable
        Clips (B,1,96,1366) float32 in dB -> scores (B,tags).
    paths : iterable of path
        Audio files.
    frames, batch_size, front_end
        As `tagger.model.Tagger.tag` takes them.

    Raises
    ------
    ValueError
        For a batch size below 1, another `frames` or `front_end`.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number of clips, 1 or more")
    return _scored(predict, decoded(paths, frames, front_end), batch_size)


@dataclass
class _Waiting:
    """A track some of whose clips have no scores yet."""

    track: Decoded
    left: np.ndarray
    scores: list[np.ndarray] = field(default_factory=list)


def _scored(predict: Predict, tracks: Iterable[Decoded], batch_size: int) -> Iterator[Scored]:
    waiting: deque[_Waiting] = deque()
    for track in tracks:
        waiting.append(_Waiting(track, track.clips))
        while sum(len(entry.left) for entry in waiting) >= batch_size:
            _score_batch(predict, waiting, batch_size)
            yield from _finished(waiting)
        yield from _finished(waiting)
    while waiting:
        _score_batch(predict, waiting, batch_size)
        yield from _finished(waiting)


def _score_batch(predict: Predict, waiting: Iterable[_Waiting], batch_size: int) -> None:
    # Take the next clips, whosever they are, and hand each track its own scores back.
    taken, room = [], batch_size
    for entry in waiting:
        part, entry.left = entry.left[:room], entry.left[room:]
        taken.append((entry, part))
        room -= len(part)
    scores = predict(np.concatenate([part for _, part in taken]))
    for entry, part in taken:
        entry.scores.append(scores[: len(part)])
        scores = scores[len(part) :]


def _finished(waiting: deque[_Waiting]) -> Iterator[Scored]:
    while waiting and not len(waiting[0].left):
        entry = waiting.popleft()
        path, _, error, remarks = entry.track
        scores = None if error else np.concatenate(entry.scores)
        error = error or fault_of(path, scores)
        yield Scored(path, None if error else scores, error, remarks)


def fault_of(path: FilePath, scores: np.ndarray) -> ScoreError | None:
    """What is wrong with a track's scores (frames,tags) whatever it sounds like, or None."""
    if not np.isfinite(scores).all():
        said = "a score is NaN or infinite"
    elif (constant := np.ptp(scores, axis=1) == 0).any():
        said = f"every tag has the score {scores[constant][0, 0]:g}"
    else:
        return None
    return ScoreError(
        f"{path}: {said}, so these weights are not of this model or of this Keras release; give "
        "others, or another --keras"
    )
