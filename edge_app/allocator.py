"""Keeping a long-lived server's memory from growing by fragments.

glibc gives threads heaps of their own, up to eight a processor, and keeps what was freed in each for that
thread: pictures and tensors of some megabytes, allocated now here, now there, leave all of them at their
highest level. Two heaps, and pages given back at once where an allocation is large, hold a server with a
mixed load at a constant size (benchmarks/load.py). What is freed in the middle of a heap stays with the
process all the same, until somebody trims it: so somebody does, every half a minute.
"""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# From <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_ARENAS = 2
_LARGE_BYTES = 256 * 1024  # from here on an allocation is given back as soon as it is freed
_SPARE_BYTES = 64 * 1024  # free at the end of a heap, above which it is given back

_TRIM_EVERY_S = 30.0


def keep_memory_flat() -> bool:
    """Set the allocator up for many threads with large arrays; call it before they are started.

    Returns
    -------
    bool
        Whether that was done: False where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = (
        (_M_ARENA_MAX, _ARENAS),
        (_M_MMAP_THRESHOLD, _LARGE_BYTES),
        (_M_TRIM_THRESHOLD, _SPARE_BYTES),
    )
    return all(mallopt(name, value) == 1 for name, value in wanted)


@contextmanager
def trimming(every_s: float = _TRIM_EVERY_S) -> Iterator[None]:
    """Give whole pages that are free inside of heaps back from time to time, in a thread of its own.

    Does nothing where the C library is not glibc.

    Parameters
    ----------
    every_s : float
        Seconds in between.
    """
    trim = _trim()
    if trim is None:
        yield
        return
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every_s):
            trim()

    thread = threading.Thread(target=work, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _trim() -> Callable[[], object] | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if found is None:
        return None
    found.argtypes = [ctypes.c_size_t]
    return lambda: found(0)
