r"""From the image as displayed back to its stored pixels.

Boxes are in pixels of the upright image with square pixels; DICOM's annotations are in columns and rows of
the stored one (PS3.3 C.10.5 and C.18.6: the top left corner of the first pixel is 0\0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.preprocess.orientation import upright

# Stored corners: top left, top right, bottom left, bottom right.
_CORNERS = np.asarray([[0, 1], [2, 3]])


@dataclass(frozen=True)
class Geometry:
    """How an image was turned and stretched before it was shown.

    Parameters
    ----------
    columns, rows : int
        Of the stored image.
    width, height : int
        Of the image as displayed.
    rotation : int
        Degrees clockwise by which the stored image is turned, before it is mirrored.
    mirrored : bool
        Whether it is mirrored left to right after that.
    """

    columns: int
    rows: int
    width: int
    height: int
    rotation: int
    mirrored: bool

    @property
    def aspect(self) -> float:
        """Height over width that the display gives a stored pixel."""
        turned = self.rotation in (90, 270)
        width, height = (self.height, self.width) if turned else (self.width, self.height)
        return (height / self.rows) / (width / self.columns)

    def to_stored(self, box: Box) -> Box:
        """Return a displayed box in columns and rows of the stored image, clipped to it."""
        inside = box.clipped(self.width, self.height)
        ends = [self.to_stored_point(inside.x1, inside.y1), self.to_stored_point(inside.x2, inside.y2)]
        (x1, x2), (y1, y2) = (sorted(axis) for axis in zip(*ends, strict=True))
        return Box(x1, y1, x2, y2).clipped(self.columns, self.rows)

    def to_stored_point(self, x: float, y: float) -> tuple[float, float]:
        """Return the column and row of a displayed point, clipped to the image."""
        u, v = (min(1.0, max(0.0, share)) for share in (x / self.width, y / self.height))
        if self.mirrored:
            u = 1.0 - u
        for _ in range(self.rotation // 90):
            u, v = v, 1.0 - u  # a quarter turn back
        return u * self.columns, v * self.rows

    def displayed_corners(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the stored pixels (column, row, counted from 1) shown at the top left and bottom right.

        That is how a presentation state names its displayed area (PS3.3 C.10.4).
        """
        right, bottom = self.columns, self.rows
        pixels = {0: (1, 1), 1: (right, 1), 2: (1, bottom), 3: (right, bottom)}
        shown = _turned(_CORNERS, self.rotation, self.mirrored)
        return pixels[int(shown[0, 0])], pixels[int(shown[1, 1])]


def geometry_of(columns: int, rows: int, width: int, height: int, row: str, column: str) -> Geometry:
    """Return how an image was turned, from where its rows and columns run.

    Parameters
    ----------
    columns, rows : int
        Of the stored image.
    width, height : int
        Of the image as displayed.
    row, column : str
        As `runtime.preprocess.orientation.upright` takes them.
    """
    shown, _ = upright(_CORNERS, row, column)
    rotation, mirrored = next(
        (degrees, flip)
        for flip in (False, True)
        for degrees in (0, 90, 180, 270)
        if np.array_equal(_turned(_CORNERS, degrees, flip), shown)
    )
    return Geometry(columns, rows, width, height, rotation, mirrored)


def _turned(corners: npt.NDArray[np.int64], rotation: int, mirrored: bool) -> npt.NDArray[np.int64]:
    turned = np.rot90(corners, -(rotation // 90))  # NumPy turns counter-clockwise
    return turned[:, ::-1] if mirrored else turned
