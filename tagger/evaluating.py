"""GTZAN-style evaluation: FOLDER/<genre>/<audio files> -> accuracy, confusion matrix, recall.

Results go into a csv, a line per track as it comes, which a second run reads and goes on with.
"""

import csv
import hashlib
import io
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from parity.errors import CannotRun
from parity.files import FilePath, append, check_writable, lock, publish
from parity.program import say
from tagger.commands import check_picture, exit_code, progress, tell, warn_of_batches
from tagger.inputs import Found, below, is_hidden, together
from tagger.outputs import told
from tagger.tagging import score_files, sentences

COLUMNS = ("file", "genre", "predicted", "score", "setting", "remarks")
OTHER_NAME = "give another name to --results"
RESUMED = (
    "{} goes on with {} more tracks, in other batches than one run over all of them would have "
    "made, and CNN0's answers depend on those; delete it for such a run"
)


def evaluate(tagger, cut, folder, results, plot, elsewhere=None):
    """Tag every track below `folder`, appending to the csv `results`, and print the figures.

    Tracks that `results` holds already are not tagged again, and those that are no longer in the
    folder do not count. elsewhere : scores files in other processes: (paths) -> Scored of each, in
    any order. Raises ValueError where there is nothing to evaluate, or `results` comes
    from other weights, options or genres.
    """
    genres = genres_of(folder, tagger.tags)
    tracks, found = tracks_of(folder, genres)
    errors = found.errors
    inputs = [tagger.source, *(path for path, _ in tracks.values())]
    check_picture(plot, inputs)
    check_writable(results, inputs=inputs, force=True)  # read before it is added to
    tell([*errors, *found.passed_over()])
    setting = _setting(tagger, cut, genres)
    with _alone(results):
        score = elsewhere or (lambda paths: score_files(tagger.predict, paths, **cut))
        return _evaluated(
            tagger, cut, score, folder, results, plot, genres, tracks, errors, setting
        )


def _evaluated(tagger, cut, score, folder, results, plot, genres, tracks, errors, setting):
    rows = _known(results, setting, tracks, genres) if results else []
    done = {row["file"] for row in rows}
    left = {key: track for key, track in tracks.items() if key not in done}
    if left and warn_of_batches(tagger, cut["batch_size"]) and rows:
        tell([RESUMED.format(results, len(left))])
    errors += _score(tagger, left, score, setting, genres, rows, results)
    if not rows:
        raise ValueError(
            f"{folder}: no track could be tagged; give a folder with audio in a folder per genre"
        )
    for line in (*told(tagger), tagger.name, *report(rows, genres), *_listed(errors)):
        say(line)
    if plot:
        from tagger.pictures import matrix

        titles = [*told(tagger), f"{tagger.name}, rows are true"]
        drawn = matrix(plot, genres, confusion(rows, genres).tolist(), titles)
        publish({plot: drawn}, inputs=[path for path, _ in tracks.values()])
    return exit_code(len(rows), len(errors))


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


def tracks_of(folder: FilePath, genres: list[str]) -> tuple[dict[str, tuple[Path, str]], Found]:
    """{path below `folder`: (path, genre)} in a steady order, and what else was found."""
    found = {genre: below(Path(folder) / genre) for genre in genres}
    tracks = {
        str(path.relative_to(folder)): (path, genre)
        for genre, of_genre in found.items()
        for path in of_genre.paths
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


def _score(tagger, tracks, score, setting, genres, rows, results):
    """Append to rows and csv as tracks come; returns the errors of bad tracks.

    A track counts for the best of the folders' tags.
    """
    errors, columns = [], [tagger.tags.index(genre) for genre in genres]
    known = {str(path): (key, genre) for key, (path, genre) in tracks.items()}
    scored = score([path for path, _ in tracks.values()])
    for track in progress(scored, len(tracks), "tagging"):
        key, genre = known[str(track.path)]
        tell([track.error] if track.error else sentences(track.path, track.remarks))
        if track.error:
            errors.append(track.error)
            continue
        _, scores = track.by_frame()[-1]
        best = int(np.argmax(scores[columns]))
        cells = (
            key,
            genre,
            genres[best],
            f"{scores[columns][best]:.6f}",
            setting,
            "; ".join(track.remarks),
        )
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
        if results:
            append(results, _lines([cells]))
    return errors


def _setting(tagger, cut, genres):
    """What two runs have in common whose results may stand in one csv."""
    weights, folders = (
        hashlib.sha256(data).hexdigest()[:12]
        for data in (tagger.source.read_bytes(), "\n".join(genres).encode())
    )
    options = map(str, cut.values())
    return " ".join(
        (
            tagger.model,
            f"Keras {tagger.network.release}",
            weights,
            *options,
            f"genres {folders}",
            *tagger.remedies,
        )
    )


@contextmanager
def _alone(results):
    """Nobody else writes `results`, and it is a file with our heading, or a device, or no file."""
    if not results or (os.path.lexists(results) and not os.path.isfile(results)):
        yield
        return
    with lock(results) as is_ours:
        if not is_ours:
            raise CannotRun(f"{results} is being written by another run; wait, or {OTHER_NAME}")
        if not os.path.getsize(results):
            append(results, _lines([COLUMNS]))
        yield


def _known(results, setting, tracks, genres):
    """Rows of an earlier run for the tracks that are still there.

    What a stopped run left of its last line is cut off the file. Raises ValueError for another
    kind of file, and for results of another `setting`.
    """
    if not os.path.isfile(results):
        return []
    rows = _rows(results)
    if any(row["setting"] != setting for row in rows):
        raise ValueError(
            f"{results} is from other weights, options or genre folders; delete it or {OTHER_NAME}"
        )
    if any(not {row["genre"], row["predicted"]} <= {*genres} for row in rows):
        raise ValueError(f"{results} is no file of results; {OTHER_NAME}")
    kept = [row for row in rows if row["file"] in tracks]
    if gone := len(rows) - len(kept):
        tell([f"{results} holds {gone} tracks that are no longer in the folder; they do not count"])
    return kept


def _rows(path):
    """The whole lines of a file of results; what a stopped run left of its last one is cut off."""
    try:
        data = Path(path).read_bytes()
        whole = data.rpartition(b"\n")[0] + b"\n"
        text = whole.decode("utf-8", "surrogateescape")
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list({row.get("file"): row for row in reader}.values())
        if tuple(reader.fieldnames or ()) != COLUMNS or any(map(_is_odd, rows)):
            raise csv.Error
        if len(whole) < len(data):
            os.truncate(path, len(whole))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {OTHER_NAME}") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no file of results; {OTHER_NAME}") from error
    return rows


def _is_odd(row):
    """Whether a line has too few or too many cells."""
    return None in row or None in row.values()


def _lines(rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
