"""How neighbours vote on what a region shows: weights, shares, and what chance alone would give.

A neighbour counts with the square of its probability to share the finding: ten neighbours that are half sure
weigh less than three that are nearly certain. One imaginary neighbour of the archive's average is added, so
that a few unsure ones say little more than the base rate does (a Dirichlet prior of one observation). What
is left of a share beyond chance is ``(share - base) / (1 - base)``, the form of Cohen's kappa (Cohen 1960,
equation 1): findings that half of the archive has need more than half of the votes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NEIGHBOURS = 10
"""Of a place: the nearest vote."""
PRIOR = 1.0
_MOST_COMMON = 0.999  # of a finding that every case has nothing can be said beyond chance


def vote_weights(probabilities: npt.ArrayLike) -> Floats:
    """Return what neighbours count.

    Parameters
    ----------
    probabilities : array of shape [..., k]
        That each shares the finding, or its similarity where that is not known; NaN for no neighbour.

    Returns
    -------
    float64 array of the same shape
        0 for no neighbour and for one that is less than not similar.
    """
    sure = np.nan_to_num(np.asarray(probabilities, dtype=np.float64), nan=0.0)
    return np.asarray(np.maximum(sure, 0.0) ** 2)


def vote_shares(weights: npt.ArrayLike, stated: npt.ArrayLike, base: npt.ArrayLike) -> Floats:
    """Return the weighted share of neighbours that state each finding, drawn towards the base rate.

    Parameters
    ----------
    weights : array of shape [..., k]
    stated : bool array of shape [..., k, L]
        Whether a neighbour states a finding in the place.
    base : array of shape [L]
        Share of all cases that state it there.

    Returns
    -------
    float64 array of shape [..., L]
    """
    counted = np.asarray(weights, dtype=np.float64)
    # As a product of matrices: [..., 1, k] with [..., k, L].
    votes = (counted[..., None, :] @ np.asarray(stated, dtype=np.float64))[..., 0, :]
    total = counted.sum(axis=-1)[..., None]
    return np.asarray((votes + PRIOR * np.asarray(base, dtype=np.float64)) / (total + PRIOR))


def beyond_chance(shares: npt.ArrayLike, base: npt.ArrayLike) -> Floats:
    """Return how far shares exceed the base rate: 1 where all agree, 0 where they tell nothing, below 0 less.

    Parameters
    ----------
    shares : array of shape [..., L]
    base : array of shape [L]
    """
    chance = np.minimum(np.asarray(base, dtype=np.float64), _MOST_COMMON)
    return np.asarray((np.asarray(shares, dtype=np.float64) - chance) / (1.0 - chance))
