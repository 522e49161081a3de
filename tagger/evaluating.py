"""GTZAN-style evaluation: FOLDER/<genre>/<audio files> -> accuracy, confusion matrix, recall, and
a table with a row for each track.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parity.engine.job import Row
from parity.engine.tables import check_kind, write
from parity.errors import visible
from parity.files import FilePath, check_writable, publish
from parity.program import say
from tagger.collections import REMARKS, Tagging, tagged
from tagger.commands import check_picture, exit_code, tell, warn_of_batches
from tagger.inputs import Found, below, is_hidden, together
from tagger.outputs import told
from tagger.tagging import sentences

KEPT = ("file", "error", "remarks", "model", "keras", "weights", "remedies")
COLUMNS = {
    **dict.fromkeys(("file", "genre", "predicted"), "text"),
    "score": "number",
    **dict.fromkeys(KEPT[1:], "text"),
}


def evaluate(tagger, job: Tagging, folder, results, plot, scheduler, workers):
    """Tag every track below `folder` and print the figures; returns the exit code.

    results : the table to write; the same call goes on where it was stopped. Raises ValueError
    where there is nothing to evaluate.
    """
    genres = genres_of(folder, tagger.tags)
    tracks, found = tracks_of(folder, genres)
    inputs = [tagger.source, *tracks]
    check_picture(plot, inputs)
    if results:
        check_kind(results)
        check_writable(results, inputs=inputs, make=True)
    tell([*found.errors, *found.passed_over()])
    warn_of_batches(tagger, job.cut[2])
    with tagged(job, [*tracks], results, scheduler, workers) as kept:
        rows = [
            _row(path, Path(path).relative_to(folder), tracks[path], genres, of_track)
            for path, of_track in kept.rows(tracks)
        ]
        if results:
            write(results, COLUMNS, rows, inputs)
    right = [row for row in rows if not row["error"]]
    if not right:
        raise ValueError(
            f"{folder}: no track could be tagged; give a folder with audio in a folder per genre"
        )
    errors = [*found.errors, *(row["error"] for row in rows if row["error"])]
    for line in (*told(tagger), tagger.name, *report(right, genres), *_listed(errors)):
        say(line)
    if plot:
        from tagger.pictures import matrix

        titles = [*told(tagger), f"{tagger.name}, rows are true"]
        drawn = matrix(plot, genres, confusion(right, genres).tolist(), titles)
        publish({plot: drawn}, inputs=inputs)
    return exit_code(len(right), len(errors))


def _row(path: str, name: Path, genre: str, genres: list[str], found: Sequence[Row]) -> Row:
    """A track of the table, which counts for the best of the folders' tags; says what is wrong with
    it.
    """
    last = found[-1]  # the mean, where there are more frames
    row = {**{key: last.get(key) for key in KEPT}, "file": visible(name), "genre": genre}
    if row["error"]:
        tell([row["error"]])
        return row
    tell(sentences(path, last[REMARKS]))
    best = max(genres, key=last.__getitem__)
    return row | {"predicted": best, "score": last[best]}


def genres_of(folder: FilePath, tags: tuple[str, ...]) -> list[str]:
    """The folder's genres in the order of the model's tags.

    Raises ValueError where there is none, or one is no tag.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f"{folder} is not a folder; give one that holds a folder of audio per genre"
        )
    try:
        names = {
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not is_hidden(entry.name)
        }
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be read ({error.strerror}); give a folder that may be read"
        ) from error
    unknown = sorted(names - set(tags))
    if unknown or not names:
        what = f"{unknown[0]} is no tag of this model" if unknown else "holds no folder per genre"
        raise ValueError(f"{folder}: {what}; name the folders after tags: {', '.join(tags)}")
    return [tag for tag in tags if tag in names]


def tracks_of(folder: FilePath, genres: list[str]) -> tuple[dict[str, str], Found]:
    """{path: genre} in a steady order, and what else was found."""
    found = {genre: below(Path(folder) / genre) for genre in genres}
    tracks = {
        os.fspath(path): genre for genre, of_genre in found.items() for path in of_genre.paths
    }
    return tracks, together(found.values())


def confusion(rows: list[dict], genres: list[str]) -> np.ndarray:
    """Counts (genres,genres): true genre by row, predicted genre by column."""
    counts = np.zeros((len(genres), len(genres)), int)
    for row in rows:
        counts[genres.index(row["genre"]), genres.index(row["predicted"])] += 1
    return counts


def report(rows: list[dict], genres: list[str]) -> list[str]:
    """Lines: accuracy, and the confusion matrix with each genre's recall."""
    counts = confusion(rows, genres)
    right, tracks, width = np.trace(counts), counts.sum(), max(map(len, genres)) + 1
    lines = [
        f"accuracy {right / tracks:.4f} ({right} of {tracks} tracks)",
        " " * width + "".join(f"{genre:>{width}}" for genre in genres) + "  recall",
    ]
    for i, (genre, row) in enumerate(zip(genres, counts, strict=True)):
        recall = f"{row[i] / row.sum():.3f}" if row.sum() else "-"
        cells = "".join(f"{count:>{width}}" for count in row)
        lines.append(f"{genre:<{width}}{cells}  {recall}")
    return lines


def _listed(errors):
    """Lines that repeat, below the figures, what is not in them."""
    lines = [f"  {error}" for error in errors]
    return [f"{len(errors)} could not be tagged:", *lines] if errors else []
