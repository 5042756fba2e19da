"""What a phantom study is asked to show, and what it turned out to show.

A `CaseSpec` is all that is needed to render a study again, bit for bit. `PLACEMENTS` says where a
finding may be asked for; `implied_regions` says in which regions such a lesion counts as present, the
same for the truth file, for report grammar and for relevance in retrieval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box, Laterality, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View


class Severity(str, Enum):
    """Graded size and contrast of a lesion."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


@dataclass(frozen=True)
class Lesion:
    """One finding asked for.

    Parameters
    ----------
    finding : Finding
    region : Region
        Where; one of ``PLACEMENTS[finding]``.
    severity : Severity
    seed : int
        Draws its exact place, shape and texture.
    """

    finding: Finding
    region: Region
    severity: Severity
    seed: int


@dataclass(frozen=True)
class CaseSpec:
    """One study asked for.

    Parameters
    ----------
    patient_seed : int
        Draws the anatomy: habitus, proportions, sex, age. Equal for all studies of a patient.
    study_seed : int
        Draws the acquisition: inspiration, rotation, exposure, noise, collimation, marker.
    view : View
        PA or AP.
    lesions : tuple of Lesion
    """

    patient_seed: int
    study_seed: int
    view: View
    lesions: tuple[Lesion, ...]


@dataclass(frozen=True)
class PlacedFinding:
    """One finding as rendered.

    Parameters
    ----------
    lesion : Lesion
    regions : tuple of Region
        Where it counts as present (`implied_regions`).
    box : Box
        Tight around `mask`, pixels.
    mask : bool array of shape [H, W]
        The pixels it changes visibly.
    """

    lesion: Lesion
    regions: tuple[Region, ...]
    box: Box
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PhantomImage:
    """One rendered study.

    Parameters
    ----------
    pixels : uint16 array of shape [H, W]
        Stored values, 12 bits, MONOCHROME2 (dense tissue is bright).
    window_center, window_width : float
        The linear VOI window a console would set, in stored values.
    boxes : mapping of Region to Box
        All 29 regions from the geometry, pixels.
    findings : tuple of PlacedFinding
    view : View
    sex : str
        ``M`` or ``F``.
    age : int
        Years.
    lungs : bool array of shape [2, H, W]
        The lungs' outlines, right and left, with what lies behind the heart; none outside the exposed field.
    """

    pixels: npt.NDArray[np.uint16]
    window_center: float
    window_width: float
    boxes: Mapping[Region, Box]
    findings: tuple[PlacedFinding, ...]
    view: View
    sex: str
    age: int
    lungs: npt.NDArray[np.bool_]


def _both(*names: str) -> tuple[Region, ...]:
    return tuple(Region(f"{side} {name}") for name in names for side in ("right", "left"))


_ZONES = _both("upper lung zone", "mid lung zone", "lower lung zone")

PLACEMENTS: Mapping[Finding, tuple[Region, ...]] = {
    Finding.NODULE: _ZONES,
    Finding.MASS: (*_ZONES, *_both("hilar structures")),
    Finding.CALCIFIED_GRANULOMA: _ZONES,
    Finding.CONSOLIDATION: _ZONES,
    Finding.ATELECTASIS: _both("mid lung zone", "lower lung zone"),
    Finding.INTERSTITIAL_OPACITY: _ZONES,
    Finding.PULMONARY_EDEMA: (Region.RIGHT_LUNG,),
    Finding.SCARRING: _both("apical zone"),
    Finding.PLEURAL_EFFUSION: _both("costophrenic angle"),
    Finding.PNEUMOTHORAX: _both("apical zone"),
    Finding.ELEVATED_HEMIDIAPHRAGM: _both("hemidiaphragm"),
    Finding.CARDIOMEGALY: (Region.CARDIAC_SILHOUETTE,),
    Finding.HILAR_ENLARGEMENT: _both("hilar structures"),
    Finding.AORTIC_ENLARGEMENT: (Region.AORTIC_ARCH,),
    Finding.MEDIASTINAL_WIDENING: (Region.UPPER_MEDIASTINUM,),
    Finding.RIB_FRACTURE: _both("lung"),
    Finding.CLAVICLE_FRACTURE: _both("clavicle"),
    Finding.SCOLIOSIS: (Region.SPINE,),
    Finding.PACEMAKER: _both("upper lung zone"),
    Finding.CENTRAL_LINE: (Region.SVC, Region.CAVOATRIAL_JUNCTION, Region.RIGHT_ATRIUM),
    Finding.ENDOTRACHEAL_TUBE: (Region.TRACHEA,),
    Finding.ENTERIC_TUBE: (Region.ABDOMEN,),
}


def implied_regions(finding: Finding, region: Region) -> tuple[Region, ...]:
    """Return every region in which a lesion asked for in `region` counts as present, `region` first."""
    if finding is Finding.PULMONARY_EDEMA:
        return (Region.RIGHT_LUNG, Region.LEFT_LUNG)
    if finding is Finding.PNEUMOTHORAX and region.laterality is not Laterality.MIDLINE:
        return (region, Region(f"{region.laterality.value} lung"))
    if finding is Finding.MEDIASTINAL_WIDENING:
        return (region, Region.MEDIASTINUM)
    return (region,)
