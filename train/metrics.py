"""Retrieval metrics over ranked relevance, and what each is when the ranking is random."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Bools = npt.NDArray[np.bool_]
_Floats = npt.NDArray[np.float64]

CUTOFFS = (1, 5, 10)
# The columns of `ranking_metrics`, in this order.
METRICS = (
    *(f"p_at_{k}" for k in CUTOFFS),
    *(f"r_at_{k}" for k in CUTOFFS),
    *(f"hit_at_{k}" for k in CUTOFFS[1:]),
    "map",
    "ndcg_at_10",
)


def precision_at(ranked: _Bools, k: int) -> _Floats:
    """Return the share of relevant candidates among the first k of each row.

    Parameters
    ----------
    ranked : bool array of shape [Q, N]
        Relevance of each query's candidates, best ranked first.
    k : int

    Returns
    -------
    float array of shape [Q]
        Divided by k also where there are fewer than k candidates, as trec_eval does.
    """
    return np.asarray(ranked[:, :k].sum(axis=1) / k)


def recall_at(ranked: _Bools, k: int) -> _Floats:
    """Return the share of each row's relevant candidates that are among the first k, 0 where none is.

    Parameters
    ----------
    ranked : bool array of shape [Q, N]
    k : int

    Returns
    -------
    float array of shape [Q]
    """
    return np.asarray(ranked[:, :k].sum(axis=1) / np.maximum(ranked.sum(axis=1), 1))


def hit_at(ranked: _Bools, k: int) -> _Floats:
    """Return 1 for each row with a relevant candidate among the first k, else 0.

    Image-text retrieval often calls this recall at k, because its queries have one relevant candidate.

    Parameters
    ----------
    ranked : bool array of shape [Q, N]
    k : int

    Returns
    -------
    float array of shape [Q]
    """
    return np.asarray(ranked[:, :k].any(axis=1), dtype=np.float64)


def average_precision(ranked: _Bools) -> _Floats:
    """Return each row's average precision: the mean of precision at every relevant rank, 0 where none is.

    Parameters
    ----------
    ranked : bool array of shape [Q, N]

    Returns
    -------
    float array of shape [Q]
    """
    hits = np.cumsum(ranked, axis=1)
    precision = hits / np.arange(1, ranked.shape[1] + 1)
    return np.asarray((precision * ranked).sum(axis=1) / np.maximum(ranked.sum(axis=1), 1))


def ndcg_at(ranked: _Bools, k: int) -> _Floats:
    """Return normalised discounted cumulative gain with binary gains (Jaervelin and Kekaelaeinen 2002).

    Parameters
    ----------
    ranked : bool array of shape [Q, N]
    k : int

    Returns
    -------
    float array of shape [Q]
        0 where nothing is relevant.
    """
    discounts = _discounts(min(k, ranked.shape[1]))
    gained = (ranked[:, :k] * discounts).sum(axis=1)
    best = _best_gain(discounts, ranked.sum(axis=1))
    return np.asarray(np.divide(gained, best, out=np.zeros_like(gained), where=best > 0))


def ranking_metrics(ranked: _Bools) -> _Floats:
    """Return all of `METRICS`, shape [Q, M], of rankings of shape [Q, N]."""
    columns = [precision_at(ranked, k) for k in CUTOFFS]
    columns += [recall_at(ranked, k) for k in CUTOFFS]
    columns += [hit_at(ranked, k) for k in CUTOFFS[1:]]
    columns += [average_precision(ranked), ndcg_at(ranked, 10)]
    return np.stack(columns, axis=1)


def chance_metrics(relevant: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64]) -> _Floats:
    """Return the expectation of `METRICS` when the candidates are in random order.

    Rank n is relevant with probability R/N. Given that it is, each rank above it is with (R - 1)/(N - 1),
    so the expected average precision is ``(H + (R - 1)/(N - 1) (N - H)) / N`` with H the N-th harmonic
    number. No relevant candidate is among the first k with the hypergeometric probability
    ``C(N - R, k) / C(N, k)``.

    Parameters
    ----------
    relevant, candidates : int arrays of shape [Q]
        R and N of each query.

    Returns
    -------
    float array of shape [Q, M]
    """
    share = relevant / np.maximum(candidates, 1)
    reached = {k: np.minimum(k, candidates) for k in CUTOFFS}
    columns = [share * reached[k] / k for k in CUTOFFS]
    columns += [np.where(relevant > 0, reached[k] / np.maximum(candidates, 1), 0.0) for k in CUTOFFS]
    for k in CUTOFFS[1:]:
        missed = np.ones(len(relevant))
        for drawn in range(k):
            left = np.maximum(candidates - relevant - drawn, 0)
            missed *= np.where(candidates > drawn, left / np.maximum(candidates - drawn, 1), 1.0)
        columns.append(1.0 - missed)
    harmonic = np.concatenate(
        [[0.0], np.cumsum(1.0 / np.arange(1, max(int(candidates.max(initial=0)), 1) + 1))]
    )
    heights = harmonic[candidates]
    others = (relevant - 1) / np.maximum(candidates - 1, 1)
    precision = (heights + others * (candidates - heights)) / np.maximum(candidates, 1)
    columns.append(np.where(relevant > 0, precision, 0.0))
    discounts = _discounts(10)
    gained = share * np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(candidates, 10)]
    best = _best_gain(discounts, relevant)
    columns.append(np.divide(gained, best, out=np.zeros_like(gained), where=best > 0))
    return np.stack(columns, axis=1)


def _discounts(k: int) -> _Floats:
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)))


def _best_gain(discounts: _Floats, relevant: npt.NDArray[np.int64]) -> _Floats:
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return np.asarray(ideal[np.minimum(relevant, len(discounts))])
