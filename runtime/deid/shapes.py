"""Connected shapes of a binary picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shapes:
    """The connected shapes of a picture, each an entry of every array.

    Parameters
    ----------
    x1, y1, x2, y2 : int arrays of shape [n]
        Bounds in pixels, half-open.
    area : int array of shape [n]
        Pixels.
    peak : uint8 array of shape [n]
        The highest value of each in the picture it was found in.
    """

    x1: npt.NDArray[np.int64]
    y1: npt.NDArray[np.int64]
    x2: npt.NDArray[np.int64]
    y2: npt.NDArray[np.int64]
    area: npt.NDArray[np.int64]
    peak: npt.NDArray[np.int64]


def find_shapes(mask: Mask, values: Bytes) -> Shapes:
    """Return the 8-connected shapes of a mask.

    Parameters
    ----------
    mask : bool array of shape [H, W]
    values : uint8 array of shape [H, W]
        What `Shapes.peak` is taken from.
    """
    rows, starts, ends = _runs(mask)
    if not len(rows):
        nothing = np.zeros(0, np.int64)
        return Shapes(*[nothing] * 6)
    labels = join(len(rows), *_touching(rows, starts, ends, mask.shape[1]))
    count = int(labels.max()) + 1
    # The highest value of every run, by one pass over the flattened picture.
    width = mask.shape[1]
    edges = np.stack([rows * width + starts, rows * width + ends - 1], axis=1).ravel()
    edges[1::2] += 1
    flat = np.append(values.ravel(), np.uint8(0))
    highest = np.maximum.reduceat(flat, edges)[::2].astype(np.int64)

    def least(of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        out = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(out, labels, of)
        return out

    def most(of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        out = np.zeros(count, np.int64)
        np.maximum.at(out, labels, of)
        return out

    area = np.bincount(labels, weights=ends - starts, minlength=count).astype(np.int64)
    return Shapes(least(starts), least(rows), most(ends), most(rows + 1), area, most(highest))


def _runs(mask: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return row, first column and end column of every horizontal run, in reading order."""
    # One column more on the right keeps the rows of the flattened mask apart.
    width = mask.shape[1] + 1
    padded = np.zeros((mask.shape[0], width), np.bool_)
    padded[:, :-1] = mask
    flat = padded.ravel()
    change = flat[1:] != flat[:-1]
    edges = np.flatnonzero(change) + 1
    if flat[0]:
        edges = np.insert(edges, 0, 0)
    rows, starts = np.divmod(edges[0::2], width)
    return rows, starts, edges[1::2] - rows * width


def _touching(
    rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return pairs of runs of neighbouring rows that touch, corners included."""
    stride = width + 2
    # Runs of a row follow each other, so "which of the next row do I touch" is an interval of them.
    first = np.searchsorted(rows * stride + ends, (rows + 1) * stride + starts, side="left")
    last = np.searchsorted(rows * stride + starts, (rows + 1) * stride + ends, side="right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    lower = np.repeat(first, counts) + within
    same = rows[lower] == rows[upper] + 1
    return upper[same], lower[same]


def join(count: int, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each of `count` things the number of the group that the pairs put it in."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        first, second = root(a), root(b)
        if first != second:
            parent[max(first, second)] = min(first, second)
    roots = np.asarray([root(item) for item in range(count)])
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
