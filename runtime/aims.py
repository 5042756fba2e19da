"""Where a query looks: the regions named, and those that drawn boxes fall into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.query import Query

# A drawn box belongs to regions that hold at least half of it, and among those to the best overlapping
# one and to any that overlaps nearly as well.
_CONTAINED = 0.5
_NEARLY = 0.8


@dataclass(frozen=True)
class Aim:
    """One place a query looks at.

    Parameters
    ----------
    region : Region or None
        None for the whole.
    weight : float
    box : Box or None
        Drawn by a person, as far as it is on the image; it is what is looked at, in the region it falls into.
    """

    region: Region | None
    weight: float = 1.0
    box: Box | None = None


def aims_of(query: Query, encoding: ImageEncoding | None) -> tuple[Aim, ...]:
    """Return where a query looks.

    Each box asks in each region it falls into, which share its weight. Where that region is named as well,
    the box stands in for it.

    Parameters
    ----------
    query : Query
        Checked.
    encoding : ImageEncoding or None
        Of the query's image.

    Raises
    ------
    QueryError
        Where a region is unknown, or a box has no image, no area, or lies outside of it or of all regions.
    """
    weights = query.weights or (1.0,) * (len(query.regions) + len(query.boxes))
    named: dict[Region, float] = {}
    for name, weight in zip(query.regions, weights, strict=False):
        named.setdefault(region_named(name), weight)
    drawn = []
    for box, weight in zip(query.boxes, weights[len(query.regions) :], strict=True):
        inside, seen = _inside(box, encoding)
        regions = _regions_of(inside, seen)
        drawn += [Aim(region, weight / len(regions), inside) for region in regions]
    held = {aim.region for aim in drawn}
    aims = [Aim(region, weight) for region, weight in named.items() if region not in held]
    return (*aims, *drawn) or (Aim(None),)


def _inside(box: Box, encoding: ImageEncoding | None) -> tuple[Box, ImageEncoding]:
    """Return the part of a drawn box that shows something of the image, and the image."""
    if encoding is None:
        raise QueryError("a box needs an image", remedy="Give an image, or name a region instead")
    if not all(np.isfinite(box.as_tuple())) or box.area <= 0:
        raise QueryError(
            f"the box {_words(box)} has no area", remedy="Give x1,y1,x2,y2 with x1 < x2 and y1 < y2"
        )
    inside = box.clipped(encoding.width, encoding.height)
    if inside.area <= 0:
        raise QueryError(
            f"the box {_words(box)} lies outside the image ({encoding.width} x {encoding.height} pixels)",
            remedy="Give pixels of the image as displayed",
        )
    return inside, encoding


def _regions_of(inside: Box, encoding: ImageEncoding) -> Sequence[Region]:
    """Return the regions a drawn box falls into, best first."""
    overlaps = {
        region: (inside.iou(seen), inside.intersect(seen).area / inside.area)
        for region, seen in zip(REGIONS, encoding.boxes, strict=True)
    }
    holding = {region: iou for region, (iou, share) in overlaps.items() if share >= _CONTAINED}
    found = holding or {region: iou for region, (iou, _) in overlaps.items() if iou > 0}
    if not found:
        raise QueryError(
            f"the box {_words(inside)} falls into none of the regions seen on the image",
            remedy="Draw it over the chest, or name a region",
        )
    best = max(found.values())
    return sorted((r for r, iou in found.items() if iou >= _NEARLY * best), key=lambda r: -found[r])


def _words(box: Box) -> str:
    return ",".join(f"{edge:g}" for edge in box.as_tuple())
