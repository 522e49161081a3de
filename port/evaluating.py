"""GTZAN-style evaluation: FOLDER/<genre>/<audio files> -> accuracy, confusion matrix, recall, and a resumable csv."""

import csv
import hashlib
import io
from pathlib import Path

import click
import numpy as np

from port.commands import exit_code, progress, say
from port.files import CannotWrite, check_writable, write_atomically
from port.inputs import below
from port.outputs import check_picture, told
from port.sentences import shown
from port.tagging import score_files

COLUMNS = ("file", "genre", "predicted", "score", "setting")


def evaluate(network, folder, cut, results, plot):
    """Tag every track below `folder`, appending to the csv `results`; print the figures. Returns the exit code.

    Tracks that `results` holds already are not tagged again. Raises ValueError where there is nothing to evaluate,
    or `results` comes from other weights or options.
    """
    check_picture(plot)
    check_writable(results)
    genres = genres_of(folder, network.tagger.tags)
    setting = _setting(network, cut)
    rows = read_results(results, setting) if results else []
    known = {row["file"] for row in rows}
    tracks = [(path, genre) for genre in genres for path in below(Path(folder) / genre) if _key(path, folder) not in known]
    failed = _score(network.tagger, tracks, folder, cut, setting, genres, rows, results)
    if not rows:
        raise ValueError(f"{shown(folder)}: no track could be tagged; give a folder with audio in a folder per genre")
    click.echo("\n".join([*told(network), *report(rows, genres)]))
    if plot:
        write_atomically(plot, _picture(network, rows, genres, plot))
    return exit_code(len(rows), failed)


def genres_of(folder, tags):
    """The folder's genres in the order of the model's tags. Raises ValueError where there is none, or one is no tag."""
    if not Path(folder).is_dir():
        raise ValueError(f"{shown(folder)} is not a folder; give one that holds a folder of audio per genre")
    names = {path.name for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith(".")}
    unknown = sorted(names - set(tags))
    if unknown or not names:
        what = f"{shown(unknown[0])} is no tag of this model" if unknown else "holds no folder per genre"
        raise ValueError(f"{shown(folder)}: {what}; name the folders after tags: {', '.join(tags)}")
    return [tag for tag in tags if tag in names]


def read_results(path, setting):
    """Rows of an earlier run, [] where there is none; what a stopped run left of its last line is cut off the file."""
    path = Path(path)
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8", errors="surrogateescape").rpartition("\n")[0]
    reader = csv.DictReader(io.StringIO(whole))
    rows = [row for row in reader if None not in row and None not in row.values()]
    if whole and tuple(reader.fieldnames) != COLUMNS:
        raise ValueError(f"{shown(path)} is no file of results; give another name to --results")
    if any(row["setting"] != setting for row in rows):
        raise ValueError(f"{shown(path)} is from other weights or options; delete it or give another name to --results")
    write_atomically(path, _lines([COLUMNS, *(row.values() for row in rows)]))
    return rows


def confusion(rows, genres):
    """Counts (genres,genres): true genre by row, predicted genre by column."""
    counts = np.zeros((len(genres), len(genres)), int)
    for row in rows:
        counts[genres.index(row["genre"]), genres.index(row["predicted"])] += 1
    return counts


def _picture(network, rows, genres, path):
    from port.pictures import matrix, writer_of

    return writer_of(path)(matrix(genres, confusion(rows, genres).tolist(), [*told(network), f"{network.tagger.model}, rows are true"]))


def report(rows, genres):
    """Lines: accuracy, and the confusion matrix with each genre's recall."""
    counts = confusion(rows, genres)
    width = max(map(len, genres)) + 1
    lines = [f"accuracy {np.trace(counts) / counts.sum():.4f} ({np.trace(counts)} of {counts.sum()} tracks)",
             " " * width + "".join(f"{genre:>{width}}" for genre in genres) + "  recall"]
    for genre, row, right in zip(genres, counts, np.diag(counts), strict=True):
        recall = f"{right / row.sum():.3f}" if row.sum() else "-"
        lines.append(f"{genre:<{width}}" + "".join(f"{count:>{width}}" for count in row) + f"  {recall}")
    return lines


def _score(tagger, tracks, folder, cut, setting, genres, rows, results):
    # Appends to rows and to the csv as the tracks come; a track counts for the genre of its best tag among the folders.
    failed = 0
    columns = [tagger.tags.index(genre) for genre in genres]
    scored = score_files(tagger, [path for path, _ in tracks], **cut._asdict())
    for (path, genre), track in zip(tracks, progress(scored, len(tracks), "tagging"), strict=True):
        say(filter(None, (track.error, track.remark)))
        if track.error:
            failed += 1
            continue
        _, scores = track.by_frame()[-1]
        best = int(np.argmax(scores[columns]))
        cells = (_key(path, folder), genre, genres[best], f"{scores[columns][best]:.6f}", setting)
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
        if results:
            _append(results, cells)
    return failed


def _append(path, cells):
    try:
        with open(path, "a", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(_lines([cells] if stream.tell() else [COLUMNS, cells]))
    except OSError as error:
        raise CannotWrite(f"{shown(path)} cannot be written ({error.strerror}); free space or choose another folder") from error


def _lines(rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _key(path, folder):
    return str(path.relative_to(folder))


def _setting(network, cut):
    digest = hashlib.sha256(network.source.read_bytes()).hexdigest()[:12]
    return " ".join([network.tagger.model, digest, cut.frames, cut.front_end, str(cut.batch_size), *network.tagger.remedies])
