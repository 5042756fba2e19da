"""Scoring every study at once: what a search falls back to where the best of each partition do not decide.

A product with all rows of a partition costs about as much as a scan for its best thousand, as long as the
rows are not too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.fusion import fuse_places, fuse_sides
from edge_retrieve.runtime.place import Place, Side
from edge_retrieve.runtime.query import Combine

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Everyone:
    """Studies that may be found, and their scores.

    Parameters
    ----------
    studies : int64 array of shape [n]
        Ascending.
    scores : float32 array of shape [n]
        Final up to rounding: products of many rows are rounded otherwise than those of a few.
    """

    studies: IntArray
    scores: FloatArray

    def best(self, count: int) -> tuple[IntArray, float]:
        """Return the best so many, in no order, and what no other's score exceeds: -inf without others."""
        if len(self.studies) <= count:
            return self.studies, -np.inf
        order = np.argpartition(-self.scores, count)
        return self.studies[order[:count]], float(self.scores[order[count]])


def held_studies(places: Sequence[Place]) -> npt.NDArray[np.bool_]:
    """Return which numbers are studies that have anything in a place; a mask by number."""
    parts = [studies for place in places for side in place.sides for studies, _ in _segments(side)]
    held = np.zeros(1 + max((int(studies.max(initial=0)) for studies in parts), default=0), bool)
    for studies in parts:
        held[studies] = True
    return held


def score_everyone(places: Sequence[Place], wanted: npt.NDArray[np.bool_], combine: Combine) -> Everyone:
    """Score all studies of a mask by number.

    Parameters
    ----------
    places : sequence of Place
    wanted : bool array
        As `held_studies` returns it, without those that may not be found.
    combine : Combine
    """
    # All that are held are scored, and the unwanted left out at the end: so most partitions list the very
    # studies that are scored, in their order, and their scores are taken as they are.
    studies = np.flatnonzero(held_studies(places))
    if not len(studies):
        return Everyone(studies, np.zeros(0, np.float32))
    by_place = np.stack([_fused(place, studies) for place in places], axis=1)
    expected, weights = [place.expected for place in places], [place.weight for place in places]
    scores = fuse_places(by_place, expected, weights, combine)
    scores = np.where(np.isnan(by_place).all(axis=1), -np.inf, scores).astype(np.float32)
    kept = wanted[studies]
    return Everyone(studies[kept], scores[kept])


def _fused(place: Place, studies: IntArray) -> FloatArray:
    by_side = np.empty((len(place.sides), len(studies)), np.float32)
    for row, side in zip(by_side, place.sides, strict=True):
        segments = [(of, rows) for of, rows in _segments(side) if len(of)]
        if len(segments) == 1 and np.array_equal(segments[0][0], studies):
            np.matmul(segments[0][1], side.vector, out=row)
            continue
        row.fill(np.nan)
        once = len(side.partition.studies) == len(side.partition)
        for of, rows in segments:
            at, scores = np.searchsorted(studies, of), rows @ side.vector
            if once:
                row[at] = scores
            else:
                np.fmax.at(row, at, scores)
    return fuse_sides(by_side, [side.share for side in place.sides], [side.expected for side in place.sides])


def _segments(side: Side) -> list[tuple[IntArray, FloatArray]]:
    segments = (side.partition.base, side.partition.tail)
    return [(segment.vectors.studies, segment.vectors.rows) for segment in segments]
