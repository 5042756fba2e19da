"""Phrase grounding figures: how a map fits the place of what the phrase says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, bootstrap_means

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
# The columns of `phrase_figures`, in this order.
GROUNDING_METRICS = ("cnr", "cnr_signed", "miou", "pointing", *(f"iou_at_{level}" for level in THRESHOLDS))

_Map = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]
_Floats = npt.NDArray[np.float64]


class Versus(str, Enum):
    """What is compared with what."""

    MASK = "mask"  # the phrase's map with the finding's mask
    BOX = "bounding_box"  # the phrase's map with the box around the mask, as MS-CXR annotates
    REGION_ONLY = "region_box_only"  # the weights of the phrase's regions, without its words, with the mask


@dataclass(frozen=True)
class PhraseScores:
    """Figures of every phrase.

    Parameters
    ----------
    patients : int64 array of shape [P]
    studies : int64 array of shape [P]
    values : float64 array of shape [P, V, M]
        By `Versus` and `GROUNDING_METRICS`; NaN where not measured.
    """

    patients: npt.NDArray[np.int64]
    studies: npt.NDArray[np.int64]
    values: _Floats

    def __len__(self) -> int:
        return len(self.patients)

    def mean(self, versus: Versus) -> _Floats:
        """Return the means over phrases, shape [M]; NaN where there is none."""
        rows = self._rows(versus)
        return np.asarray(rows.mean(axis=0)) if len(rows) else np.full(len(GROUNDING_METRICS), np.nan)

    def resampled(self, versus: Versus, resamples: int = RESAMPLES) -> _Floats:
        """Return the means in each bootstrap resample of the patients, shape [B, M]."""
        return bootstrap_means(self._rows(versus), self.patients, resamples=resamples)

    def _rows(self, versus: Versus) -> _Floats:
        return np.asarray(self.values[:, list(Versus).index(versus)])


def contrast_to_noise(similarity: _Map, mask: _Mask) -> float:
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


def ious(similarity: _Map, mask: _Mask) -> list[float]:
    """Return the IoU of ``similarity > t`` with the mask for each of `THRESHOLDS`."""
    values = []
    for threshold in THRESHOLDS:
        found = similarity > threshold
        values.append(float((found & mask).sum() / (found | mask).sum()))
    return values


def points_inside(similarity: _Map, mask: _Mask) -> bool:
    """Return whether the highest cell (the first of several) lies in the mask."""
    return bool(mask.flat[int(similarity.argmax())])


def phrase_figures(similarity: _Map, mask: _Mask) -> list[float]:
    """Return the figures of one phrase in the order of `GROUNDING_METRICS`.

    Parameters
    ----------
    similarity : float32 array of shape [h, w]
        0 to 1.
    mask : bool array of shape [h, w]
        True in at least one cell and false in at least one.
    """
    contrast = contrast_to_noise(similarity, mask)
    overlaps = ious(similarity, mask)
    pointed = float(points_inside(similarity, mask))
    return [abs(contrast), contrast, float(np.mean(overlaps)), pointed, *overlaps]


def bounding_box(mask: _Mask) -> _Mask:
    """Return the smallest box around a mask, as a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.zeros_like(mask)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def collect(
    patients: Sequence[int], studies: Sequence[int], figures: Sequence[Sequence[Sequence[float]]]
) -> PhraseScores:
    """Return figures gathered phrase by phrase (`Versus` by `GROUNDING_METRICS` each) as arrays."""
    return PhraseScores(
        np.array(patients, dtype=np.int64),
        np.array(studies, dtype=np.int64),
        np.array(figures, dtype=np.float64).reshape(-1, len(Versus), len(GROUNDING_METRICS)),
    )
