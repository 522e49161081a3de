"""Under which conditions a tagger gives the scores that its author printed: the front end, the
Keras release by whose formulas its weights are read, and how many clips are scored together.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from parity.files import FilePath
from parity.fixtures import store
from parity.fixtures.tags import OF_COUNT
from parity.untrusted import npy
from tagger.audio import melgram
from tagger.model import load
from tagger.weight_files import NotFound

# Where a clip's spectrogram comes from -> how to get it.
FRONT_ENDS: Mapping[str, Callable[[str], np.ndarray]] = {
    "stored": lambda clip: npy(found(f"melgrams/{clip}.npy")).astype("f4"),
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
    """One way to score clips. front_end : a key of FRONT_ENDS. keras : one of RELEASES. together :
    clips in a batch.
    """

    front_end: str
    keras: str
    together: int


def scored(model: str, weights: FilePath, clips: Iterable[str]) -> dict[Condition, np.ndarray]:
    """The scores (clips,tags) float32 of the clips of those names, under every condition.

    Raises NotFound where a clip is not below the data folder, WeightsError for weights that do not
    fit.
    """
    clips, found = list(clips), {}
    taggers = {keras: load(model, weights, keras) for keras in RELEASES}
    for front_end, spectrogram in FRONT_ENDS.items():
        x = np.concatenate([spectrogram(clip) for clip in clips])
        for keras, tagger in taggers.items():
            for together in (size for size in range(len(x), 0, -1) if len(x) % size == 0):
                batches = np.split(x, len(x) // together)
                scores = np.concatenate([tagger.predict(batch) for batch in batches])
                found[Condition(front_end, keras, together)] = scores
    return found


def off(scores: np.ndarray, printed: Printed) -> float:
    """The largest difference of scores (clips,tags) from the printed ones, clips in their order."""
    tags = OF_COUNT[scores.shape[1]]
    apart = [
        abs(float(of[tags.index(tag)]) - figure)
        for of, figures in zip(scores, printed.values(), strict=True)
        for tag, figure in figures.items()
    ]
    return float(np.max(apart))  # NaN stays NaN


def ranked(
    found: Mapping[Condition, np.ndarray], printed: Printed
) -> tuple[list[tuple[Condition, float]], list[tuple[Condition, float]]]:
    """(conditions that give every printed digit, all others), each with its largest difference,
    the nearest first.
    """
    rows = [(condition, off(scores, printed)) for condition, scores in found.items()]
    rows.sort(key=lambda row: np.nan_to_num(row[1], nan=np.inf))
    count = sum(apart <= limit(printed) for _, apart in rows)
    return rows[:count], rows[count:]


def in_words(conditions: Iterable[Condition]) -> list[str]:
    """Conditions in words, those together that differ in batch or release only."""
    sizes: dict = {}
    for front_end, keras, together in conditions:
        sizes.setdefault((front_end, keras), set()).add(together)
    releases: dict = {}
    for (front_end, keras), of in sizes.items():
        releases.setdefault((front_end, tuple(sorted(of))), []).append(RELEASES[keras])
    said = []
    for (front_end, of), versions in releases.items():
        whose = front_end if front_end == "stored" else f"{front_end}'s"
        how = " or ".join(map(str, of))
        said.append(f"{whose} spectrograms, Keras {', '.join(sorted(versions))}, batches of {how}")
    return said


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
