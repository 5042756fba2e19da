"""The compiled scan of codes (scan.c), where this installation has it.

Kept libraries were measured first (docs/search.md): no kernel of usearch, numkong or NumPy scores two bits a
dimension against a query in full precision, and a scan of bytes takes several times as long. The library
is built with the package where there is a C compiler; elsewhere partitions do without codes.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index.codes import BLOCK, CodedRows, Coder
from edge_retrieve.runtime.index.quantiser import ByteArray, FloatArray

WordArray = npt.NDArray[np.uint64]

MOST_DIM = 1024
"""Longest rows the scan takes: it sums bytes of at most 512 nibbles, half of this, in 16 bits."""


class Lanes(Enum):
    """Which of the library's loops runs; for tests, which hold them equal."""

    WIDEST = 0
    PLAIN = 1
    AVX2 = 2


_ARRAYS = ("codes", "mean", "rotation", "levels", "residual", "spreads", "slots", "bytes", "rows")


class _Partition(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in _ARRAYS),
        ("count", ctypes.c_int64),
        ("grain", ctypes.c_float),
        ("dim", ctypes.c_int32),
        ("nibbles", ctypes.c_int32),
    ]


@cache
def _library() -> ctypes.CDLL | None:
    for path in sorted(Path(__file__).parent.glob("_scan*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue  # built for another machine
        pointer, number = ctypes.c_void_p, ctypes.c_int
        # One of another version of this package does not have this name.
        search = getattr(library, "edge_retrieve_scan", None)
        if search is None:
            continue
        search.argtypes = [
            *(pointer, pointer, number, pointer, number, ctypes.c_float, number),
            *(pointer, pointer, pointer, pointer, pointer),
        ]
        search.restype = number
        library.edge_retrieve_scratch.argtypes = [ctypes.c_int64]
        library.edge_retrieve_scratch.restype = ctypes.c_int64
        return library
    return None


def available() -> bool:
    """Return whether the compiled scan is here."""
    return _library() is not None


@dataclass(frozen=True)
class Found:
    """What a scan found.

    Parameters
    ----------
    numbers : int64 array of shape [n]
        Rows, best first.
    scores : float32 array of shape [n]
        Their inner products with the query, in float32.
    scored : int
        How many rows were scored exactly on the way.
    """

    numbers: npt.NDArray[np.int64]
    scores: FloatArray
    scored: int


class _Room(threading.local):
    """What a thread's scans work in and answer into: one for all partitions, as large as was ever needed."""

    def __init__(self) -> None:
        self.scratch_bytes = self.answers = 0

    def fit(self, scratch_bytes: int, queries: int, count: int) -> None:
        """Make room for so many bytes of scratch, and for the answers to so many queries."""
        if scratch_bytes > self.scratch_bytes:
            self._scratch = np.empty(scratch_bytes, np.uint8)
            self.scratch_bytes, self.scratch = scratch_bytes, self._scratch.ctypes.data
        if queries * (count + 2) > self.answers:
            self.answers = queries * (count + 2)
            self.ids, self.scores = np.empty(self.answers, np.int64), np.empty(self.answers, np.float32)
            self.ids_at, self.scores_at = self.ids.ctypes.data, self.scores.ctypes.data


_room = _Room()


class CodeScan:
    """Codes ready to be scanned. Safe to share between threads: a scan lets other threads run.

    Parameters
    ----------
    coded : CodedRows
    rows : float32 array of shape [n, D]
        What was coded.
    """

    def __init__(self, coded: CodedRows, rows: FloatArray) -> None:
        coder, codes = coded.coder, coded.codes
        library = _library()
        assert library is not None, "ask available() first"
        self._width = coder.width
        self._search = library.edge_retrieve_scan
        self._count, self._dim = rows.shape
        self._scratch_bytes = int(library.edge_retrieve_scratch(self._count))
        nibbles = len(coder.slots)
        assert max(self._dim, 2 * nibbles) <= MOST_DIM
        assert codes.shape == (-(-self._count // BLOCK), nibbles // 2, BLOCK)
        # Kept: the library is told where they lie.
        self._held = tuple(
            np.ascontiguousarray(array, dtype)
            for array, dtype in (
                *((codes, np.uint8), (coder.mean, np.float32), (_to_bfloat16(coder.rotation.T), np.uint16)),
                *((_levels_by_nibble(coder), np.float32), (coder.residual, np.float32)),
                (coder.spreads, np.float32),
                (np.where(coder.slots < 0, self._dim, coder.slots).T, np.int32),
                *((coded.in_bytes, np.int8), (rows, np.float32)),
            )
        )
        self._partition = _Partition(
            *(array.ctypes.data for array in self._held), self._count, coder.grain, self._dim, nibbles
        )
        self._address = ctypes.addressof(self._partition)

    def search(
        self,
        query: FloatArray,
        count: int,
        *,
        excluded: WordArray | None = None,
        width: float | None = None,
        lanes: Lanes = Lanes.WIDEST,
    ) -> Found:
        """Return the best rows for a query.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int
        excluded : uint64 array of shape [blocks], optional
            A bit a row, set for rows to pass over; see `pack_excluded`.
        width : float, optional
            Standard deviations of a row's error by which its score by its code may be too low; the coder's
            if left out.
        lanes : Lanes
        """
        return self.search_all(query, count, excluded=excluded, width=width, lanes=lanes)[0]

    def search_all(
        self,
        queries: FloatArray,
        count: int,
        *,
        excluded: WordArray | None = None,
        width: float | None = None,
        lanes: Lanes = Lanes.WIDEST,
    ) -> list[Found]:
        """Answer several queries, shape [Q, D], in one call; see `search`."""
        count = min(count, self._count)
        number = queries.size // self._dim
        room = _room
        room.fit(self._scratch_bytes, number, count)
        # The tail of the answers' room tells how many there are, and how many rows were scored for them.
        ends = number * count
        failed = self._search(
            self._address,
            queries.astype(np.float32, copy=False).tobytes(),
            number,
            None if excluded is None else excluded.ctypes.data,
            count,
            self._width if width is None else width,
            lanes.value,
            room.scratch,
            room.ids_at,
            room.scores_at,
            room.ids_at + 8 * ends,
            room.ids_at + 8 * (ends + number),
        )
        assert not failed, "the constructor checked the shape"
        found = room.ids[ends : ends + 2 * number].tolist()
        answers = []
        for place in range(number):
            start = place * count
            end = start + found[place]
            answers.append(
                Found(room.ids[start:end].copy(), room.scores[start:end].copy(), found[number + place])
            )
        return answers


def pack_excluded(mask: ByteArray) -> WordArray:
    """Return a mask of rows to pass over, shape [n], as a scan takes it: a bit a row, a word a block."""
    packed = np.zeros(-(-len(mask) // BLOCK) * 8, np.uint8)
    packed[: -(-len(mask) // 8)] = np.packbits(mask, bitorder="little")
    return packed.view("<u8")


def _to_bfloat16(values: FloatArray) -> npt.NDArray[np.uint16]:
    """Round to the 16 upper bits of a float32; half a step is added before the lower bits are cut off."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.asarray(rounded, dtype=np.uint16)


def _levels_by_nibble(coder: Coder) -> FloatArray:
    """Return what a nibble's 16 codes stand for in each of its directions, shape [4, 16, nibbles]."""
    nibbles = len(coder.slots)
    levels = np.zeros((4, 16, nibbles), np.float32)
    bits = 4 // np.array([1, 1, 2, 4, 4])[(coder.slots >= 0).sum(axis=1)]
    code = np.arange(16)[:, np.newaxis]
    for slot in range(4):
        used = np.flatnonzero(coder.slots[:, slot] >= 0)
        own = (code >> (slot * bits[used])) & ((1 << bits[used]) - 1)
        levels[slot][:, used] = coder.levels[coder.slots[used, slot], own]
    return levels
