"""GTZAN-style evaluation: FOLDER/<genre>/<audio files> -> accuracy, confusion matrix, recall, and
a resumable csv.
"""

import hashlib
import os
from pathlib import Path

import click
import numpy as np

from parity.port.files import FilePath, check_writable, write_atomically
from parity.port.sentences import shown
from tagger.commands import exit_code, progress, say, warn_of_batches
from tagger.inputs import below
from tagger.outputs import check_picture, told
from tagger.reading import AudioError
from tagger.results import COLUMNS, append, read_results
from tagger.tagging import score_files

RESUMED = (
    "{} goes on with {} more tracks, in other batches than one run over all of them "
    "would have made, "
    "and CNN0's answers depend on those; delete it for such a run"
)


def evaluate(network, folder, cut, results, plot):
    """Tag every track below `folder`, appending to the csv `results`; print the figures. Returns
    the exit code.

    Tracks that `results` holds already are not tagged again, and those that are no longer in the
    folder do not count. Raises ValueError where there is nothing to evaluate, or `results` comes
    from other weights, options or genres.
    """
    check_picture(plot)
    check_writable(results)
    genres = genres_of(folder, network.tagger.tags)
    tracks, errors = tracks_of(folder, genres)
    say(errors)
    setting = _setting(network, cut, genres)
    rows = _known(results, setting, tracks) if results else []
    left = {key: track for key, track in tracks.items() if key not in {row["file"] for row in rows}}
    if left and warn_of_batches(network, cut.batch_size) and rows:
        say([RESUMED.format(shown(results), len(left))])
    errors += _score(network.tagger, left, cut, setting, genres, rows, results)
    if not rows:
        raise ValueError(
            f"{shown(folder)}: no track could be tagged; give a folder with audio in a "
            "folder per genre"
        )
    click.echo("\n".join([*told(network), *report(rows, genres), *_listed(errors)]))
    if plot:
        write_atomically(plot, _picture(network, rows, genres, plot))
    return exit_code(len(rows), len(errors))


def genres_of(folder: FilePath, tags: tuple[str, ...]) -> list[str]:
    """The folder's genres in the order of the model's tags. Raises ValueError where there is none,
    or one is no tag.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f"{shown(folder)} is not a folder; give one that holds a folder of audio per genre"
        )
    try:
        names = {
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".")
        }
    except OSError as error:
        raise ValueError(
            f"{shown(folder)} cannot be read ({error.strerror}); give a folder that may be read"
        ) from error
    unknown = sorted(names - set(tags))
    if unknown or not names:
        what = (
            f"{shown(unknown[0])} is no tag of this model"
            if unknown
            else "holds no folder per genre"
        )
        raise ValueError(f"{shown(folder)}: {what}; name the folders after tags: {', '.join(tags)}")
    return [tag for tag in tags if tag in names]


def tracks_of(
    folder: FilePath, genres: list[str]
) -> tuple[dict[str, tuple[Path, str]], list[AudioError]]:
    """({path below `folder`: (path, genre)} in a steady order, AudioErrors for genre folders that
    are empty or may not be read).
    """
    tracks, errors = {}, []
    for genre in genres:
        paths, faults = below(Path(folder) / genre)
        tracks |= {str(path.relative_to(folder)): (path, genre) for path in paths}
        errors += faults
    return tracks, errors


def _known(results, setting, tracks):
    """Rows of an earlier run for the tracks that are still there."""
    rows = read_results(results, setting)
    kept = [row for row in rows if row["file"] in tracks]
    if len(kept) < len(rows):
        say(
            [
                (
                    f"{shown(results)} holds {len(rows) - len(kept)} tracks that are no "
                    "longer in the folder; they do not count"
                )
            ]
        )
    return kept


def confusion(rows: list[dict], genres: list[str]) -> np.ndarray:
    """Counts (genres,genres): true genre by row, predicted genre by column."""
    counts = np.zeros((len(genres), len(genres)), int)
    for row in rows:
        counts[genres.index(row["genre"]), genres.index(row["predicted"])] += 1
    return counts


def _picture(network, rows, genres, path):
    from tagger.pictures import matrix, writer_of

    return writer_of(path)(
        matrix(
            genres,
            confusion(rows, genres).tolist(),
            [*told(network), f"{network.tagger.model}, rows are true"],
        )
    )


def report(rows: list[dict], genres: list[str]) -> list[str]:
    """Lines: accuracy, and the confusion matrix with each genre's recall."""
    counts = confusion(rows, genres)
    width = max(map(len, genres)) + 1
    lines = [
        (
            f"accuracy {np.trace(counts) / counts.sum():.4f} ({np.trace(counts)} of "
            f"{counts.sum()} tracks)"
        ),
        " " * width + "".join(f"{genre:>{width}}" for genre in genres) + "  recall",
    ]
    for genre, row, right in zip(genres, counts, np.diag(counts), strict=True):
        recall = f"{right / row.sum():.3f}" if row.sum() else "-"
        lines.append(
            f"{genre:<{width}}" + "".join(f"{count:>{width}}" for count in row) + f"  {recall}"
        )
    return lines


def _listed(errors):
    """Lines that say again, below the figures, what is not in them."""
    return (
        [f"{len(errors)} could not be tagged:", *(f"  {shown(error)}" for error in errors)]
        if errors
        else []
    )


def _score(tagger, tracks, cut, setting, genres, rows, results):
    """AudioErrors of bad tracks. Appends to rows and to the csv as tracks come; each counts for
    the best of the folders' tags.
    """
    errors, columns = [], [tagger.tags.index(genre) for genre in genres]
    scored = score_files(tagger, [path for path, _ in tracks.values()], **cut._asdict())
    for (key, (_, genre)), track in zip(
        tracks.items(), progress(scored, len(tracks), "tagging"), strict=True
    ):
        say(filter(None, (track.error, *track.remarks)))
        if track.error:
            errors.append(track.error)
            continue
        _, scores = track.by_frame()[-1]
        best = int(np.argmax(scores[columns]))
        cells = (key, genre, genres[best], f"{scores[columns][best]:.6f}", setting)
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
        if results:
            append(results, cells)
    return errors


def _setting(network, cut, genres):
    weights, folders = (
        hashlib.sha256(data).hexdigest()[:12]
        for data in (network.source.read_bytes(), "\n".join(genres).encode())
    )
    parts = (
        network.tagger.model,
        weights,
        *map(str, cut),
        f"genres {folders}",
        *network.tagger.remedies,
    )
    return " ".join(parts)
