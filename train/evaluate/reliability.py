"""How far probabilities can be trusted: calibration error, reliability, and risk against coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, Interval, bootstrap_means, intervals

BINS = 15

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """Probabilities against what came true, in bins of equal width.

    Parameters
    ----------
    error : float
        Expected calibration error (Guo et al., ICML 2017, equation 3): the mean over all hits of how far
        the mean probability of a hit's bin is from the share that was right in it.
    interval : Interval
        Of the error, from resampling patients; chance alone makes an error larger than zero.
    brier : float
        Mean squared difference (Brier 1950).
    counts, probabilities, right : float64 array of shape [BINS]
        Of each bin the share of all hits, their mean probability, and the share that was right; NaN where
        a bin is empty.
    """

    error: float
    interval: Interval
    brier: float
    counts: _Floats
    probabilities: _Floats
    right: _Floats


def measure_reliability(
    probabilities: npt.NDArray[np.floating],
    right: npt.NDArray[np.bool_],
    patients: _Ints,
    *,
    resamples: int = RESAMPLES,
) -> Reliability:
    """Measure how probabilities of the hits of queries agree with what came true.

    Every query counts the same, its hits share that.

    Parameters
    ----------
    probabilities : float array of shape [Q, k]
        NaN where a query has fewer hits.
    right : bool array of shape [Q, k]
    patients : int64 array of shape [Q]
        Who asks: patients are resampled.
    resamples : int
    """
    held = ~np.isnan(probabilities)
    share = held / np.maximum(held.sum(axis=1, keepdims=True), 1)
    sure = np.where(held, probabilities, 0.0).astype(np.float64)
    came = np.where(held, right, 0.0)
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    table = np.full((len(sure), 3 * BINS), np.nan)
    asking = held.any(axis=1)
    for number in range(BINS):
        inside = share * (bins == number)
        for column, values in enumerate((inside, inside * sure, inside * came)):
            table[asking, column * BINS + number] = values.sum(axis=1)[asking]
    means = table[asking].mean(axis=0) if asking.any() else np.full(3 * BINS, np.nan)
    counts, summed, true = means.reshape(3, BINS)
    gaps = table[:, BINS : 2 * BINS] - table[:, 2 * BINS :]
    drawn = np.abs(bootstrap_means(gaps, patients, resamples=resamples)).sum(axis=1)
    brier = (share * (sure - came) ** 2).sum(axis=1)[asking]
    filled = np.where(counts > 0, counts, np.nan)
    return Reliability(
        error=float(np.abs(summed - true).sum()),
        interval=intervals(drawn[:, None])[0],
        brier=float(brier.mean()) if len(brier) else float("nan"),
        counts=counts,
        probabilities=summed / filled,
        right=true / filled,
    )


@dataclass(frozen=True)
class RiskCoverage:
    """What abstaining buys: the share of wrong first hits among the queries that are answered.

    Parameters
    ----------
    coverage, risk : float64 array of shape [Q]
        Queries are answered in the order of their probability, the surest first; coverage is the share
        answered so far (El-Yaniv and Wiener, JMLR 2010).
    """

    coverage: _Floats
    risk: _Floats

    def at(self, coverage: float) -> float:
        """Return the risk when at least so large a share is answered."""
        if not len(self.coverage):
            return float("nan")
        return float(self.risk[min(int(np.searchsorted(self.coverage, coverage - 1e-9)), len(self.risk) - 1)])

    @property
    def area(self) -> float:
        """Area under the curve: the mean risk over all coverages (Geifman et al., ICLR 2019)."""
        return float(self.risk.mean()) if len(self.risk) else float("nan")


def risk_coverage(confidence: npt.NDArray[np.floating], wrong: npt.NDArray[np.bool_]) -> RiskCoverage:
    """Return risk against coverage.

    Queries that are equally sure are answered together: each of them counts with their mean.

    Parameters
    ----------
    confidence : float array of shape [Q]
    wrong : bool array of shape [Q]
    """
    order = np.argsort(-confidence, kind="stable")
    sure, errors = np.asarray(confidence)[order], wrong[order].astype(np.float64)
    _, group = np.unique(-sure, return_inverse=True)
    counts = np.bincount(group)
    shared = (np.bincount(group, weights=errors) / np.maximum(counts, 1))[group]
    answered = np.arange(1, len(sure) + 1)
    return RiskCoverage(answered / max(1, len(sure)), np.cumsum(shared) / answered)
