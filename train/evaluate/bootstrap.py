"""Paired bootstrap over queries, by patient.

Queries of one patient resemble each other, so patients are drawn, not queries (cluster bootstrap; Davison
and Hinkley 1997, section 3.8). Two systems measured on the same queries are compared on the same draws: the
interval of their difference is far narrower than their own intervals suggest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
LEVEL = 0.95
_SEED = 20250311
_DRAWS_AT_ONCE = 50  # bounds the memory of the products

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A percentile interval at the level `LEVEL`."""

    low: float
    high: float

    def to_json(self) -> list[float]:
        """Return ``[low, high]``."""
        return [self.low, self.high]


def bootstrap_means(
    values: npt.ArrayLike,
    patients: npt.NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = _SEED,
) -> _Floats:
    """Return the mean of query figures in each resample of the patients.

    Equal `patients` and `seed` give equal draws, whatever the values: that pairs systems.

    Parameters
    ----------
    values : array of shape [Q, M]
        Figures of each query; a row of NaN is a query that does not apply, left out of every mean.
    patients : int64 array of shape [Q]
    resamples : int
    seed : int

    Returns
    -------
    float array of shape [resamples, M]
        NaN where a draw holds no query that applies.
    """
    table = np.asarray(values, dtype=np.float64)
    applies = ~np.isnan(table)
    _, rows = np.unique(patients, return_inverse=True)
    groups = int(rows.max(initial=-1)) + 1
    sums, counts = np.zeros((groups, table.shape[1])), np.zeros((groups, table.shape[1]))
    np.add.at(sums, rows, np.where(applies, table, 0.0))
    np.add.at(counts, rows, applies)
    means = np.full((resamples, table.shape[1]), np.nan)
    if not groups:
        return means
    for start in range(0, resamples, _DRAWS_AT_ONCE):
        drawn = _draws(groups, resamples, seed)[start : start + _DRAWS_AT_ONCE].astype(np.float64)
        total = drawn @ counts
        np.divide(drawn @ sums, total, out=means[start : start + _DRAWS_AT_ONCE], where=total > 0)
    return means


@lru_cache(maxsize=4)
def _draws(groups: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Return how often each patient is drawn, shape [resamples, groups]: alike for all that is compared."""
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    return np.asarray(drawn, dtype=np.uint16)


def intervals(samples: _Floats) -> list[Interval]:
    """Return the percentile interval of each column of resampled figures of shape [resamples, M]."""
    tail = 50.0 * (1.0 - LEVEL)
    percentile = np.nanpercentile if np.isnan(samples).any() else np.percentile
    known = ~np.isnan(samples).all(axis=0)
    bounds = np.full((2, samples.shape[1]), np.nan)
    if known.any():
        bounds[:, known] = percentile(samples[:, known], [tail, 100.0 - tail], axis=0)
    return [Interval(float(low), float(high)) for low, high in bounds.T]
