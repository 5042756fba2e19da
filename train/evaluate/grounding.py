"""Phrase grounding figures: how a similarity map fits the mask of what the phrase says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class GroundingFigures:
    """Means over phrases.

    Parameters
    ----------
    cnr : float
        Contrast-to-noise ratio, see `contrast_to_noise`; absolute value, as published tables give it.
    miou : float
        IoU of the thresholded map with the mask, averaged over thresholds 0.1 to 0.5.
    pointing : float
        Share of phrases whose highest cell lies in the mask.
    phrases : int
    """

    cnr: float
    miou: float
    pointing: float
    phrases: int


def contrast_to_noise(similarity: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Return ``(mean inside - mean outside) / sqrt(var inside + var outside)`` (Boecking et al. 2022).

    Parameters
    ----------
    similarity : float32 array of shape [h, w]
    mask : bool array of shape [h, w]
        True in at least one cell and false in at least one.
    """
    inside, outside = similarity[mask], similarity[~mask]
    noise = float(np.sqrt(inside.var() + outside.var()))
    return float(inside.mean() - outside.mean()) / max(noise, 1e-9)


def mean_iou(similarity: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Return the IoU of ``similarity > t`` with the mask, averaged over `THRESHOLDS`."""
    values = []
    for threshold in THRESHOLDS:
        found = similarity > threshold
        union = (found | mask).sum()
        values.append(float((found & mask).sum() / union))
    return float(np.mean(values))


def points_inside(similarity: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> bool:
    """Return whether the highest cell lies in the mask."""
    return bool(mask.flat[int(similarity.argmax())])


def summarize(pairs: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]) -> GroundingFigures:
    """Return the figures of (similarity map, mask) pairs of equal shapes."""
    return GroundingFigures(
        cnr=float(np.mean([abs(contrast_to_noise(*pair)) for pair in pairs])),
        miou=float(np.mean([mean_iou(*pair) for pair in pairs])),
        pointing=float(np.mean([points_inside(*pair) for pair in pairs])),
        phrases=len(pairs),
    )
