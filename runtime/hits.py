"""What goes into a retrieval and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box, Laterality, Region
from edge_retrieve.runtime.findings import Finding


class Modality(str, Enum):
    """Which side of a study a stored embedding comes from."""

    IMAGE = "image"
    TEXT = "text"


@dataclass(frozen=True)
class Query:
    """A question to the archive: an image, a text, or both, with or without a place.

    Parameters
    ----------
    image : Path, optional
        The X-ray file.
    text : str, optional
        Report text or a phrase.
    regions : tuple of Region
        The suspicious regions; empty with no `boxes` means unconditioned.
    boxes : tuple of Box
        Boxes drawn by a person, in pixels of the image as displayed. Need an image.
    k : int
        Number of hits wanted.
    """

    image: Path | None = None
    text: str | None = None
    regions: tuple[Region, ...] = ()
    boxes: tuple[Box, ...] = ()
    k: int = 10


@dataclass(frozen=True)
class RegionMatch:
    """Why a hit matches in one region.

    Parameters
    ----------
    region : Region or None
        The region compared; None stands for the whole image.
    score : float
        Cosine similarity in this region, -1 to 1, averaged over the modalities compared.
    box : Box or None
        The region's box on the hit's image, pixels.
    finding : Finding or None
        The first finding that the hit's report states as present there, if any.
    laterality : Laterality or None
    """

    region: Region | None
    score: float
    box: Box | None
    finding: Finding | None
    laterality: Laterality | None


@dataclass(frozen=True)
class Hit:
    """One retrieved study with its evidence, best first in `RetrievalResult.hits`.

    Parameters
    ----------
    study : str
        The study's identifier in the store.
    patient : str
        The patient's identifier.
    score : float
        Fused cosine similarity, -1 to 1.
    regions : tuple of RegionMatch
        Best matching region first.
    sentences : tuple of str
        The report sentences that speak of the matched regions, abnormal ones first.
    """

    study: str
    patient: str
    score: float
    regions: tuple[RegionMatch, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class RetrievalResult:
    """Answer to a query.

    Parameters
    ----------
    hits : tuple of Hit
    regions : tuple of Region
        The regions searched: those asked for, and those that drawn boxes fall into.
    query_boxes : tuple of (Region, Box)
        Where the model sees the searched regions on the query image; empty for a text query.
    abstained : bool
        True where no case is similar enough to be shown as one.
    """

    hits: tuple[Hit, ...]
    regions: tuple[Region, ...]
    query_boxes: tuple[tuple[Region, Box], ...]
    abstained: bool
