"""What a bundle says of its scores: curves from a score to the probability that a hit is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise


class Sides(str, Enum):
    """What of a query asks, or what of the archive is searched: images, reports, or both."""

    IMAGE = "image"
    TEXT = "text"
    BOTH = "image_text"


@dataclass(frozen=True)
class ScoreCurve:
    """Knots from a score to a probability, for one kind of query over archives of one size.

    Parameters
    ----------
    asked : Sides
        What the query has.
    searched : Sides
        What of the archive is compared.
    conditioned : bool
        Whether the query names a region.
    studies : int
        Of the archives that it was fitted on.
    scores : tuple of float
        Rising.
    probabilities : tuple of float
        At those scores, 0 to 1, never falling; straight lines between, level beyond the ends.
    """

    asked: Sides
    searched: Sides
    conditioned: bool
    studies: int
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class ScoreCalibration:
    """How sure a score makes one that a hit shares the finding in the region.

    Parameters
    ----------
    method : str
        Such as ``isotonic``.
    data : str
        In words: what the curves were fitted on.
    unanswerable : float
        Share of the queries it was fitted on whose finding no case of the archive has in the region.
    hits : int
        Best hits of each query that it was fitted on.
    curves : tuple of ScoreCurve
        At most one for each kind of query and size of archive.
    """

    method: str
    data: str
    unanswerable: float
    hits: int
    curves: tuple[ScoreCurve, ...]

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it beyond the kinds of its entries."""
        if not 0 <= self.unanswerable < 1:
            yield f"the share of unanswerable queries, {self.unanswerable:g}, is not from 0 to below 1"
        seen = set()
        for curve in self.curves:
            kind = (curve.asked, curve.searched, curve.conditioned, curve.studies)
            name = f"the score curve {curve.asked.value} to {curve.searched.value}, {curve.studies} studies,"
            if kind in seen:
                yield f"{name} stands twice"
            seen.add(kind)
            if not curve.scores or len(curve.scores) != len(curve.probabilities):
                yield f"{name} has {len(curve.scores)} scores and {len(curve.probabilities)} probabilities"
            if any(second <= first for first, second in pairwise(curve.scores)):
                yield f"{name} has scores that do not rise"
            if any(second < first for first, second in pairwise(curve.probabilities)):
                yield f"{name} has probabilities that fall"
            if any(not 0 <= probability <= 1 for probability in curve.probabilities):
                yield f"{name} has a probability that is none"
