"""Scoring every study at once: what a search falls back to where the best of each partition do not decide.

Where a partition has copies of its rows in bytes, these are scored: a quarter of what would have to come from
memory. Such scores are off by a little, and say by how much; the search scores the best of them again by
their values, and looks at more where the difference could matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.fusion import fuse_places, fuse_sides
from edge_retrieve.runtime.index.segment import Segment
from edge_retrieve.runtime.place import Place
from edge_retrieve.runtime.query import Combine

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Everyone:
    """The scores of all studies that may be found.

    Parameters
    ----------
    scores : float32 array of shape [n]
        By the numbers of studies; -inf for those that are not to be found.
    error : float
        By how much any of them may be off.
    """

    scores: FloatArray
    error: float

    def best(self, count: int) -> tuple[IntArray, float]:
        """Return what may be among the best so many, ascending, and what no other's score exceeds.

        That is -inf where there are no others.
        """
        found = np.flatnonzero(self.scores > -np.inf)
        if count < len(found):
            scores = self.scores[found]
            least = float(np.partition(scores, -count)[-count]) - 2 * self.error
            near = found[scores >= least]
            if len(near) < len(found):
                return near, least + self.error
        return found, -np.inf


def held_studies(places: Sequence[Place]) -> npt.NDArray[np.bool_]:
    """Return which numbers are studies that have anything in a place; a mask by number."""
    held = np.zeros(_numbers(places), bool)
    for segment in _segments(places):
        held[segment.vectors.studies] = True
    return held


def score_everyone(
    places: Sequence[Place], combine: Combine, unwanted: IntArray, allowed: IntArray | None = None
) -> Everyone:
    """Score all studies.

    Parameters
    ----------
    places : sequence of Place
    combine : Combine
    unwanted : int64 array
        Numbers of studies that are not to be found.
    allowed : int64 array, optional
        Numbers of the only studies that are.
    """
    if not places:
        return Everyone(np.zeros(0, np.float32), 0.0)
    count, errors = _numbers(places), []
    by_place = np.empty((len(places), count), np.float32)
    for row, place in zip(by_place, places, strict=True):
        by_side = np.full((len(place.sides), count), np.nan, np.float32)
        of_sides = [
            max(
                segment.score_all(side.vector, scores)
                for segment in (side.partition.base, side.partition.tail)
            )
            for scores, side in zip(by_side, place.sides, strict=True)
        ]
        shares, expected = [side.share for side in place.sides], [side.expected for side in place.sides]
        row[:] = fuse_sides(by_side, shares, expected)
        errors.append(_of_a_mean(of_sides, shares))
    expected, weights = [place.expected for place in places], [place.weight for place in places]
    scores = fuse_places(by_place.T, expected, weights, combine)
    scores[np.isnan(by_place).all(axis=0)] = -np.inf
    scores[unwanted[unwanted < count]] = -np.inf
    if allowed is not None:
        chosen = np.full(count, -np.inf, np.float32)
        kept = allowed[allowed < count]
        chosen[kept] = scores[kept]
        scores = chosen
    error = _of_a_mean(errors, weights) if combine is Combine.WEIGHTED else max(errors)
    return Everyone(scores, error)


def _of_a_mean(errors: Sequence[float], weights: Sequence[float]) -> float:
    """Return by how much a weighted mean may be off: each row is rounded by itself."""
    return math.hypot(*(weight * error for weight, error in zip(weights, errors, strict=True))) / sum(weights)


def _numbers(places: Sequence[Place]) -> int:
    """Return one more than the highest number of a study."""
    return 1 + max((segment.last_study for segment in _segments(places)), default=0)


def _segments(places: Sequence[Place]) -> list[Segment]:
    sides = [side for place in places for side in place.sides]
    return [segment for side in sides for segment in (side.partition.base, side.partition.tail)]
