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
    studies = np.flatnonzero(wanted)
    if not len(studies):
        return Everyone(studies, np.zeros(0, np.float32))
    rank = np.full(len(wanted), -1, np.int64)
    rank[studies] = np.arange(len(studies))
    by_place = np.stack([_fused(place, rank, len(studies)) for place in places], axis=1)
    expected, weights = [place.expected for place in places], [place.weight for place in places]
    scores = fuse_places(by_place, expected, weights, combine)
    return Everyone(studies, np.where(np.isnan(by_place).all(axis=1), -np.inf, scores).astype(np.float32))


def _fused(place: Place, rank: IntArray, count: int) -> FloatArray:
    by_side = np.full((len(place.sides), count), np.nan, np.float32)
    for row, side in zip(by_side, place.sides, strict=True):
        once = len(side.partition.studies) == len(side.partition)
        for studies, rows in _segments(side):
            at = rank[studies]
            scores = rows @ side.vector
            if once:
                row[at[at >= 0]] = scores[at >= 0]
            else:
                np.fmax.at(row, at[at >= 0], scores[at >= 0])
    return fuse_sides(by_side, [side.share for side in place.sides], [side.expected for side in place.sides])


def _segments(side: Side) -> list[tuple[IntArray, FloatArray]]:
    segments = (side.partition.base, side.partition.tail)
    return [(segment.vectors.studies, segment.vectors.rows) for segment in segments]
