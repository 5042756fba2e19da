"""Lesions: each finding of `PLACEMENTS` painted into a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.frame import Frame, Map, Mask
from edge_retrieve.train.phantom.lesions import devices, diffuse, focal, pleura, skeletal
from edge_retrieve.train.phantom.lesions.effect import Painter
from edge_retrieve.train.phantom.lesions.shape import changes_of, shape_effect
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import PLACEMENTS, Lesion, PlacedFinding, implied_regions

__all__ = ["PAINTERS", "changes_of", "check", "place"]

PAINTERS: Mapping[Finding, Painter] = {
    Finding.NODULE: focal.nodule,
    Finding.MASS: focal.mass,
    Finding.CALCIFIED_GRANULOMA: focal.granuloma,
    Finding.CONSOLIDATION: focal.consolidation,
    Finding.ATELECTASIS: focal.atelectasis,
    Finding.INTERSTITIAL_OPACITY: diffuse.interstitial,
    Finding.PULMONARY_EDEMA: diffuse.edema,
    Finding.SCARRING: diffuse.scarring,
    Finding.HILAR_ENLARGEMENT: focal.hilar_enlargement,
    Finding.PLEURAL_EFFUSION: pleura.effusion,
    Finding.PNEUMOTHORAX: pleura.pneumothorax,
    Finding.RIB_FRACTURE: skeletal.rib_fracture,
    Finding.CLAVICLE_FRACTURE: skeletal.clavicle_fracture,
    Finding.PACEMAKER: devices.pacemaker,
    Finding.CENTRAL_LINE: devices.central_line,
    Finding.ENDOTRACHEAL_TUBE: devices.tracheal_tube,
    Finding.ENTERIC_TUBE: devices.enteric_tube,
    Finding.CARDIOMEGALY: shape_effect,
    Finding.AORTIC_ENLARGEMENT: shape_effect,
    Finding.MEDIASTINAL_WIDENING: shape_effect,
    Finding.ELEVATED_HEMIDIAPHRAGM: shape_effect,
    Finding.SCOLIOSIS: shape_effect,
}
"""How each finding is painted. The last five change the geometry and only report their mask."""


def check(lesions: Sequence[Lesion]) -> None:
    """Raise `ConfigError` where a lesion is asked for in a region in which it does not occur."""
    for lesion in lesions:
        if lesion.region not in PLACEMENTS.get(lesion.finding, ()):
            allowed = ", ".join(region.value for region in PLACEMENTS.get(lesion.finding, ()))
            raise ConfigError(
                f"a phantom cannot show {lesion.finding.value} in the region '{lesion.region.value}'",
                where="CaseSpec.lesions",
                remedy=f"use one of: {allowed}" if allowed else "use a finding of PLACEMENTS",
            )


def place(scene: Scene, lesions: Sequence[Lesion]) -> tuple[Map, tuple[PlacedFinding, ...]]:
    """Return the attenuation with every lesion in it, and what each one shows.

    Raises
    ------
    ConfigError
        A lesion is asked for where it does not occur.
    """
    check(lesions)
    total, placed = scene.attenuation, []
    for lesion in lesions:
        effect = PAINTERS[lesion.finding](scene, lesion)
        total = total + effect.delta
        mask = _main_parts(_in_field(effect.mask, scene.frame))
        regions = implied_regions(lesion.finding, lesion.region)
        placed.append(PlacedFinding(lesion, regions, _box_of(mask, scene.boxes[lesion.region]), mask))
    return np.maximum(total, 0), tuple(placed)


def _in_field(mask: Mask, frame: Frame) -> Mask:
    x1, y1, x2, y2 = (round(v) for v in frame.field)
    inside = np.zeros_like(mask)
    inside[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    return inside


def _main_parts(mask: Mask) -> Mask:
    """Return a mask without the crumbs that a threshold leaves: parts below a twelfth of the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas >= areas.max() / 12)[labels] & mask)


def _box_of(mask: Mask, otherwise: Box) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return otherwise
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
