"""What is searched for in one place, and what a region's usual look takes off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.hits import Modality

FloatArray = npt.NDArray[np.float32]

# Chosen on phantoms: anything from a quarter to three quarters does better than nothing taken off.
_TAKEN_OFF = 0.5
# A few cases are no norm: the mean appearance is that of the cases and of so many blank ones.
_BLANK_CASES = 50


@dataclass(frozen=True)
class Probe:
    """What is searched for in one place.

    Parameters
    ----------
    region : Region or None
        None for the whole image or report.
    vector : float32 array of shape [D]
        Asked of the archive's images: a mean of unit embeddings, as `fusion.asked_of` makes it.
    of_reports : float32 array of shape [D], optional
        Asked of the archive's reports; `vector` where None.
    shares : (float, float)
        What the images and the reports of the archive count; nothing is asked of a side that counts 0.
    weight : float
        What the place counts among others.
    box : Box, optional
        Drawn by a person: the vector is of what it holds, not of where the model sees the region.
    asked_with : tuple of Modality
        What of the query the vectors are made of.
    """

    region: Region | None
    vector: FloatArray
    of_reports: FloatArray | None = None
    shares: tuple[float, float] = (0.5, 0.5)
    weight: float = 1.0
    box: Box | None = None
    asked_with: tuple[Modality, ...] = (Modality.IMAGE,)

    def asked(self, side: Modality) -> FloatArray:
        """Return what is asked of one side of the archive."""
        return self.vector if side is Modality.IMAGE or self.of_reports is None else self.of_reports

    def share(self, side: Modality) -> float:
        """Return what one side of the archive counts."""
        return self.shares[0 if side is Modality.IMAGE else 1]


def suspicion(vectors: FloatArray, mean: FloatArray, cases: int) -> FloatArray:
    """Return what a query for a region looks for: its embedding, less half of how the region usually looks.

    Most images are normal in most places, so a query that is unsure between normal and a finding would
    find normal cases first, though nobody asks for these. Taking the mean off a query is the centring of
    embeddings against hubs (Suzuki et al., EMNLP 2013), done half.

    Parameters
    ----------
    vectors : float32 array of shape [..., D]
    mean : float32 array of shape [D]
        Mean embedding of the region over the archive's images.
    cases : int
        How many it is the mean of.
    """
    weight = _TAKEN_OFF * cases / (cases + _BLANK_CASES)
    return np.asarray(vectors - np.float32(weight) * mean, dtype=np.float32)
