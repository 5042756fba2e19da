"""Cells: which of a partition's rows lie together, and how high those of a cell can score.

Rows are shared out to the nearest of about as many centres as a cell then has rows (Lloyd, "Least squares
quantization in PCM", 1982), and rows and codes lie in the order of their cells. A row's score is its
centre's and what it scatters around it. The scatter of a cell's rows along a query has a standard
deviation: the partition's, by direction, times the cell's own share. A cell is passed over where its
centre's score and about three of these stay below the worst of the best so far; each partition measures how
many it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index.quantiser import FloatArray, IntArray

BLOCK = 64
"""Places in a block, which is one cell's; the kernel's too."""

MOST_CELLS = 1024
"""The kernel's too."""

_DIRECTIONS = 32  # principal directions by which the nearest centre is found
_SAMPLE = 2048  # rows from which centres are learnt, at least eight to a centre
_AT_ONCE = 4096
_ROUNDS = 4
_FARTHEST = 1.6  # root mean square distances from its centre at which the farthest row of most cells lies
_ASSUMED = 8  # rows of common scatter that are counted to each cell


@dataclass(frozen=True)
class Cells:
    """Where rows lie that come cell by cell: a cell's codes begin with a block and fill as many as they take.

    Parameters
    ----------
    starts : int32 array of shape [C + 1]
        The block with which each cell begins, and where the last one ends.
    offsets : int32 array of shape [C + 1]
        How many rows come before each cell's, of which there is at least one; their number at the end.
    """

    starts: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, counts: IntArray) -> Cells:
        """Lay out cells of so many rows each."""
        starts = np.concatenate([[0], np.cumsum(-(-counts // BLOCK))])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return cls(starts.astype(np.int32), offsets.astype(np.int32))

    @property
    def counts(self) -> IntArray:
        """Rows of each cell, shape [C]."""
        return np.diff(self.offsets)

    @property
    def numbers(self) -> IntArray:
        """The cell of each row, shape [n]."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)

    def places(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
        """Return where the codes of rows lie, counted over all blocks; shape [n]."""
        cells = np.searchsorted(self.offsets, rows, side="right") - 1
        return rows + (self.starts[cells] * BLOCK - self.offsets[cells])

    def take_apart(self, ordered: FloatArray) -> FloatArray:
        """Take their cells' means from all rows, shape [n, D], in place; return these, shape [C, D]."""
        centres = np.empty((len(self.counts), ordered.shape[1]), np.float32)
        for cell, (start, end) in enumerate(zip(self.offsets[:-1], self.offsets[1:], strict=True)):
            rows = ordered[start:end]
            rows -= rows.mean(axis=0, out=centres[cell])
        return centres


@dataclass(frozen=True)
class Reach:
    """What says how high a cell's rows can score.

    Parameters
    ----------
    centres : float32 array of shape [C, D]
        Means of the cells' rows, less the mean of all, in the coder's directions.
    scatter : float32 array of shape [D]
        Per direction, the variance of rows around their centres.
    shares : float32 array of shape [C]
        Root mean square distance of a cell's rows from their centre, over that of all; more where one lies
        far off.
    width : float
        Standard deviations by which a row may score above its centre.
    """

    centres: FloatArray
    scatter: FloatArray
    shares: FloatArray
    width: float

    def deviations(self, queries: FloatArray) -> FloatArray:
        """Return the standard deviation of scores within each cell, shape [Q, C].

        Parameters
        ----------
        queries : float32 array of shape [Q, D]
            In the coder's directions.
        """
        along = np.sqrt(np.square(queries) @ self.scatter)
        return np.asarray(along[:, np.newaxis] * self.shares, dtype=np.float32)


def count_cells(rows: int) -> int:
    """Return into how many cells so many rows go: their square root, the cheapest to ask and to search."""
    return int(min(MOST_CELLS, max(1, round(rows**0.5))))


def share_out(rows: FloatArray, mean: FloatArray) -> tuple[IntArray, Cells]:
    """Share rows out to cells.

    Parameters
    ----------
    rows : float32 array of shape [n, D]
    mean : float32 array of shape [D]

    Returns
    -------
    order : int32 array of shape [n]
        The rows cell by cell; those of a cell ascend.
    cells : Cells
        Of rows in this order.
    """
    number = count_cells(len(rows))
    sample = rows[:: max(1, len(rows) // max(_SAMPLE, 8 * number))] - mean
    directions = np.linalg.eigh(sample.T @ sample)[1][:, : -_DIRECTIONS - 1 : -1]
    leading = np.ascontiguousarray(directions, dtype=np.float32)
    centres = _centres(np.asarray(sample @ leading, dtype=np.float32), number)
    centres += mean @ leading  # in place of taking the mean from every row
    cells = np.empty(len(rows), np.int32)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        cells[part] = _nearest(rows[part] @ leading, centres)
    counts = np.bincount(cells, minlength=len(centres)).astype(np.int32)
    return np.argsort(cells, kind="stable").astype(np.int32), Cells.of(counts[counts > 0])


def _centres(sample: FloatArray, count: int) -> FloatArray:
    """Return the centres that Lloyd's rounds lead to, from rows spread over the sample; shape [count, d]."""
    centres = sample[np.linspace(0, len(sample) - 1, min(count, len(sample))).astype(np.int64)].copy()
    for _ in range(_ROUNDS):
        members = (_nearest(sample, centres) == np.arange(len(centres))[:, np.newaxis]).astype(np.float32)
        counts = members.sum(axis=1, keepdims=True)
        np.divide(members @ sample, counts, out=centres, where=counts > 0)
    return np.asarray(centres, dtype=np.float32)


def _nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    closeness = rows @ centres.T
    closeness -= np.float32(0.5) * np.square(centres).sum(axis=1)
    return np.asarray(np.argmax(closeness, axis=1), dtype=np.int32)


def shares_of(cells: Cells, lengths: FloatArray) -> FloatArray:
    """Return `Reach.shares`.

    Parameters
    ----------
    cells : Cells
    lengths : float32 array of shape [n]
        Squares of the rows' distances from their centres.
    """
    common = max(float(lengths.mean()), 1e-12)
    own = np.add.reduceat(lengths, cells.offsets[:-1]) / common
    # The few rows of a small cell seem to lie closer to their centre than they do.
    shares = np.sqrt((own + _ASSUMED) / (cells.counts + _ASSUMED))
    # A rare row among common ones lies farther off than their scatter tells.
    farthest = np.sqrt(np.maximum.reduceat(lengths, cells.offsets[:-1]) / common)
    return np.asarray(np.maximum(shares, farthest / _FARTHEST), dtype=np.float32)
