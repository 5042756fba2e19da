"""Pictures of where words are: maps and boxes on the image, and a query beside a hit, region by region."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.grounding.report import Grounding
from edge_retrieve.runtime.preprocess.types import FloatImage

# Told apart by eyes that do not tell red from green (Okabe and Ito 2008).
COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip
_SIDE = 1024  # pixels of the longer side
_OPACITY = 0.45  # of a map's highest place
_LINE = 3


@dataclass(frozen=True)
class Correspondence:
    """A region on two images.

    Parameters
    ----------
    region : Region
    first, second : Box
        Pixels of the images.
    """

    region: Region
    first: Box
    second: Box


def correspondences(
    regions: Sequence[Region], first: Sequence[Box], second: Sequence[Box]
) -> tuple[Correspondence, ...]:
    """Return where regions are on two images.

    Parameters
    ----------
    regions : sequence of Region
    first, second : sequences of 29 Box
        As the model sees them on each image; none for an image that is not searched.
    """
    if not first or not second:
        return ()
    return tuple(
        Correspondence(region, first[region.position], second[region.position]) for region in regions
    )


def overlay_png(pixels: FloatImage, grounding: Grounding) -> bytes:
    """Return an image with the maps and boxes of the sentences that are seen, one colour each.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        Display intensity, 0 to 1.
    grounding : Grounding
        Of that image.
    """
    picture, scale = _picture(pixels)
    for n, sentence in enumerate(grounding.seen):
        colour = COLOURS[n % len(COLOURS)]
        if sentence.map is not None:
            picture = _tinted(picture, sentence.map.values, colour)
        draw = ImageDraw.Draw(picture)
        for box, value in sentence.boxes:
            label = f"{n + 1}: {', '.join(each.value for each in sentence.findings)} {value:.0%}"
            _frame(draw, box, scale, colour, label)
    return _png(picture)


def pair_png(first: FloatImage, second: FloatImage, pairs: Sequence[Correspondence]) -> bytes:
    """Return two images side by side, each region in one colour on both and joined by a line.

    Parameters
    ----------
    first, second : float32 arrays of shape [H, W]
        The query's and the hit's, display intensity 0 to 1.
    pairs : sequence of Correspondence
    """
    left, left_scale = _picture(first)
    right, right_scale = _picture(second)
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    draw = ImageDraw.Draw(both)
    for n, pair in enumerate(pairs):
        colour = COLOURS[n % len(COLOURS)]
        _frame(draw, pair.first, left_scale, colour, pair.region.value)
        _frame(draw, pair.second, right_scale, colour, pair.region.value, shift=left.width)
        ends = [
            (shift + 0.5 * (box.x1 + box.x2) * scale, 0.5 * (box.y1 + box.y2) * scale)
            for box, scale, shift in ((pair.first, left_scale, 0), (pair.second, right_scale, left.width))
        ]
        draw.line(ends, fill=colour, width=1)
    return _png(both)


def _picture(pixels: FloatImage) -> tuple[Image.Image, float]:
    """Return a picture of at most `_SIDE` pixels a side, and its pixels per image pixel."""
    grey = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
    height, width = grey.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(grey).resize(size, Image.Resampling.BOX).convert("RGB"), scale


def _tinted(
    picture: Image.Image, values: npt.NDArray[np.float32], colour: tuple[int, int, int]
) -> Image.Image:
    smooth = Image.fromarray(np.asarray(values, dtype=np.float32)).resize(
        picture.size, Image.Resampling.BILINEAR
    )
    share = (_OPACITY * np.clip(np.asarray(smooth), 0.0, 1.0))[..., None]
    mixed = (1.0 - share) * np.asarray(picture, dtype=np.float32) + share * np.array(colour, np.float32)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _frame(
    draw: ImageDraw.ImageDraw,
    box: Box,
    scale: float,
    colour: tuple[int, int, int],
    label: str,
    shift: float = 0.0,
) -> None:
    x1, y1, x2, y2 = (edge * scale for edge in box.as_tuple())
    draw.rectangle((shift + x1, y1, shift + max(x1, x2), max(y1, y2)), outline=colour, width=_LINE)
    draw.text((shift + x1 + 4, max(0.0, y1 - 13)), label, fill=colour)


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()
