"""The one place that opens what somebody else wrote: JSON, HDF5, npz and npy.

What a file may hold is checked before it is believed. Nothing outside the file is read, nothing is
made of more than the file can hold, and all that can be wrong is `Damaged`, whose text goes on from
the file's name. What the numbers mean is checked by who reads them.
"""

import io
import itertools
import json
import math
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from parity.errors import visible

if TYPE_CHECKING:
    import h5py
    import numpy as np

__all__ = [
    "FIGURE", "NUMBER", "TEXT", "Damaged", "faults_of", "hdf5", "json_of", "listed", "npy", "npz",
    "opened", "read_json", "record", "texts",
]  # fmt: skip

JSON_BYTES, JSON_DEPTH = 1 << 24, 64  # fifty times what a run writes
FAULTS = 100  # the first by their place are told of so many
GROUP_DEPTH, OBJECTS = 16, 10_000
SWELLING = 64  # times a file's size: the most that its compressed arrays may hold, or itself
SMALL = 1 << 26  # bytes: a file may hold as many zeros that its file system does not store
HEADER_BYTES = 1 << 14  # NumPy reads no longer one
# JSON schemas
TEXT, NUMBER = {"type": "string"}, {"type": "number"}
FIGURE = {"anyOf": [NUMBER, {"enum": ["inf", "-inf", "nan", None]}]}
# what h5py raises
ERRORS = (RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError)
SHOWN = 60  # letters


class Damaged(OSError):
    """What a file holds cannot be used; the text goes on from the file's name, and advises."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.strerror = text


def opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file, open; OSError for anything else, without waiting for a pipe."""
    stream = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115
    status = os.fstat(stream.fileno())
    is_file = stat.S_ISREG(status.st_mode)
    if is_file and status.st_size <= SMALL + SWELLING * 512 * status.st_blocks:
        return stream
    stream.close()
    raise Damaged("is mostly holes; copy it again" if is_file else "is no file; name one")


def _size(stream: IO[bytes]) -> int:
    return os.fstat(stream.fileno()).st_size


# JSON


def read_json(path: str | os.PathLike[str], schema: dict[str, Any] | None = None) -> Any:
    """The value in a JSON file; see `json_of`. Raises OSError, of which Damaged is one: also for
    what does not fit the JSON schema, where one is given.
    """
    with opened(path) as stream:
        found = json_of(stream.read(JSON_BYTES + 1))
    if schema:
        from jsonschema import Draft202012Validator

        if fault := next(faults_of(found, Draft202012Validator(schema)), None):
            raise Damaged(f"is not what it should be: {fault}")
    return found


def record(**properties: Any) -> dict[str, Any]:
    """The JSON schema of an object that has all these, and maybe more."""
    return {"type": "object", "required": [*properties], "properties": properties}


def listed(items: Any) -> dict[str, Any]:
    """The JSON schema of a list."""
    return {"type": "array", "items": items}


