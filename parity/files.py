"""The one writer of files, and the digest of what they hold.

`publish` writes what a user asked for, `atomic_write` what this program keeps for itself. All rooms
but the port and the recorder use this module.
"""

import fcntl
import functools
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from parity.errors import CannotRun

FilePath = str | os.PathLike[str]

FORCED: ContextVar[bool] = ContextVar("forced", default=False)  # --force was given
HEAD_BYTES = 4096
TAIL_BYTES = {".npz": 4096, ".parquet": 1 << 16}  # where these say what they are
# By suffix, what the files begin with that this program writes; an archive is told by its end.
OURS = {
    ".json": rb'\{\n "(format|verdict|approved|batch|received|model)":',
    ".csv": rb"(model,layer,kind,mode,verdict|file,genre,predicted|file,frame,error),",
    ".jsonl": rb'\{"file": .*"(frame|genre)": ',
    ".parquet": rb"(?s)PAR1.*music-tagger-parity",
    ".xml": rb'<\?xml [^>]*>\n<testsuites name="parity',
    ".html": rb"(?s)<!DOCTYPE html>.{0,400} script-src 'sha256-",
    ".md": rb"\*\*(A selection of )?\d+",
    ".svg": rb'<svg [^>]*class="marks"',
    ".png": rb"(?s).{33}....tEXtSoftware\0music-tagger-parity",
    ".npy": rb"\x93NUMPY.{4}\{'descr': '<f4', 'fortran_order': False, 'shape': \(1, 1, 96, 1366\)",
    ".onnx": rb"\x08.\x12.music-tagger-parity",
    ".npz": rb"(?s)PK\x03\x04.*provenance\.npy",
}

UNSEALED = "sealed:" + "0" * 64  # what a file says where its own sha256 is to come
SEAL = re.compile(rb"sealed:[0-9a-f]{64}")
PART = re.compile(r".+\.[0-9a-f]{8}\.part")  # an output while it is written


def publish(
    outputs: Mapping[FilePath, bytes | str],
    *,
    kind: str = "",
    inputs: Iterable[FilePath] = (),
    force: bool = False,
) -> None:
    """Write a user's outputs, all of them or none.

    A file keeps its mode, and a link leads to where it led. Devices and pipes are written through.

    Parameters
    ----------
    outputs : dict
        {path: what to write, str as UTF-8}. Folders are made.
    kind : str, optional
        A key of OURS for all of them; by default each path's own suffix.
    inputs : iterable of path
        Files that were read to make them, which are never replaced.
    force : bool
        Whether a file of another's may be replaced, as with --force.

    Raises
    ------
    CannotRun
        Where one cannot be written, is an input, or would replace a file of another's without
        --force.
    """
    inputs = list(inputs)
    with ExitStack() as leave, ExitStack() as undo:
        made = []
        for path, data in outputs.items():
            check_writable(path, kind, inputs, make=True, force=force)
            with _told(path):
                if not _is_stream(path):
                    target = Path(os.path.realpath(path))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.append((path, _beside(target, data, leave), target))
        for path, data in outputs.items():
            if _is_stream(path):
                append(path, data)
        for path, temporary, target in made:
            with _told(path):
                if target.exists():
                    os.link(target, kept := f"{temporary}.old")
                    leave.callback(Path(kept).unlink, missing_ok=True)
                    undo.callback(os.replace, kept, target)
                else:
                    undo.callback(target.unlink, missing_ok=True)
                os.replace(temporary, target)
        undo.pop_all()


def atomic_write(path: FilePath, data: bytes | str) -> None:
    """Write a file of this program's own: readers see the old one or the new one, never a part."""
    path = Path(path)
    with ExitStack() as leave, _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(_beside(path, data, leave), path)


