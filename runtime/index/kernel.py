"""The compiled scan of codes (scan.c, scan_module.c), where this installation has it.

Kept libraries were measured first (docs/search.md): no kernel of usearch, numkong or NumPy scores two bits a
dimension against a query in full precision, and a scan of bytes takes several times as long. The library
is built with the package where there is a C compiler; elsewhere partitions do without codes.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index.cells import BLOCK
from edge_retrieve.runtime.index.codes import CodedRows, Coder
from edge_retrieve.runtime.index.quantiser import FloatArray

try:
    _scan: Any = importlib.import_module("edge_retrieve.runtime.index._scan")
except ImportError:  # built for another machine, or not at all
    _scan = None

IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]

MOST_DIM = 1024
"""Longest rows the scan takes: it sums bytes of at most 512 nibbles, half of this, in 16 bits."""


class Lanes(Enum):
    """Which of the library's loops runs; for tests, which hold them equal."""

    WIDEST = 0
    PLAIN = 1
    AVX2 = 2
    AVX512 = 3


_WIDEST = Lanes.WIDEST.value
_INT64, _FLOAT32 = np.dtype(np.int64), np.dtype(np.float32)
_from_bytes = np.frombuffer


def available() -> bool:
    """Return whether the compiled scan is here."""
    return _scan is not None


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
        What was coded, in the order of the cells.
    studies : int64 array of shape [n]
        Whose rows they are.
    """

    def __init__(self, coded: CodedRows, rows: FloatArray, studies: IntArray) -> None:
        assert _scan is not None, "ask available() first"
        coder, codes, cells, reach = coded.coder, coded.codes, coded.cells, coded.reach
        self._width = coder.width
        self._search = _scan.search
        count, dim = rows.shape
        nibbles = len(coder.slots)
        assert max(dim, 2 * nibbles) <= MOST_DIM
        assert codes.shape == (cells.starts[-1], nibbles // 2, BLOCK)
        sharing = max(1, int((coder.slots >= 0).sum(axis=1).max()))
        # Kept: the scan is told where they lie.
        self._held = tuple(
            np.ascontiguousarray(array, dtype)
            for array, dtype in (
                *((codes, np.uint8), (coder.mean, np.float32), (_to_bfloat16(coder.rotation.T), np.uint16)),
                *((_levels_by_nibble(coder)[:sharing], np.float32), (coder.residual, np.float32)),
                (coder.spreads, np.float32),
                (np.where(coder.slots < 0, dim, coder.slots).T[:sharing], np.int32),
                *((cells.starts, np.int32), (cells.offsets, np.int32)),
                *((_to_bfloat16(reach.centres.T), np.uint16), (reach.scatter, np.float32)),
                (reach.shares, np.float32),
                *((coded.in_bytes, np.int8), (rows, np.float32), (studies, np.int64)),
            )
        )
        addresses = tuple(array.ctypes.data for array in self._held)
        self._cells = cells
        wider = reach.width / coder.width
        self._partition = _scan.partition(
            addresses, count, coder.grain, wider, dim, nibbles, sharing, len(cells.counts)
        )

    def search(
        self,
        query: FloatArray,
        count: int,
        *,
        excluded: WordArray | None = None,
        width: float | None = None,
        thorough: bool = False,
        lanes: Lanes = Lanes.WIDEST,
    ) -> Found:
        """Return the best rows for a query.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int
        excluded : uint64 array of shape [blocks], optional
            Rows to pass over; see `excluding`.
        width : float, optional
            Standard deviations of a row's error by which its score by its code may be too low; the coder's
            if left out. Cells are passed over by as many more or fewer.
        thorough : bool
            Pass over no cell.
        lanes : Lanes
        """
        [found] = self.search_all(
            query, count, excluded=excluded, width=width, thorough=thorough, lanes=lanes
        )
        return found

    def search_all(
        self,
        queries: FloatArray,
        count: int,
        *,
        excluded: WordArray | None = None,
        width: float | None = None,
        thorough: bool = False,
        lanes: Lanes = Lanes.WIDEST,
    ) -> list[Found]:
        """Answer several queries, shape [Q, D], in one call; see `search`."""
        width = self._width if width is None else width
        queries = _float32(queries)
        answers = self._search(self._partition, queries, count, width, thorough, excluded, lanes.value, False)
        return [
            Found(_from_bytes(numbers, _INT64), _from_bytes(scores, _FLOAT32), scored)
            for numbers, scores, scored in answers
        ]

    def best_studies(
        self, query: FloatArray, count: int, excluded: WordArray | None = None, thorough: bool = False
    ) -> tuple[IntArray, FloatArray]:
        """Return the studies of the best rows for a query, shape [D], and the rows' scores.

        As `search`, with less around it: where caches are cold, every call and every name looked up between
        the caller and the scan takes a microsecond, together a quarter of the search.
        """
        if query.dtype != _FLOAT32:
            query = query.astype(_FLOAT32)
        [(studies, scores, _)] = self._search(
            self._partition, query, count, self._width, thorough, excluded, _WIDEST, True
        )
        return _from_bytes(studies, _INT64), _from_bytes(scores, _FLOAT32)

    def all_best_studies(
        self, queries: FloatArray, count: int, excluded: WordArray | None = None, thorough: bool = False
    ) -> list[tuple[IntArray, FloatArray]]:
        """Answer several queries, shape [Q, D], in one call; see `best_studies`."""
        answers = self._search(
            self._partition, _float32(queries), count, self._width, thorough, excluded, _WIDEST, True
        )
        return [
            (_from_bytes(studies, _INT64), _from_bytes(scores, _FLOAT32)) for studies, scores, _ in answers
        ]

    def score_all(self, query: FloatArray, scores: FloatArray, *, lanes: Lanes = Lanes.WIDEST) -> float:
        """Score every row by its copy in bytes.

        Parameters
        ----------
        query : float32 array of shape [D]
        scores : float32 array of shape [n]
            By the numbers of studies: filled in with the best of a study's rows, where that is more than
            what is there, or nothing (NaN) is.
        lanes : Lanes

        Returns
        -------
        float
            By how much such a score may differ from that by the row's float32 values.
        """
        return float(_scan.score_all(self._partition, _float32(query), scores, lanes.value))

    def excluding(self, rows: IntArray) -> WordArray:
        """Return rows to pass over as a scan takes them: a bit for each place, a word a block."""
        mask = np.zeros(int(self._cells.starts[-1]) * BLOCK, np.uint8)
        mask[self._cells.places(rows)] = 1
        return np.packbits(mask, bitorder="little").view("<u8")


def _float32(values: FloatArray) -> FloatArray:
    return values if values.dtype == _FLOAT32 else values.astype(_FLOAT32)


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