def json_of(data: bytes | str) -> Any:
    """The value of a JSON text.

    Parameters
    ----------
    data : bytes or str
        UTF-8, with or without a byte order mark.

    Returns
    -------
    object

    Raises
    ------
    Damaged
        For text that is none, cut short, nested beyond 64, with a name twice in an object, or with
        a number that no float holds.

    Examples
    --------
    >>> json_of('{"a": [1]}')
    {'a': [1]}
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        if not text.strip():
            raise Damaged("is empty")
        if len(data) > JSON_BYTES:
            raise Damaged("is too large for a document")
        found = json.loads(
            text,
            parse_constant=_no_bare_word,
            parse_float=_finite(float),
            parse_int=_finite(int),
            object_pairs_hook=_each_once,
        )
        _check_depth(found)
        return found
    except json.JSONDecodeError as error:
        cut = f"is cut short or is not JSON (line {error.lineno}: {error.msg})"
        raise Damaged(cut) from error
    except UnicodeDecodeError as error:
        raise Damaged(f"is not UTF-8 text (byte {error.start})") from error
    except (RecursionError, ValueError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise Damaged(f"is not usable JSON ({said})") from error


def faults_of(document: Any, validator: Any) -> Iterator[str]:
    """The faults that a jsonschema validator finds, a sentence with its place each."""
    some = itertools.islice(validator.iter_errors(document), FAULTS)
    broken = sorted(some, key=lambda error: list(map(str, error.absolute_path)))
    yield from (f"{_place(document, error.absolute_path)} {_says(error)}" for error in broken)


def _place(document: Any, path: Iterable[Any]) -> str:
    """Where in the document, in names rather than numbers: `models / CNN0 / layers / conv3`."""
    words = []
    for step in path:
        document = document[step]
        named = isinstance(step, int) and isinstance(document, dict) and "name" in document
        words.append(_short(str(document["name"] if named else step)))
    return " / ".join(words) or "the document"


def _says(error: Any) -> str:
    """The violation in a sentence of bounded length: jsonschema quotes the whole value."""
    rule, wanted = error.validator, error.validator_value
    if rule == "required":
        return f"lacks {next(key for key in wanted if key not in error.instance)!r}"
    expected = {
        "type": f"expected {_listed(wanted)}",
        "enum": f"expected one of {_listed(wanted)}",
        "const": f"expected {wanted!r}",
        "pattern": f"expected text like {wanted}",
        "anyOf": f"expected {error.schema.get('title', 'another kind of value')}",
    }
    other = f"which breaks the rule {rule} {wanted}"
    return f"is {_short(repr(error.instance))}, {expected.get(str(rule), other)}"


def _listed(words: Any) -> str:
    return ", ".join(map(str, words)) if isinstance(words, list) else str(words)


def _finite(kind: Callable[[str], float]) -> Callable[[str], float]:
    """A parser that refuses numbers no float can hold: 1e400 would be read as infinity."""

    def number(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError(f"{_short(text)} is too large for a number")
        return kind(text)

    return number


def _no_bare_word(word: str) -> None:
    written = 'non-finite figures are written "inf", "-inf", "nan"'
    raise ValueError(f"{word} is not a JSON number; {written}")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counted.items() if count > 1)
        raise ValueError(f"an object has {_short(repr(twice))} twice")
    return found


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if (depth := depth + 1) > JSON_DEPTH:
            raise RecursionError
        inside: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inside += each.values()
            elif isinstance(each, list):
                inside += each
        level = inside


def _short(text: object) -> str:
    line = visible(text)
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


# HDF5


@contextmanager
def hdf5(path: str | os.PathLike[str]) -> Iterator["h5py.File"]:
    """An HDF5 file that holds all it says, open for reading.

    Raises
    ------
    OSError
        Where it cannot be opened, and Damaged for external and virtual storage, links to other
        files, names that are no text, arrays of which the file holds only a part, and all that the
        library raises while it is read.
    """
    import h5py

    with opened(path) as stream:
        size = _size(stream)
    try:
        with h5py.File(path, "r") as file:
            try:
                _check_group(file.id, size, {"objects": OBJECTS, "bytes": SWELLING * size})
            except Damaged as error:
                raise Damaged(f"{error}; fetch it again, or give another file") from error
            yield file
    except ERRORS as error:
        if type(error).__module__ != "builtins":  # the sentence of who reads it
            raise
        raise Damaged(f"is damaged HDF5 ({_short(error)}); fetch or copy it again") from error


def _check_group(top: Any, size: int, left: dict[str, int]) -> None:
    """Check every object below the group `top`; `left`: what may still come, counted down."""
    from h5py import h5d, h5g, h5l, h5o

    waiting, seen = [(top, 0)], set()
    while waiting:
        group, depth = waiting.pop()
        _check_attributes(group, size)
        for name in group:
            left["objects"] -= 1
            if depth >= GROUP_DEPTH or left["objects"] < 0:
                raise Damaged("holds groups without end")
            try:
                text = name.decode()
            except UnicodeDecodeError as error:
                raise Damaged(f"has a name that is no text ({name[:SHOWN]!r})") from error
            kind = group.links.get_info(name).type
            if kind == h5l.TYPE_SOFT:
                continue  # where it leads in this file is met there
            if kind != h5l.TYPE_HARD:
                raise Damaged(f"links {_short(text)} to another file, which is not read")
            found = h5o.open(group, name)
            place = h5o.get_info(found).addr
            if place in seen:
                continue
            seen.add(place)
            if isinstance(found, h5g.GroupID):
                waiting.append((found, depth + 1))
            elif isinstance(found, h5d.DatasetID):
                _check_attributes(found, size)
                left["bytes"] -= _checked_bytes(found, _short(text), size)
                if left["bytes"] < 0:
                    raise Damaged(f"would take more than {SWELLING} times its size to read")


def _checked_bytes(dataset: Any, name: str, size: int) -> int:
    """How many bytes an array takes, all of which the file holds."""
    from h5py import h5d, h5t

    settings = dataset.get_create_plist()
    if settings.get_layout() == h5d.VIRTUAL or settings.get_external_count():
        raise Damaged(f"keeps {name} in another file, which is not read")
    if settings.get_layout() == h5d.CHUNKED and len(settings.get_chunk()) != len(dataset.shape):
        raise Damaged(f"cuts {name} into pieces of other dimensions")  # HDF5 would divide by 0
    kind = dataset.get_type()
    is_text = kind.get_class() == h5t.STRING and not kind.is_variable_str()
    is_mask = kind.get_class() == h5t.ENUM and kind.dtype == bool
    if not (is_text or is_mask) and kind.get_class() not in (h5t.INTEGER, h5t.FLOAT):
        raise Damaged(f"holds {name}, which is neither numbers nor text of one length")
    wanted = math.prod(dataset.shape) * kind.get_size()
    held = dataset.get_storage_size()
    most = held * (SWELLING if settings.get_nfilters() else 1)
    if wanted > most or held > size:
        raise Damaged(f"says that {name} takes {wanted:,} bytes and holds {held:,}")
    return wanted


def _check_attributes(owner: Any, size: int) -> None:
    from h5py import h5a

    for at in range(h5a.get_num_attrs(owner)):
        attribute = h5a.open(owner, index=at)
        name = attribute.name
        count = attribute.get_space().get_simple_extent_npoints()
        if count * attribute.get_type().get_size() > size:
            raise Damaged(f"has an attribute {name[:SHOWN]!r} larger than itself")
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"has a name that is no text ({name[:SHOWN]!r})") from error


def texts(owner: "h5py.Group", attribute: str) -> list[str]:
    """An attribute of HDF5 that holds names; KeyError where there is none, Damaged for others."""
    found = owner.attrs[attribute]
    names = found.tolist() if hasattr(found, "tolist") else None
    if not isinstance(names, list) or not all(isinstance(name, (bytes, str)) for name in names):
        raise Damaged(f"has no list of names in {attribute} of {_short(owner.name)}")
    return [name.decode() if isinstance(name, bytes) else name for name in names]


# npz and npy


def npy(path: str | os.PathLike[str]) -> "np.ndarray":
    """The array in an npy file that needs no pickle. Raises OSError, of which Damaged is one."""
    with opened(path) as stream:
        return _array(stream, _size(stream))


def npz(path: str | os.PathLike[str]) -> "dict[str, np.ndarray]":
    """{member: array} of an npz that needs no pickle. Raises OSError, of which Damaged is one."""
    with opened(path) as stream:
        left, found = SWELLING * _size(stream), {}
        try:
            with zipfile.ZipFile(stream) as archive:
                for member in archive.infolist():
                    left -= member.file_size
                    name = member.filename.removesuffix(".npy")
                    if fault := _fault(member, left, name in found):
                        raise Damaged(f"{fault}; write it again with numpy.savez")
                    with archive.open(member) as inside:
                        found[name] = _array(inside, member.file_size)
                return found
        except Damaged:
            raise
        except Exception as error:  # zipfile raises whatever its parts do for a damaged archive
            raise Damaged(f"is cut short or a damaged npz ({_short(error)})") from error


def _fault(member: zipfile.ZipInfo, left: int, is_twice: bool) -> str | None:
    name = _short(repr(member.filename))
    faults = {
        "is encrypted": member.flag_bits & 1,
        f"would take more than {SWELLING} times its size to read": left < 0,
        f"holds {name} twice": is_twice,
        f"holds {name}, which is no array": not member.filename.endswith(".npy"),
        f"holds {name} packed in a way that is not read": member.compress_type
        not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
    }
    return next((fault for fault, is_one in faults.items() if is_one), None)


def _array(stream: IO[bytes], size: int) -> "np.ndarray":
    """The array of an npy of `size` bytes."""
    import numpy as np

    data = bytearray(stream.read(size))
    if data.startswith(b"PK"):
        raise Damaged("is an archive of several arrays (.npz), not one")
    if not data.startswith(b"\x93NUMPY"):
        raise Damaged("is not a .npy file (pickles are not read)")
    form: Any = np.lib.format
    headers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    try:
        head = io.BytesIO(bytes(data[:HEADER_BYTES]))
        shape, fortran, dtype = headers[form.read_magic(head)](head)
        count, start = math.prod(shape), head.tell()
        if dtype.hasobject:
            raise Damaged("holds pickled objects, which are never loaded")
        if count * dtype.itemsize != len(data) - start or len(data) < size:
            raise ValueError(f"{shape} {dtype} is not what {len(data) - start:,} bytes hold")
        flat = np.frombuffer(data, dtype, count, start) if count else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if fortran else "C")
    except Damaged:
        raise
    except Exception as error:  # ast, tokenize and NumPy raise what they like for a bad header
        raise Damaged(f"is cut short or damaged ({_short(error)})") from error
