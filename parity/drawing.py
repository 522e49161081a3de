"""The one way to vl-convert, whose engine ends the whole process where it has no room."""

import mmap
from functools import cache
from types import ModuleType

from parity.errors import CannotRun

ADDRESSES_BYTES, MEMORY_BYTES = 68 << 30, 600 << 20  # what it reserves, and what it writes to


@cache
def check_room() -> None:
    """Raise CannotRun where this process may not have what charts take (`ulimit -v`, `-d`)."""
    reserved, written = 0, mmap.PROT_READ | mmap.PROT_WRITE
    for size, access in ((ADDRESSES_BYTES, reserved), (MEMORY_BYTES, written)):
        try:
            mmap.mmap(-1, size, mmap.MAP_PRIVATE, access).close()
        except OSError as error:
            raise CannotRun(
                f"charts cannot be drawn: they take {MEMORY_BYTES >> 20} MiB of memory and "
                f"{ADDRESSES_BYTES >> 30} GiB of addresses; raise `ulimit -d` and `ulimit -v`"
            ) from error


def vl_convert() -> ModuleType:
    """The package. Raises CannotRun as `check_room` does."""
    check_room()
    import vl_convert

    return vl_convert
