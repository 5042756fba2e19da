"""A training corpus: what every data set becomes before the model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import parse_report, text_by_region

FINDINGS: tuple[Finding, ...] = tuple(Finding)
MASK_SIDE = 64  # cells a side of a lesion mask
LUNG_SIDE = 128  # cells a side of a lung mask


@dataclass(frozen=True)
class RegionText:
    """What one report says of one region.

    Parameters
    ----------
    region : int
        Position in `REGIONS`.
    text : str
    abnormal : bool
        True where a finding is stated as present there.
    """

    region: int
    text: str
    abnormal: bool


@dataclass(frozen=True)
class LesionMasks:
    """Where findings lie, for data sets that know; row m of each array is lesion m.

    Parameters
    ----------
    studies : int64 array of shape [M]
        Row of the corpus, ascending.
    findings : int64 array of shape [M]
        Position in `FINDINGS`.
    masks : uint8 array of shape [M, 64, 64]
        255 where the finding is, on the letterboxed square.
    """

    studies: npt.NDArray[np.int64]
    findings: npt.NDArray[np.int64]
    masks: npt.NDArray[np.uint8]

    def of(self, study: int) -> slice:
        """Return the rows of one study's lesions."""
        low, high = np.searchsorted(self.studies, [study, study + 1])
        return slice(int(low), int(high))


class PixelSource(Protocol):
    """Images by row: an array, a memory map, or rows of a cache on disk."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, row: int, /) -> npt.NDArray[np.uint8]:
        """Return one letterboxed image, shape [S, S]."""


@dataclass(frozen=True)
class Corpus:
    """Studies in arrays; row n of each belongs to study n.

    Parameters
    ----------
    pixels : PixelSource, or uint8 array of shape [N, S, S]
        Letterboxed; may be a memory map.
    boxes : float32 array of shape [N, 29, 4]
        Fractions of the square; zeros where `has_boxes` is False.
    patients : int64 array of shape [N]
    reports : sequence of str
    labels : float32 array of shape [N, 29, L]
        Findings the *report* states as present in each region: weak supervision, as in the paper.
    region_texts : sequence of tuple of RegionText
    lesions : LesionMasks
        Without rows where the data set has no finding masks.
    has_boxes : bool array of shape [N, 29], optional
        Which boxes are known; all of them where it is left out. Regions without a box teach no box, and are
        pooled from predicted boxes.
    label_weights : float32 array of shape [N, 29], optional
        How sure the labels of each region are, 0 to 1 (`certainty`); all sure where it is left out.
    lungs : uint8 array of shape [N, 2, 128, 128], optional
        255 where the right and the left lung are, for data sets that know.
    """

    pixels: PixelSource
    boxes: npt.NDArray[np.float32]
    patients: npt.NDArray[np.int64]
    reports: Sequence[str]
    labels: npt.NDArray[np.float32]
    region_texts: Sequence[tuple[RegionText, ...]]
    lesions: LesionMasks
    has_boxes: npt.NDArray[np.bool_] | None = None
    label_weights: npt.NDArray[np.float32] | None = None
    lungs: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.pixels)


def supervise(reports: Sequence[str]) -> tuple[npt.NDArray[np.float32], tuple[tuple[RegionText, ...], ...]]:
    """Read region-level supervision from reports.

    Returns
    -------
    labels : float32 array of shape [N, 29, L]
    region_texts : tuple of tuple of RegionText
    """
    labels = np.zeros((len(reports), len(REGIONS), len(FINDINGS)), dtype=np.float32)
    texts: list[tuple[RegionText, ...]] = []
    for row, report in enumerate(reports):
        parsed = parse_report(report)
        for region in REGIONS:
            for finding in parsed.present_findings(region):
                labels[row, region.position, FINDINGS.index(finding)] = 1.0
        texts.append(
            tuple(
                RegionText(region.position, text, bool(labels[row, region.position].any()))
                for region, text in text_by_region(parsed).items()
            )
        )
    return labels, tuple(texts)


def certainty(reports: Sequence[str], unsure: float) -> npt.NDArray[np.float32]:
    """Return how far the labels that `supervise` reads of each region can be trusted.

    "Possible", "may represent" and the like neither state a finding nor deny it: the label of such a region
    may be wrong, whichever way it is set. It is sure again where another sentence states the same finding.

    Parameters
    ----------
    reports : sequence of str
    unsure : float
        Weight of a region with an uncertain finding; 1 is that of all others.

    Returns
    -------
    float32 array of shape [N, 29]
    """
    weights = np.ones((len(reports), len(REGIONS)), dtype=np.float32)
    for row, report in enumerate(reports):
        parsed = parse_report(report)
        doubted = {
            (region, mention.finding)
            for sentence in parsed.sentences
            for mention in sentence.mentions
            if mention.assertion is Assertion.UNCERTAIN
            for region in mention.regions
        }
        for region, finding in doubted:
            if finding not in parsed.present_findings(region):
                weights[row, region.position] = unsure
    return weights


def mirror_positions() -> npt.NDArray[np.int64]:
    """Return for each region the position of its mirror image, shape [29]."""
    return np.array([Region(region).mirrored.position for region in REGIONS], dtype=np.int64)
