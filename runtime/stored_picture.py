"""A stored picture, which may be smaller than its image: its pixels, and boxes on the one and the other."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.hits import Hit
from edge_retrieve.runtime.preprocess.grey import GreyImage
from edge_retrieve.runtime.preprocess.render import show
from edge_retrieve.runtime.preprocess.types import FloatImage


def read_preview(png: bytes) -> FloatImage:
    """Return the display intensity of a stored picture, float32 of shape [H, W], 0 to 1.

    Parameters
    ----------
    png : bytes
        As `Store.preview` returns it.
    """
    with Image.open(io.BytesIO(png)) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float32)
    return np.asarray(grey / np.float32(255.0), dtype=np.float32)


def displayed(grey: GreyImage) -> FloatImage:
    """Return the display intensity of stored grey values through their own window, as `read_preview`."""
    shown = show(grey.values, grey.scale.windows[0])
    return np.asarray(shown / np.float32(255.0), dtype=np.float32)


def scaled(box: Box, x: float, y: float) -> Box:
    """Return a box on an image `x` times as wide and `y` times as high."""
    return Box(box.x1 * x, box.y1 * y, box.x2 * x, box.y2 * y)


def drawn_on_image(hit: Hit, x: float, y: float) -> Hit:
    """Return a hit whose drawn boxes are in pixels of the image.

    Parameters
    ----------
    hit : Hit
        With drawn boxes in pixels of the image's picture.
    x, y : float
        The picture's width and height as parts of the image's.
    """
    if (x, y) == (1.0, 1.0) or all(match.drawn is None for match in hit.regions):
        return hit
    drawn = [None if match.drawn is None else scaled(match.drawn, 1 / x, 1 / y) for match in hit.regions]
    pairs = zip(hit.regions, drawn, strict=True)
    return replace(hit, regions=tuple(replace(match, drawn=box) for match, box in pairs))
