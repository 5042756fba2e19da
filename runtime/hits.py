"""What goes into a retrieval and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.anatomy import Box, Laterality, Region
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.findings import Finding


class Modality(str, Enum):
    """Which side of a study a stored embedding comes from."""

    IMAGE = "image"
    TEXT = "text"


class MismatchKind(str, Enum):
    """In what a hit's report differs from what was asked."""

    OTHER_SIDE = "other side"
    OTHER_REGION = "other region"
    OTHER_FINDING = "other finding"


@dataclass(frozen=True)
class Mismatch:
    """Something a hit's report states where, or as, it was not asked for.

    Parameters
    ----------
    kind : MismatchKind
    finding : Finding
        As the hit's report states it.
    region : Region or None
        Where it states it; None where it does not say.
    """

    kind: MismatchKind
    finding: Finding
    region: Region | None


@dataclass(frozen=True)
class RegionMatch:
    """Why a hit matches in one region.

    Parameters
    ----------
    region : Region or None
        The region compared; None stands for the whole image.
    score : float
        The fused score in this region: the weighted mean of the two below.
    box : Box or None
        The region's box on the hit's image, pixels.
    finding : Finding or None
        The finding that the hit's report states as present there: one that was asked for if it states one,
        else the first.
    laterality : Laterality or None
        Of the region; unconditioned, of the place where the report states the finding.
    image_score, text_score : float or None
        Likeness of the query to the hit's image here, and to what its report says of this region; None where
        it has none, or that side was not searched.
    drawn : Box or None
        The box on the query's image that was compared, where a person drew one.
    mismatch : Mismatch or None
        None also where the report states no finding at all.
    probability : float or None
        That the hit shares the finding in this region; None where scores are not calibrated.
    """

    region: Region | None
    score: float
    box: Box | None
    finding: Finding | None
    laterality: Laterality | None
    image_score: float | None = None
    text_score: float | None = None
    drawn: Box | None = None
    mismatch: Mismatch | None = None
    probability: float | None = None


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
        Fused over images, texts and regions (`runtime.fusion`).
    regions : tuple of RegionMatch
        Best matching region first.
    sentences : tuple of str
        The report sentences that speak of the matched regions, abnormal ones first.
    probability : float or None
        That the hit shares the finding in the regions, combined as their scores are; None where scores are
        not calibrated.
    """

    study: str
    patient: str
    score: float
    regions: tuple[RegionMatch, ...]
    sentences: tuple[str, ...]
    probability: float | None = None


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
        True where no case of the archive is similar enough to be shown as one.
    offset : int
        Hits passed over; the first one's rank is one more.
    more : bool
        Whether there is a next page.
    set_apart : int
        Studies left out because they are the query's own or its patient's.
    weights : FusionWeights or None
        What images and texts counted.
    calibrated : bool
        Whether the bundle knows how sure such scores make; hits have probabilities then.
    abstain_below : float or None
        The probability, or where scores are not calibrated the score, that no hit reaches where it abstained;
        None where nothing is set.
    """

    hits: tuple[Hit, ...]
    regions: tuple[Region, ...]
    query_boxes: tuple[tuple[Region, Box], ...]
    abstained: bool
    offset: int = 0
    more: bool = False
    set_apart: int = 0
    weights: FusionWeights | None = None
    calibrated: bool = False
    abstain_below: float | None = None
