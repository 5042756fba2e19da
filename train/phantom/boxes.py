"""The 29 region boxes, from the same outlines that are rendered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS, Box, Laterality, Region
from edge_retrieve.train.phantom.curves import Points, bounds, shifted, tube
from edge_retrieve.train.phantom.frame import Frame
from edge_retrieve.train.phantom.geometry import SIDES, LungSide, Thorax

_LEAST = 2.0
"""Least width and height of a region's box, pixels of a 512-pixel image."""


def region_boxes(thorax: Thorax, clavicles: Mapping[Laterality, Points], frame: Frame) -> dict[Region, Box]:
    """Return the box of every region, in pixels, clipped to the exposed field.

    Parameters
    ----------
    thorax : Thorax
    clavicles : mapping of Laterality to Points
        Their outlines, millimetres.
    frame : Frame
    """
    shapes: dict[Region, Points] = {}
    for side in SIDES:
        shapes.update(_lung_regions(side, thorax.lung(side), frame))
        shapes[Region(f"{side.value} clavicle")] = frame.to_pixels(clavicles[side])
    shapes.update(_midline(thorax, frame))
    return {region: _clip(shapes[region], frame) for region in REGIONS}


def _clip(points: Points, frame: Frame) -> Box:
    x1, y1, x2, y2 = bounds(points)
    left, top, right, bottom = frame.field
    least = _LEAST * frame.size / 512
    x1, x2 = _span(x1, x2, left, right, least)
    y1, y2 = _span(y1, y2, top, bottom, least)
    return Box(x1, y1, x2, y2)


def _span(low: float, high: float, first: float, last: float, least: float) -> tuple[float, float]:
    low, high = min(max(low, first), last - least), max(min(high, last), first + least)
    return low, max(high, low + least)


def _rect(x1: float, y1: float, x2: float, y2: float) -> Points:
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def _lung_regions(side: Laterality, lung: LungSide, frame: Frame) -> dict[Region, Points]:
    name = side.value
    outline = frame.to_pixels(lung.outline)
    x1, y1, x2, y2 = bounds(outline)
    tall = y2 - y1
    cuts = (0.0, 1 / 3, 2 / 3, 1.0)
    zones = {
        Region(f"{name} {zone} lung zone"): _band(outline, y1 + cuts[i] * tall, y1 + cuts[i + 1] * tall)
        for i, zone in enumerate(("upper", "mid", "lower"))
    }
    hx, hy = lung.hilum
    reach = 0.19 * lung.width
    angle_x, angle_y = lung.angle
    dome = frame.to_pixels(lung.dome)
    _, dome_top, _, _ = bounds(dome)
    rise = 6 / frame.pitch
    return {
        Region(f"{name} lung"): outline,
        **zones,
        Region(f"{name} apical zone"): _band(outline, y1, y1 + 0.22 * tall),
        Region(f"{name} hilar structures"): frame.to_pixels(
            _rect(hx - reach, hy - 0.16 * lung.height, hx + reach, hy + 0.16 * lung.height)
        ),
        Region(f"{name} costophrenic angle"): frame.to_pixels(
            _rect(
                angle_x - lung.sign * 0.22 * lung.width,
                angle_y - 0.15 * lung.height,
                angle_x + lung.sign * 4,
                angle_y + 5,
            )
        ),
        Region(f"{name} hemidiaphragm"): _rect(x1, dome_top - rise, x2, y2),
    }


def _band(outline: Points, top: float, bottom: float) -> Points:
    """Return the points of a dense outline within a band, with the band's own edges."""
    inside = outline[(outline[:, 1] >= top - 1e-6) & (outline[:, 1] <= bottom + 1e-6)]
    x1, _, x2, _ = bounds(inside if len(inside) else outline)
    return _rect(x1, top, x2, bottom)


def _midline(thorax: Thorax, frame: Frame) -> dict[Region, Points]:
    cx, cy = thorax.carina
    height = thorax.height
    kx1, ky1, kx2, ky2 = bounds(thorax.knob)
    px1, _, px2, _ = bounds(thorax.pedicle)
    hx1, hy1, hx2, hy2 = bounds(thorax.heart)
    tall = hy2 - hy1
    trachea, calibre = thorax.airways[0]
    lungs = frame.to_pixels(np.vstack([lung.outline for lung in thorax.lungs]))
    left, _, right, _ = bounds(lungs)
    domes = min(bounds(frame.to_pixels(lung.dome))[1] for lung in thorax.lungs)
    left_edge = max(px2, kx2)
    spine = thorax.spine[thorax.spine[:, 1] < height + 60]
    pedicle_left = _rect(px1, 0.02 * height, left_edge, cy + 0.02 * height)
    boxes = {
        Region.TRACHEA: tube(trachea[trachea[:, 1] > thorax.trachea_top], calibre + 3),
        Region.CARINA: _rect(cx - 16, cy - 10, cx + 16, cy + 16),
        Region.AORTIC_ARCH: _rect(min(cx - 6, kx1), ky1 - 5, kx2 + 3, ky2 + 7),
        Region.UPPER_MEDIASTINUM: pedicle_left,
        Region.MEDIASTINUM: _rect(min(px1, hx1), 0.02 * height, max(left_edge, hx2), hy2),
        Region.SVC: _rect(px1 - 3, 0.16 * height, cx - 8, hy1 + 0.16 * tall),
        Region.CAVOATRIAL_JUNCTION: _rect(hx1 - 2, hy1 + 0.08 * tall, hx1 + 32, hy1 + 0.34 * tall),
        Region.RIGHT_ATRIUM: _rect(hx1 - 2, hy1 + 0.20 * tall, 2.0, hy1 + 0.88 * tall),
        Region.CARDIAC_SILHOUETTE: thorax.heart,
        Region.SPINE: np.vstack([shifted(spine, 21), shifted(spine, -21)]),
    }
    pixels = {region: frame.to_pixels(points) for region, points in boxes.items()}
    pixels[Region.ABDOMEN] = _rect(left, domes, right, frame.field[3])
    return pixels
