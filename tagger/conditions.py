"""Under which conditions a tagger gives the scores that its author printed: the front end, the
Keras release by whose formulas its weights are read, and how many clips are scored together.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from parity.files import FilePath
from parity.fixtures import store
from tagger.audio import melgram
from tagger.model import load
from tagger.weight_files import NotFound

# Where a clip's spectrogram comes from -> how to get it.
FRONT_ENDS: Mapping[str, Callable[[str], np.ndarray]] = {
    "stored": lambda clip: np.load(found(f"melgrams/{clip}.npy"), allow_pickle=False).astype("f4"),
    "2016": lambda clip: melgram(found(f"audio/{clip}.mp3"), "2016"),
    "today": lambda clip: melgram(found(f"audio/{clip}.mp3"), "today"),
}
# A release -> all that compute the same.
RELEASES = {
    "1.0.6": "1.0.4 to 1.0.6",
    "1.0.7": "1.0.7",
    "1.1.0": "1.0.8 to 1.1.2",
    "1.2.2": "1.2.0 to 1.2.2",
}
ROUNDING = 1e-6  # of a score, between two float32 networks: many times what they differ by
Printed = Mapping[str, Mapping[str, float]]  # {clip: {tag: score}}


class Condition(NamedTuple):
    """One way to score the clips, and the largest difference of a score from the printed one.

    front_end : a key of FRONT_ENDS. keras : one of RELEASES. together : clips in a batch.
    """

    front_end: str
    keras: str
    together: int
    off: float


def tried(model: str, weights: FilePath, printed: Printed) -> Iterator[Condition]:
    """Score the printed clips, in their order, under every condition.

    Raises NotFound where a clip is not below the data folder, WeightsError for weights that do not
    fit.
    """
    count = len(printed)
    for front_end, spectrogram in FRONT_ENDS.items():
        clips = np.concatenate([spectrogram(clip) for clip in printed])
        for keras in RELEASES:
            tagger = load(model, weights, keras)
            for together in (size for size in range(count, 0, -1) if count % size == 0):
                batches = np.split(clips, count // together)
                scores = np.concatenate([tagger.predict(batch) for batch in batches])
                yield Condition(front_end, keras, together, _off(scores, tagger.tags, printed))


def _off(scores: np.ndarray, tags: tuple[str, ...], printed: Printed) -> float:
    return max(
        abs(float(of[tags.index(tag)]) - figure)
        for of, figures in zip(scores, printed.values(), strict=True)
        for tag, figure in figures.items()
    )


def limit(printed: Printed) -> float:
    """Half a unit of the last printed place, and rounding: as far as a right score may be off."""
    figures = [repr(figure) for of_clip in printed.values() for figure in of_clip.values()]
    places = max(len(figure.partition(".")[2]) for figure in figures)
    return 0.5 * 10.0**-places + ROUNDING


def found(path: str) -> FilePath:
    """A file below the data folder or in the cache. Raises NotFound."""
    if at := store.locate(path):
        return at
    raise NotFound(
        f"{path} is not here; run make fixtures or set PARITY_DATA to a folder that holds it"
    )
