"""Axis-aligned boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Box:
    """A box in pixels of the image as displayed (after orientation, before resize).

    Half-open: a pixel column `c` is inside where ``x1 <= c + 0.5 < x2``. Coordinates are floats.

    Parameters
    ----------
    x1, y1, x2, y2 : float
        Left, top, right and bottom edge, in pixels.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels, 0 where the edges are swapped."""
        return max(0.0, self.x2 - self.x1)

    @property
    def height(self) -> float:
        """Height in pixels, 0 where the edges are swapped."""
        return max(0.0, self.y2 - self.y1)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    def intersect(self, other: Box) -> Box:
        """Return the overlap of two boxes (of zero area where there is none)."""
        x1, y1 = max(self.x1, other.x1), max(self.y1, other.y1)
        return Box(x1, y1, max(x1, min(self.x2, other.x2)), max(y1, min(self.y2, other.y2)))

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0 where both boxes are empty."""
        shared = self.intersect(other).area
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def clipped(self, width: float, height: float) -> Box:
        """Return the part of the box inside an image of the given size."""
        return self.intersect(Box(0.0, 0.0, width, height))

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return ``(x1, y1, x2, y2)``."""
        return (self.x1, self.y1, self.x2, self.y2)


def boxes_to_array(boxes: Sequence[Box]) -> npt.NDArray[np.float32]:
    """Return boxes as a float32 array of shape [N, 4]."""
    return np.asarray([box.as_tuple() for box in boxes], dtype=np.float32).reshape(-1, 4)
