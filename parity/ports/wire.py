"""How the harness and a port's process talk: framed JSON over a socket, arrays in shared memory.

A frame is a length and a JSON text. Its arrays lie in a memory that the sender alone writes; the
frame says of each its dtype, shape and place. Every frame carries a token: an answer is the answer
to the question with the same token, and to no other.
"""

import json
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from parity.port_api import NUMBERS, is_array

ARRAY = "\0array"  # {ARRAY: i} in a frame's body: the i-th array
ALIGNED = 64  # bytes
LENGTH = struct.Struct("!I")
LONGEST = 1 << 26  # bytes of JSON
LEAST = 1 << 20  # bytes of a memory; it doubles as it grows


class Damaged(Exception):
    """What came is no frame, or not the one that is due."""


def new_memory() -> int:
    """The descriptor of an empty memory without a name."""
    if hasattr(os, "memfd_create"):
        import fcntl

        memory = os.memfd_create("port", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        # it may grow and never shrink, or reading it would kill the reader
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return memory
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Memory:
    """Arrays in a file that two processes map."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.map: mmap.mmap | None = None

    def array(self, dtype: np.dtype, shape: tuple[int, ...], at: int) -> np.ndarray:
        """The array that lies at a place, as it stands there."""
        size, map = at + dtype.itemsize * prod(shape), self.map
        if map is None or len(map) < size:
            there = os.fstat(self.descriptor).st_size
            if there < size:
                raise Damaged(f"it ends at {there} bytes, of {size}")
            # what was mapped before stays as long as an array lies in it
            map = self.map = mmap.mmap(self.descriptor, there)
        return np.ndarray(shape, dtype, map, at)

    def reserve(self, size: int) -> None:
        if os.fstat(self.descriptor).st_size < size:
            os.ftruncate(self.descriptor, max(LEAST, 1 << (size - 1).bit_length()))


class Channel:
    """One end: `send` and `receive` whole frames."""

    def __init__(self, line: socket.socket, own: int, theirs: int) -> None:
        self.line, self.own, self.theirs = line, Memory(own), Memory(theirs)

    def send(self, token: str, body: Any) -> None:
        """Send a body: JSON's values and arrays of numbers. TypeError for anything else."""
        arrays: list[np.ndarray] = []
        plain = _plain(body, arrays)
        places, end = [], 0
        for array in arrays:
            places.append(end)
            end += -(-(array.nbytes + 1) // ALIGNED) * ALIGNED
        self.own.reserve(end)
        for array, at in zip(arrays, places, strict=True):
            self.own.array(array.dtype, array.shape, at)[...] = array
        forms = [
            [array.dtype.str, array.shape, at] for array, at in zip(arrays, places, strict=True)
        ]
        text = json.dumps([token, plain, forms]).encode()
        if len(text) > LONGEST:
            raise TypeError(f"{len(text)} bytes beside its arrays, of at most {LONGEST}")
        self.line.sendall(LENGTH.pack(len(text)) + text)

    def receive(self, waiting: Callable[[], None] = lambda: None) -> tuple[str, Any]:
        """(token, body) of the next frame, its arrays copied. waiting : called now and then while
        nothing comes. EOFError where the other end is closed, else Damaged.
        """
        try:
            (length,) = LENGTH.unpack(self._exactly(LENGTH.size, waiting))
            if length > LONGEST:
                raise Damaged(f"a frame of {length} bytes")
            token, body, forms = json.loads(self._exactly(length, waiting))
            return str(token), _whole(body, [self._array(*form) for form in forms])
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise Damaged(f"{type(error).__name__}: {error}") from error

    def _array(self, form: str, shape: list[int], at: int) -> np.ndarray:
        dtype = np.dtype(form)
        if dtype.kind not in NUMBERS or at < 0 or any(size < 0 for size in shape):
            raise Damaged(f"an array of {form}, {shape} at {at}")
        return self.theirs.array(dtype, tuple(shape), at).copy()

    def _exactly(self, count: int, waiting: Callable[[], None]) -> bytes:
        found = bytearray()
        while len(found) < count:
            try:
                part = self.line.recv(count - len(found))
            except TimeoutError:
                waiting()
                continue
            if not part:
                raise EOFError
            found += part
        return bytes(found)


def _plain(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value as JSON has it, its arrays put aside."""
    if is_array(value):
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {_key(key): _plain(held, arrays) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(held, arrays) for held in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{type(value).__name__}, which JSON does not have")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"the key {key!r}, which is no text")


def _whole(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        if ARRAY in value:
            return arrays[value[ARRAY]]
        return {key: _whole(held, arrays) for key, held in value.items()}
    return [_whole(held, arrays) for held in value] if isinstance(value, list) else value