@contextmanager
def replacing(path: FilePath, *, inputs: Iterable[FilePath] = ()) -> Iterator[str]:
    """Write a user's output that is too large for memory: yields the name of a file to write, which
    takes the place of `path` at the end, or goes; a device or pipe is written through. Raises
    CannotRun where `publish` would.
    """
    check_writable(path, inputs=inputs, make=True)
    if _is_stream(path):
        with _told(path):
            yield os.fspath(path)
        return
    target = Path(os.path.realpath(path))
    with ExitStack() as leave, _told(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        name = _beside(target, b"", leave)
        yield name
        with open(name, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(name, target)


def append(path: FilePath, data: bytes | str) -> None:
    """Add to a file, device or pipe."""
    with _told(path), open(path, "ab") as stream:
        stream.write(_bytes(data))


@contextmanager
def lock(path: FilePath) -> Iterator[bool]:
    """Hold a file alone, made where it is missing; yields False where another process holds it."""
    with _told(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def check_writable(
    path: FilePath | None,
    kind: str = "",
    inputs: Iterable[FilePath] = (),
    *,
    make: bool = False,
    force: bool = False,
) -> None:
    """Raise CannotRun where `publish` would, before work is done that would be lost.

    make : whether the folder is going to be made.
    """
    if path and (fault := _fault(Path(path), kind, inputs, make, force)):
        raise CannotRun(f"{path} cannot be written: {fault}")


def _fault(
    path: Path, kind: str, inputs: Iterable[FilePath], make: bool, force: bool
) -> str | None:
    try:
        target = Path(os.path.realpath(path))
        folder = target.parent
        while make and not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            return f"{folder} is not a folder; make it or choose another"
        if target.is_symlink():
            return "its links lead in a circle; choose another name"
        if target.is_dir():
            return "it is a folder; give the name of a file"
        if target.exists() and not os.access(target, os.W_OK):
            return "it may not be written to; choose another file"
        if _is_stream(path):
            return None
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"{folder} may not be written to; choose another folder"
        if target.exists() and any(target.samefile(each) for each in inputs if Path(each).exists()):
            return "it is an input and would be overwritten; name another file"
        if not (force or FORCED.get()) and not _is_ours(target, kind or path.suffix.lower()):
            return "a file is there that this program did not write; name another, or say --force"
    except (OSError, ValueError) as error:
        return f"{getattr(error, 'strerror', None) or error}; choose another name"
    return None


def _is_stream(path: FilePath) -> bool:
    """Whether what is there is a device, a pipe or an open descriptor, not a file."""
    if not os.path.exists(path):
        return False
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    is_file = stat.S_ISREG(os.stat(path).st_mode)
    return not is_file or folder == "/dev" or folder.startswith("/proc/")


def _is_ours(path: Path, kind: str) -> bool:
    if not path.exists():
        return True
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
        if kind in TAIL_BYTES:
            stream.seek(-min(path.stat().st_size, TAIL_BYTES[kind]), os.SEEK_END)
            head += stream.read()
    return not head or (kind in OURS and bool(re.match(OURS[kind], head)))


def _beside(path: Path, data: bytes | str, leave: ExitStack) -> str:
    """Write `data` into a new file beside `path`, with its mode; returns the file's name. It is
    held until `leave` ends, so that others see that its writer lives.
    """
    _sweep(path.parent.absolute())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    linked = 0
    while not linked:  # else it was swept away before it was held
        name = str(path.with_name(f"{path.name[:80]}.{secrets.token_hex(4)}.part"))
        stream = leave.enter_context(os.fdopen(os.open(name, flags, 0o666), "wb", 0))
        leave.callback(Path(name).unlink, missing_ok=True)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(stream, fcntl.LOCK_EX)
        linked = os.fstat(stream.fileno()).st_nlink
    with suppress(FileNotFoundError):
        before = os.stat(path)
        with suppress(PermissionError):
            os.fchown(stream.fileno(), before.st_uid, before.st_gid)
        os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode))
    left = memoryview(_bytes(data))
    while left:
        left = left[stream.write(left) :]
    os.fsync(stream.fileno())  # a full disk may not say so before
    return name


@functools.cache
def _sweep(folder: Path) -> None:
    """Remove, once, what dead processes of this program left of outputs: files by the name of a
    part, that nobody holds, and that begin as this program's files do.
    """
    flags, found = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, []
    with suppress(OSError):
        found = [path for path in folder.iterdir() if PART.fullmatch(path.name)]
    for path in found:
        kind = Path(path.stem).with_suffix("").suffix.lower()
        with suppress(OSError), os.fdopen(os.open(path, flags), "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_file = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            own = os.fstat(stream.fileno()).st_uid == os.geteuid()
            begun = kind == ".parquet" and stream.read(4) == b"PAR1"  # says whose it is at its end
            if is_file and own and kind in OURS and (begun or _is_ours(path, kind)):
                path.unlink()


def _bytes(data: bytes | str) -> bytes:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data


@contextmanager
def _told(path: FilePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error


def sha256_of(path: FilePath) -> str:
    """sha256 of a file's bytes, hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sealed(data: bytes) -> bytes:
    """A file's bytes with their sha256 in the place of UNSEALED: whatever changes them shows."""
    seal = f"sealed:{hashlib.sha256(data).hexdigest()}"
    return data.replace(UNSEALED.encode(), seal.encode())


def is_sealed(data: bytes) -> bool:
    """Whether `sealed` made these bytes, and nobody changed them since."""
    blank, seals = SEAL.subn(UNSEALED.encode(), data)
    return seals == 1 and sealed(blank) == data
