"""Retrieval metrics over ranked relevance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Bools = npt.NDArray[np.bool_]


def precision_at(ranked: _Bools, k: int) -> npt.NDArray[np.float64]:
    """Return the share of relevant candidates among the first k of each row.

    Parameters
    ----------
    ranked : bool array of shape [Q, N]
        Relevance of each query's candidates, best ranked first.
    k : int

    Returns
    -------
    float array of shape [Q]
    """
    return np.asarray(ranked[:, :k].mean(axis=1))


def average_precision(ranked: _Bools) -> npt.NDArray[np.float64]:
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


def ndcg_at(ranked: _Bools, k: int) -> npt.NDArray[np.float64]:
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
    discounts = 1.0 / np.log2(np.arange(2, min(k, ranked.shape[1]) + 2))
    gained = (ranked[:, :k] * discounts).sum(axis=1)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    best = ideal[np.minimum(ranked.sum(axis=1), len(discounts))]
    return np.asarray(np.divide(gained, best, out=np.zeros_like(gained), where=best > 0))
