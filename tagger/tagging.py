"""Audio files -> tag scores, in batches across files; one bad file never stops the others."""

import itertools
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import chainer
import numpy as np

from parity.port.files import FilePath
from parity.port.models import MEL_SHAPE, Tagger
from tagger import audio
from tagger.reading import unforeseen

if TYPE_CHECKING:
    import pandas  # takes half a second to import

BATCH_SIZE = 8
WORKERS = 2  # files decoded at a time
AHEAD = 4  # files decoded before they are needed
MEAN = "mean"


class Scored(NamedTuple):
    """One track: scores (n,tags) float32 in [0, 1] of its frames in order, or the AudioError that
    says why there are none.

    remarks : sentences on what the taggers could not hear in it.
    """

    path: FilePath
    scores: np.ndarray | None
    error: Exception | None = None
    remarks: tuple[str, ...] = ()

    def by_frame(self) -> list[tuple[str, np.ndarray]]:
        """[("centre", scores (tags,))], or for more frames [("0", ..), .., ("mean", ..)]."""
        if len(self.scores) == 1:
            return [("centre", self.scores[0])]
        return [
            *((str(i), row) for i, row in enumerate(self.scores)),
            (MEAN, self.scores.mean(axis=0)),
        ]


def percent_of(scores: np.ndarray) -> np.ndarray:
    """scores (..,tags) -> their percentages of the row's sum, as the published port prints them."""
    return 100 * scores / scores.sum(axis=-1, keepdims=True)


def decoded(
    paths: Iterable[FilePath], frames: str = "centre", front_end: str = audio.TODAY
) -> Iterator[tuple[FilePath, np.ndarray, audio.AudioError | None, tuple[str, ...]]]:
    """Yield (path, clips (n,1,96,1366), error, remarks) of every path, in order; n is 0 where
    there is an error.

    Read in threads, a few files ahead of what is asked for. Raises ValueError for another `frames`
    or `front_end`.
    """
    audio.check_options(frames, front_end)
    return _ahead(lambda path: (path, *_attempt(path, frames, front_end)), paths)


def score_files(
    tagger: Tagger,
    paths: Iterable[FilePath],
    frames: str = "centre",
    batch_size: int = BATCH_SIZE,
    front_end: str = audio.TODAY,
) -> Iterator[Scored]:
    """Yield a Scored for every path, in order, as soon as its last batch is through.

    Files are decoded in threads while the network works; only the files of one batch and a few
    ahead are in memory. A batch may hold clips of several tracks, which matters to CNN0 alone: it
    normalises with its batch's statistics.
    Raises ValueError for a batch size below 1, another `frames` or `front_end`.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number of clips, 1 or more")
    return _scored(tagger, decoded(paths, frames, front_end), batch_size)


def _scored(tagger, tracks, batch_size):
    waiting = deque()  # [path, clips still without scores, scores so far, error, remarks]
    for path, clips, error, remarks in tracks:
        waiting.append([path, clips, [], error, remarks])
        while sum(len(entry[1]) for entry in waiting) >= batch_size:
            _score_batch(tagger, waiting, batch_size)
            yield from _finished(waiting)
        yield from _finished(waiting)
    if waiting:
        while any(len(entry[1]) for entry in waiting):
            _score_batch(tagger, waiting, batch_size)
        yield from _finished(waiting)


def table(tagger: Tagger, paths: Iterable[FilePath], **options) -> "pandas.DataFrame":
    """A pandas DataFrame of score_files(tagger, paths, **options), best tag first within a frame.

    Columns: file (str), frame ("centre", or "0" .. and "mean"), rank (from 1), tag, score in [0,
    1], percent of the frame's sum. And `remedies`, where the tagger has any. Raises the AudioError
    of the first file without scores; warns of remarks.
    """
    import pandas

    rows, told = [], told_by(tagger)
    for scored in score_files(tagger, paths, **options):
        if scored.error:
            raise scored.error
        for remark in scored.remarks:
            warnings.warn(remark, stacklevel=3)
        rows += [row | told for row in ranked_rows(tagger.tags, scored)]
    return pandas.DataFrame(
        rows, columns=["file", "frame", "rank", "tag", "score", "percent", *told]
    )


def told_by(tagger: Tagger) -> dict[str, str]:
    """{"remedies": what is on}, for the rows of a table; {} where the tagger answers as the
    original does.
    """
    return {"remedies": "; ".join(tagger.remedies)} if tagger.remedies else {}


def ranked_rows(tags: tuple[str, ...], scored: Scored, top: int | None = None) -> list[dict]:
    """Dicts of one track for the columns of `table`, the `top` best of each frame."""
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


def predict(tagger: Tagger, clips: np.ndarray) -> np.ndarray:
    """clips (B,1,96,1366) float32 -> scores (B,tags) in the test phase, without gradients."""
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        return tagger(clips).array


def _attempt(path, frames, front_end):
    try:
        mels, remarks = audio.heard(path, frames, front_end)
        return mels, None, remarks
    except Exception as error:  # whatever is wrong with one file, the others are tagged
        said = error if isinstance(error, audio.AudioError) else unforeseen(path, error)
        return np.zeros((0, *MEL_SHAPE), np.float32), said, ()


def _score_batch(tagger, waiting, batch_size):
    # Take the next clips, whosever they are, and hand each track its own scores back.
    owners, parts, left = [], [], batch_size
    for entry in waiting:
        taken = entry[1][:left]
        if len(taken):
            entry[1] = entry[1][len(taken) :]
            owners.append((entry[2], len(taken)))
            parts.append(taken)
            left -= len(taken)
    scores = predict(tagger, np.concatenate(parts))
    for held, count in owners:
        held.append(scores[:count])
        scores = scores[count:]


def _finished(waiting):
    while waiting and not len(waiting[0][1]):
        path, _, scores, error, remarks = waiting.popleft()
        yield Scored(path, np.concatenate(scores) if scores else None, error, remarks)


def _ahead(function, items):
    """map(function, items) in threads, at most AHEAD results before they are asked for."""
    items = iter(items)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = deque(pool.submit(function, item) for item in itertools.islice(items, AHEAD))
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
            yield result
