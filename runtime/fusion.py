"""Where a hit's score is made: the cosines of images and texts fused in each place, the places in one.

In a place four cosines are known of a query and a case: of the query's image and of its text, with the case's
image and with its report. The score there is their weighted mean. The weights are the bundle's
(`runtime.bundle.Fusion`); of a query that has no image, or no text, the others are left and keep their
proportions. As a mean is linear, what is asked of one side of the archive is one vector: a search asks
each partition once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.query import Combine

FloatArray = npt.NDArray[np.float32]

EQUAL = FusionWeights(0.25, 0.25, 0.25, 0.25)
"""What counts where a bundle states nothing."""


def weights_for(fusion: Fusion | None, conditioned: bool) -> FusionWeights:
    """Return a bundle's weights; equal ones where it states none."""
    if fusion is None:
        return EQUAL
    return fusion.conditioned if conditioned else fusion.unconditioned


def check_weights(weights: FusionWeights) -> None:
    """Refuse weights that make no mean.

    Raises
    ------
    QueryError
        Where one is below zero or no number, or all are zero.
    """
    four = astuple(weights)
    if not all(math.isfinite(weight) and weight >= 0 for weight in four) or not any(four):
        raise QueryError(
            f"the fusion weights {', '.join(f'{weight:g}' for weight in four)} make no mean",
            where="fusion",
            remedy="Give four numbers, none below zero and not all of them zero",
        )


def asked_of(
    side: Modality, weights: FusionWeights, image: FloatArray | None, text: FloatArray | None
) -> tuple[FloatArray | None, float]:
    """Return what a query asks of one side of the archive, and what that side counts.

    Parameters
    ----------
    side : Modality
    weights : FusionWeights
    image, text : float32 array of shape [D], optional
        The query's embeddings.

    Returns
    -------
    vector : float32 array of shape [D] or None
        Weighted mean of the embeddings, not brought back to unit length: so an inner product with it is
        the mean of their cosines. None where nothing is asked.
    share : float
        Sum of the weights of what is asked.
    """
    if side is Modality.IMAGE:
        pairs = ((weights.image_to_image, image), (weights.text_to_image, text))
    else:
        pairs = ((weights.image_to_text, image), (weights.text_to_text, text))
    asking = [(weight, vector) for weight, vector in pairs if vector is not None and weight > 0]
    share = sum(weight for weight, _ in asking)
    if not asking:
        return None, 0.0
    total = sum(np.float32(weight / share) * vector for weight, vector in asking)
    return np.asarray(total, dtype=np.float32), share


def fuse_sides(cosines: FloatArray, shares: Sequence[float], expected: Sequence[float]) -> FloatArray:
    """Return scores in one place.

    Where a study has nothing on one side, that side counts with the mean over all studies that have it: a
    study that no sentence speaks of is neither rewarded nor punished. (Leaving the side out would
    reward it, because image-to-image cosines lie higher than image-to-text ones.)

    Parameters
    ----------
    cosines : float32 array of shape [S, n]
        Of each side; NaN where a study has nothing there.
    shares : sequence of S floats
        What each side counts.
    expected : sequence of S floats
        Each side's mean.

    Returns
    -------
    float32 array of shape [n]
        NaN where a study has nothing on any side.
    """
    missing = np.isnan(cosines)
    if not missing.any():
        return _mean(cosines, shares)
    fused = _mean(np.where(missing, np.asarray(expected, np.float32)[:, np.newaxis], cosines), shares)
    fused[missing.all(axis=0)] = np.nan
    return fused


def fuse_places(
    scores: FloatArray, expected: Sequence[float], weights: Sequence[float], combine: Combine
) -> FloatArray:
    """Return the final scores: one number for each study, of its scores in each place.

    Parameters
    ----------
    scores : float32 array of shape [n, P]
        NaN where a study has nothing there. Such a place counts as the mean over all studies, and not at all
        where the best place decides.
    expected : sequence of P floats
        Each place's mean.
    weights : sequence of P floats
        Of a weighted mean.
    combine : Combine

    Returns
    -------
    float32 array of shape [n]
    """
    missing = np.isnan(scores)
    if combine is Combine.ANY:
        return np.asarray(np.where(missing, -np.inf, scores).max(axis=1), dtype=np.float32)
    filled = np.where(missing, np.asarray(expected, np.float32), scores) if missing.any() else scores
    if combine is Combine.ALL:
        return np.asarray(filled.min(axis=1), dtype=np.float32)
    return _mean(filled.T, weights)


def _mean(rows: FloatArray, weights: Sequence[float]) -> FloatArray:
    """Return the weighted mean of rows, shape [W, n].

    Row by row: a product of matrices rounds a study's score by how many others there are.
    """
    parts = (np.asarray(weights, np.float64) / np.sum(weights)).astype(np.float32)
    mean = parts[0] * rows[0]
    for part, row in zip(parts[1:], rows[1:], strict=True):
        mean += part * row
    return np.asarray(mean, dtype=np.float32)
