"""The embeddings of a partition as they come out of a store, and how far they have come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Watermark:
    """How far one modality's embeddings have come; equal watermarks mean equal embeddings.

    Parameters
    ----------
    last : int
        Highest owner number ever given (an image's, or a report's).
    removals : int
        How often all embeddings were replaced by others (those of another bundle).
    tombstones : int
        Number of the last deletion of a study.
    erased : int
        Number of the last deletion that has left the files.
    replaced : int
        Number of the last report that another took the place of.
    """

    last: int
    removals: int
    tombstones: int = 0
    erased: int = 0
    replaced: int = 0


@dataclass(frozen=True)
class Vectors:
    """Embeddings of one partition; the store gives them in ascending order of their owners.

    Parameters
    ----------
    owners : int64 array of shape [n]
        Images' or reports' numbers.
    studies : int64 array of shape [n]
        The numbers of the studies they belong to.
    rows : float32 array of shape [n, D]
        Of unit length.
    """

    owners: npt.NDArray[np.int64]
    studies: npt.NDArray[np.int64]
    rows: FloatArray


@dataclass(frozen=True)
class Growth:
    """What came to a partition and what went, as of one moment.

    Parameters
    ----------
    watermark : Watermark
        Of that moment.
    vectors : Vectors
        New ones.
    replaced : frozenset of int
        Numbers of the reports that others took the place of.
    deleted : frozenset of int
        Numbers of the studies that were deleted.
    """

    watermark: Watermark
    vectors: Vectors
    replaced: frozenset[int]
    deleted: frozenset[int]
