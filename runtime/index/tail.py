"""Rows that come in a few at a time, in arrays with spare room behind them."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.switch_points import Form
from edge_retrieve.runtime.store import Vectors

_TAIL_ROWS = 1024
_LEAST_ROOM = (
    _TAIL_ROWS  # so large that it is a mapping of its own: what no row has been written to takes no memory
)
_GRAPH_SHARE = 8


def overgrown(held: Partition) -> bool:
    """Return whether so many rows came or went that the files should be written anew."""
    rows, changed = len(held.base.vectors.rows), len(held.tail.vectors.rows) + len(held.gone)
    # A graph takes minutes to build; the others take a second or so, and tails are held in memory.
    most = max(_TAIL_ROWS, rows // _GRAPH_SHARE) if held.base.form is Form.GRAPH else _TAIL_ROWS
    return changed > most or (not rows and changed > 0)


class Tail:
    """Rows of one partition that came since its files were written.

    Whoever has got them keeps the part he knows: rows are written behind the last one only. Arrays that grew
    would be copied into a larger block than the one before, and the holes that they leave, one a partition,
    would fit nothing.

    Not for several writers at once.

    Parameters
    ----------
    dim : int
        Length of a row.
    """

    def __init__(self, dim: int) -> None:
        self._count = 0
        self._owners, self._studies = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._rows = np.zeros((0, dim), np.float32)

    @property
    def vectors(self) -> Vectors:
        """All rows; no copy."""
        end = self._count
        return Vectors(self._owners[:end], self._studies[:end], self._rows[:end])

    def ends_with(self, vectors: Vectors) -> bool:
        """Return whether these are its rows, all of them."""
        return vectors.rows.base is self._rows and len(vectors.rows) == self._count

    def append(self, vectors: Vectors) -> None:
        """Take rows in behind the others."""
        start, end = self._count, self._count + len(vectors.rows)
        if end > len(self._rows):
            self._make_room(max(_LEAST_ROOM, 1 << (end - 1).bit_length()))
        self._owners[start:end] = vectors.owners
        self._studies[start:end] = vectors.studies
        self._rows[start:end] = vectors.rows
        self._count = end

    def _make_room(self, rows: int) -> None:
        held = self.vectors
        self._owners, self._studies = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self._rows = np.empty((rows, held.rows.shape[1]), np.float32)
        self._owners[: self._count] = held.owners
        self._studies[: self._count] = held.studies
        self._rows[: self._count] = held.rows
