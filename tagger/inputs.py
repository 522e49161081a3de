"""Files, folders and patterns -> audio files, in a steady order; what else is there is counted."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from parity.engine.listing import is_list, listed
from parity.engine.urls import is_url
from parity.errors import CannotRun
from parity.files import FilePath
from tagger.reading import AudioError

SUFFIXES = (
    *(".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".au", ".w64", ".caf"),
)
HIDDEN = "hidden"
NAMED = 5  # kinds of other files


class Found(NamedTuple):
    """Audio files, what is wrong with what was given, and how many files of each other kind."""

    paths: list[Path]
    errors: list[AudioError]
    passed: Counter

    def passed_over(self) -> list[str]:
        """A sentence on what was passed over beside audio files, if anything was."""
        count, kinds = self.passed.total(), self.passed.most_common(NAMED)
        named = ", ".join(f"{of} {kind}" for kind, of in kinds) + ", .." * (
            len(self.passed) > NAMED
        )
        return [f"passed over {count} file{'s' * (count != 1)} ({named})"] * bool(
            count and self.paths
        )


def audio_files(given: Iterable[FilePath], also: Collection[str] = ()) -> Found:
    """Audio files of files, folders (searched below, by suffix), patterns, lists of all these, and
    URLs of object stores, each file once.

    also : suffixes that count as audio, too.
    """
    return together([_expanded(os.fspath(name), {*SUFFIXES, *also}) for name in given])


def together(parts: Collection[Found]) -> Found:
    """One Found of several, each file once."""
    return Found(
        list(dict.fromkeys(path for part in parts for path in part.paths)),
        [error for part in parts for error in part.errors],
        sum((part.passed for part in parts), Counter()),
    )


def below(folder: FilePath, suffixes: Collection[str] = SUFFIXES) -> Found:
    """All audio files below a folder, sorted; an error where it may not be read or has none.

    Hidden files and folders, which hold no sound of their own, are passed over.
    """
    found = Found([], [], Counter())

    def closed(error: OSError) -> None:
        found.errors.append(
            AudioError(
                f"{error.filename} cannot be read ({error.strerror}); "
                "give a folder that may be read"
            )
        )

    for parent, folders, names in os.walk(folder, onerror=closed):
        folders[:] = [name for name in folders if not _passed(name, found)]
        for name in names:
            if not _passed(name, found, suffixes):  # a link to nothing is a track that is missing
                found.paths.append(Path(parent, name))
    found.paths.sort()
    return found._replace(
        errors=found.errors or _unless(found.paths, folder, "holds no audio file")
    )


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's, but left by a system or an archiver."""
    return name.startswith(".") or name == "__MACOSX"


def _passed(name: str, found: Found, suffixes: Collection[str] | None = None) -> bool:
    kind = HIDDEN if is_hidden(name) else None
    if suffixes is not None and not kind and _suffix(name) not in suffixes:
        kind = _suffix(name) or "without a suffix"
    found.passed.update([kind] * bool(kind))
    return bool(kind)


def _expanded(name: str, suffixes: Collection[str]) -> Found:
    if not name:
        return Found([], _unless([], "an empty name", "is no file"), Counter())
    if is_url(name):
        return _stored(name, suffixes)
    if os.path.isdir(name):
        return below(name, suffixes)
    if is_list(name):
        return _listed(name, suffixes)
    if os.path.lexists(name) or not glob.has_magic(name):
        return Found([Path(name)], [], Counter())
    # As the shell would give them one by one, except for files of other kinds.
    matches, found = sorted(_matching(name)), Found([], [], Counter())
    kept = [
        match
        for match in matches
        if not _passed(os.path.basename(match), found, None if os.path.isdir(match) else suffixes)
    ]
    found = together([found, *(_expanded(match, suffixes) for match in kept)])
    what = "matches no audio file" if matches else "matches no file"
    return found._replace(errors=found.errors or _unless(found.paths, name, what))


def _listed(name: str, suffixes: Collection[str]) -> Found:
    """What a list names, as parity.engine.listing says."""
    try:
        named = list(listed(name))
    except CannotRun as error:
        return Found([], [AudioError(str(error))], Counter())
    found = together([_expanded(each, suffixes) for each in named])
    return found._replace(errors=found.errors or _unless(found.paths, name, "names no audio file"))


def _stored(url: str, suffixes: Collection[str]) -> Found:
    """Files of an object store: one, all below a folder, or those that fit a pattern."""
    try:
        import fsspec
    except ImportError:
        said = f"{url}: fsspec is not here, which reads URLs; use the environment of `make corpus`"
        return Found([], [AudioError(said)], Counter())
    found = Found([], [], Counter())
    try:
        store, path = fsspec.core.url_to_fs(url)
        if glob.has_magic(path):
            names = store.glob(path)
        else:
            names = store.find(path) if store.isdir(path) else [path]
    except Exception as error:  # of the store, whatever it is
        why = " ".join(f"{type(error).__name__}: {error}".split())
        said = f"{url} cannot be read ({why}); give one that may be read"
        return Found([], [AudioError(said)], Counter())
    chained = url.partition("::")[1:]  # zip://*.wav::file.zip
    for each in sorted(names):
        if each == path or not _passed(os.path.basename(each), found, suffixes):
            found.paths.append(store.unstrip_protocol(each) + "".join(chained))
    return found._replace(errors=_unless(found.paths, url, "holds no audio file"))


def _matching(pattern: str) -> Iterable[str]:
    """What a pattern matches. One with ** goes through every folder below once, however often it
    says so, and through no link to a folder.
    """
    parts = Path(pattern).parts
    if "**" not in parts:
        return glob.iglob(pattern)
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    top, wanted = Path(*parts[:fixed]), parts[fixed:]
    return (
        os.path.join(folder, name)
        for folder, folders, names in os.walk(top)
        for name in (*folders, *names)
        if not (name in folders and os.path.islink(os.path.join(folder, name)))
        if _matches((*Path(folder).relative_to(top).parts, name), wanted)
    )


def _matches(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a path fits a pattern, part by part; ** stands for any number of folders."""

    def skipped(reached: set[int]) -> set[int]:
        for at in range(len(wanted)):
            if at in reached and wanted[at] == "**":
                reached.add(at + 1)
        return reached

    reached = skipped({0})  # how much of the pattern the path so far may have used up
    for part in parts:
        ends = {at for at in reached if at < len(wanted) and not part.startswith(".")}
        reached = skipped(
            {at for at in ends if wanted[at] == "**"}
            | {at + 1 for at in ends if wanted[at] != "**" and fnmatchcase(part, wanted[at])}
        )
    return len(wanted) in reached


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _unless(paths: list[Path], name: FilePath, what: str) -> list[AudioError]:
    sentence = f"{name} {what}; give wav, flac, ogg or mp3 files, or a folder that holds some"
    return [] if paths else [AudioError(sentence)]
