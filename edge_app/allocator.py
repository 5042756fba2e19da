"""Keeping a long-lived server's memory from growing by fragments.

glibc gives threads heaps of their own, up to eight a processor, and keeps what was freed in each for that
thread: pictures and tensors of some megabytes, allocated now here, now there, leave all of them at their
highest level. Two heaps, and pages given back at once where an allocation is large, hold a server with a
mixed load at a constant size (benchmarks/load.py).
"""

from __future__ import annotations

import ctypes
import platform

# From <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_ARENAS = 2
_LARGE_BYTES = 256 * 1024  # from here on an allocation is given back as soon as it is freed
_SPARE_BYTES = 64 * 1024  # free at the end of a heap, above which it is given back


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
