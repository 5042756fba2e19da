"""From a score to the probability that a hit shares the finding in the region.

A score is a mean of cosines: what it means depends on what asks and what is compared, on whether a region is
named, and on how many cases there were to choose from. So there is a curve for each kind of query, fitted on
archives of several sizes; between two sizes the probability is interpolated over the logarithm of the size,
beyond the smallest and the largest it is theirs. The curves are the bundle's
(`runtime.bundle.ScoreCalibration`, fitted by `train.evaluate.calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.hits import Modality

FloatArray = npt.NDArray[np.float32]

ABSTAIN_BELOW = 0.5
"""Where nothing else is set: a best hit below it is more likely wrong than right."""


@dataclass(frozen=True)
class QueryKind:
    """What the meaning of a score depends on, but for the size of the archive.

    Parameters
    ----------
    asked, searched : Sides
    conditioned : bool
    """

    asked: Sides
    searched: Sides
    conditioned: bool


def sides_of(modalities: Collection[Modality]) -> Sides:
    """Return the name of one or both sides.

    Parameters
    ----------
    modalities : collection of Modality
        Not empty.
    """
    if set(modalities) == set(Modality):
        return Sides.BOTH
    return Sides.IMAGE if Modality.IMAGE in modalities else Sides.TEXT


def calibrate(
    calibration: ScoreCalibration | None, kind: QueryKind, studies: int, scores: FloatArray
) -> FloatArray | None:
    """Return the probabilities of scores.

    Parameters
    ----------
    calibration : ScoreCalibration, optional
    kind : QueryKind
    studies : int
        There were to choose from.
    scores : float32 array
        NaN where a case has nothing to compare.

    Returns
    -------
    float32 array of the same shape, or None
        NaN where the score is. None where the bundle has no curve for such a query.
    """
    curves = [] if calibration is None else [curve for curve in calibration.curves if _fits(curve, kind)]
    if not curves:
        return None
    curves.sort(key=lambda curve: curve.studies)
    above = next((n for n, curve in enumerate(curves) if curve.studies >= studies), len(curves) - 1)
    upper, lower = curves[above], curves[max(0, above - 1)]
    share = 1.0
    if lower.studies < studies < upper.studies:
        share = math.log(studies / lower.studies) / math.log(upper.studies / lower.studies)
    found = share * _at(upper, scores) + (1 - share) * _at(lower, scores)
    return np.asarray(found, dtype=np.float32)


def check_level(level: float) -> float:
    """Return a level to abstain below.

    Raises
    ------
    QueryError
        Where it is no probability.
    """
    if not 0 <= level <= 1:
        raise QueryError(
            f"{level:g} is no probability", where="abstain_below", remedy="Give a number from 0 to 1"
        )
    return level


def _fits(curve: ScoreCurve, kind: QueryKind) -> bool:
    return QueryKind(curve.asked, curve.searched, curve.conditioned) == kind


def _at(curve: ScoreCurve, scores: FloatArray) -> npt.NDArray[np.float64]:
    return np.asarray(np.interp(scores, curve.scores, curve.probabilities))
