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

from edge_retrieve.runtime.index.codes import BLOCK, ByteArray, CodedRows, FloatArray

MOST_DIM = 1024
"""Longest rows the scan takes: it sums bytes of at most 512 nibbles, half of this, in 16 bits."""


class Lanes(Enum):
    """Which of the library's loops runs; for tests, which hold them equal."""

    WIDEST = 0
    PLAIN = 1
    AVX2 = 2


class _Partition(ctypes.Structure):
    _fields_ = [
        *(
            (name, ctypes.c_void_p)
            for name in ("codes", "mean", "rotation", "levels", "residual", "slots", "bytes", "rows")
        ),
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
        library.edge_retrieve_search.argtypes = [
            *(pointer, pointer, pointer, number, ctypes.c_float),
            *(pointer, pointer, pointer, pointer, number),
        ]
        library.edge_retrieve_search.restype = number
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
        self._search = library.edge_retrieve_search
        self._count, self._dim = rows.shape
        nibbles = len(coder.slots)
        assert max(self._dim, 2 * nibbles) <= MOST_DIM
        assert codes.shape == (-(-self._count // BLOCK), nibbles // 2, BLOCK)
        # Kept: the library is told where they lie.
        self._held = tuple(
            np.ascontiguousarray(array, dtype)
            for array, dtype in (
                *((codes, np.uint8), (coder.mean, np.float32), (coder.rotation, np.float32)),
                *((coder.levels, np.float32), (coder.residual, np.float32), (coder.slots, np.int32)),
                *((coded.in_bytes, np.int8), (rows, np.float32)),
            )
        )
        self._partition = _Partition(
            *(array.ctypes.data for array in self._held), self._count, coder.grain, self._dim, nibbles
        )
        self._address = ctypes.addressof(self._partition)
        self._scratch = threading.local()

    def search(
        self,
        query: FloatArray,
        count: int,
        *,
        excluded: ByteArray | None = None,
        width: float | None = None,
        lanes: Lanes = Lanes.WIDEST,
    ) -> Found:
        """Return the best rows for a query.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int
        excluded : uint8 array of shape [n], optional
            Not zero for rows to pass over.
        width : float, optional
            Standard deviations of the codes' error within which a row is looked at; the coder's if left out.
        lanes : Lanes
        """
        count = min(count, self._count)
        query = np.ascontiguousarray(query, np.float32)
        numbers, scores = np.empty(count, np.int64), np.empty(count, np.float32)
        scratch = self._own_scratch()
        scored = ctypes.c_int64()
        found = self._search(
            self._address,
            query.ctypes.data,
            None if excluded is None else excluded.ctypes.data,
            count,
            self._width if width is None else width,
            scratch.ctypes.data,
            numbers.ctypes.data,
            scores.ctypes.data,
            ctypes.byref(scored),
            lanes.value,
        )
        return Found(numbers[:found], scores[:found], scored.value)

    def _own_scratch(self) -> npt.NDArray[np.uint16]:
        held: npt.NDArray[np.uint16] | None = getattr(self._scratch, "held", None)
        if held is None:
            held = self._scratch.held = np.empty(-(-self._count // BLOCK) * (BLOCK + 1), np.uint16)
        return held
