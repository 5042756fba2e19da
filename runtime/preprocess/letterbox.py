"""The one resize between an image and the model, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.preprocess.types import FloatImage


@dataclass(frozen=True)
class Letterbox:
    """Where an image of any shape lies inside the model's square.

    Both axes are scaled to whole pixels, so their scales may differ by less than one part in the shorter
    side; the mapping uses the scale each axis really got, and is exact.

    Parameters
    ----------
    source_width, source_height : int
        Size of the image as displayed, pixels.
    size : int
        Side of the square, pixels.
    width, height : int
        Size of the scaled image inside the square, pixels.
    left, top : int
        Its offset inside the square, pixels.
    """

    source_width: int
    source_height: int
    size: int
    width: int
    height: int
    left: int
    top: int

    @classmethod
    def fit(cls, source_width: int, source_height: int, size: int) -> Letterbox:
        """Return the centred fit of an image into a square; the longer side fills it."""
        if min(source_width, source_height, size) < 1:
            raise ValueError(f"cannot fit {source_width} x {source_height} pixels into a square of {size}")
        longer = max(source_width, source_height)
        width = max(1, round(source_width * size / longer))
        height = max(1, round(source_height * size / longer))
        return cls(
            source_width, source_height, size, width, height, (size - width) // 2, (size - height) // 2
        )

    @property
    def scale_x(self) -> float:
        """Model pixels per source pixel, horizontally."""
        return self.width / self.source_width

    @property
    def scale_y(self) -> float:
        """Model pixels per source pixel, vertically."""
        return self.height / self.source_height

    def to_model(self, box: Box) -> Box:
        """Map a box from the image as displayed to the model's square, both in pixels."""
        return Box(
            box.x1 * self.scale_x + self.left,
            box.y1 * self.scale_y + self.top,
            box.x2 * self.scale_x + self.left,
            box.y2 * self.scale_y + self.top,
        )

    def to_source(self, box: Box) -> Box:
        """Map a box from the model's square back to the image as displayed, both in pixels."""
        return Box(
            (box.x1 - self.left) / self.scale_x,
            (box.y1 - self.top) / self.scale_y,
            (box.x2 - self.left) / self.scale_x,
            (box.y2 - self.top) / self.scale_y,
        )


def letterbox(pixels: FloatImage, size: int) -> tuple[FloatImage, Letterbox]:
    """Scale an image into the model's square, centred on black.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        Display intensity, 0 to 1.
    size : int
        Side of the square, pixels.

    Returns
    -------
    model_pixels : float32 array of shape [1, size, size]
    transform : Letterbox
        Maps boxes both ways.
    """
    if pixels.ndim != 2:
        raise ValueError(f"expected an image of shape [H, W], got {pixels.shape}")
    transform = Letterbox.fit(pixels.shape[1], pixels.shape[0], size)
    square = np.zeros((1, size, size), dtype=np.float32)
    rows = slice(transform.top, transform.top + transform.height)
    columns = slice(transform.left, transform.left + transform.width)
    square[0, rows, columns] = resize(pixels, transform.width, transform.height)
    return square, transform


def resize(pixels: FloatImage, width: int, height: int) -> FloatImage:
    """Scale an image with Pillow's antialiased bilinear filter, in 32-bit float.

    The triangle filter widens with the reduction, so every source pixel contributes; output pixel centres
    map to source coordinates by half-pixel rules, as boxes do. Enlarging is plain bilinear.
    """
    if pixels.shape == (height, width):
        return np.ascontiguousarray(pixels, dtype=np.float32)
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32)
