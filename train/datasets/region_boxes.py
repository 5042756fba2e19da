"""Region boxes as Chest ImaGenome writes them, cleaned: original pixels, clipped, one a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.preprocess.letterbox import Letterbox
from edge_retrieve.train.datasets.records import FurtherRegion

FRAME = 224
"""Side of the square, padded evenly, that the annotation pipeline drew on, pixels."""

_REGIONS = {region.value: region for region in Region}
_FURTHER = {region.value: region for region in FurtherRegion}


@dataclass(frozen=True)
class RawBox:
    """One row of a box annotation.

    Parameters
    ----------
    name : str
    original : Box or None
        In pixels of the original image.
    framed : Box or None
        In pixels of the 224 x 224 frame.
    """

    name: str
    original: Box | None
    framed: Box | None


def clean_boxes(
    raw: Iterable[RawBox], size: tuple[int, int] | None
) -> tuple[Mapping[Region, Box], Mapping[FurtherRegion, Box]]:
    """Return the usable boxes of an image, in its own pixels.

    The original coordinates are taken where given, else those of the 224 frame are mapped back through its
    padding. Boxes are clipped to the image, empty ones dropped, several of one name merged into the box
    around them. Two halves stand for a whole that has no box: the cardiac silhouette, the abdomen.

    Parameters
    ----------
    raw : iterable of RawBox
    size : (int, int) or None
        Width and height of the original image; without it nothing is clipped and framed boxes are dropped.

    Returns
    -------
    boxes : mapping of Region to Box
    further : mapping of FurtherRegion to Box
    """
    merged: dict[str, Box] = {}
    for entry in raw:
        box = _placed(entry, size)
        if box is None or not (box.width > 0 and box.height > 0):
            continue
        name = entry.name.strip().lower()
        merged[name] = _around(merged[name], box) if name in merged else box
    boxes = {_REGIONS[name]: box for name, box in merged.items() if name in _REGIONS}
    further = {_FURTHER[name]: box for name, box in merged.items() if name in _FURTHER}
    for whole, left, right in (
        (
            Region.CARDIAC_SILHOUETTE,
            FurtherRegion.LEFT_CARDIAC_SILHOUETTE,
            FurtherRegion.RIGHT_CARDIAC_SILHOUETTE,
        ),
        (Region.ABDOMEN, FurtherRegion.LEFT_UPPER_ABDOMEN, FurtherRegion.RIGHT_UPPER_ABDOMEN),
    ):
        if whole not in boxes and left in further and right in further:
            boxes[whole] = _around(further[left], further[right])
    return boxes, further


def _placed(entry: RawBox, size: tuple[int, int] | None) -> Box | None:
    box = entry.original
    if box is None and entry.framed is not None and size is not None:
        box = Letterbox.fit(*size, FRAME).to_source(entry.framed)
    if box is None or size is None:
        return box
    return box.clipped(*size)


def _around(first: Box, second: Box) -> Box:
    return Box(
        min(first.x1, second.x1),
        min(first.y1, second.y1),
        max(first.x2, second.x2),
        max(first.y2, second.y2),
    )
