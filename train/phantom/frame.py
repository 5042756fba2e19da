"""From millimetres to pixels, and drawing on float32 maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.acquisition import Framing
from edge_retrieve.train.phantom.curves import Points
from edge_retrieve.train.phantom.geometry import Thorax

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_SHIFT = 4


@dataclass(frozen=True)
class Frame:
    """The square image and what of it is exposed.

    Parameters
    ----------
    size : int
        Pixels a side.
    matrix : float64 array of shape [2, 3]
        Millimetres to pixels.
    pitch : float
        Millimetres a pixel.
    field : tuple of float
        Exposed field ``(x1, y1, x2, y2)``, pixels; black outside.
    """

    size: int
    matrix: npt.NDArray[np.float64]
    pitch: float
    field: tuple[float, float, float, float]

    def to_pixels(self, points: Points | Sequence[Sequence[float]]) -> Points:
        """Return points in pixels (pixel ``c`` spans ``c`` to ``c + 1``)."""
        array = np.asarray(points, dtype=np.float64)
        return np.asarray(array @ self.matrix[:, :2].T + self.matrix[:, 2])

    def to_millimetres(self, x: float, y: float) -> tuple[float, float]:
        """Return a place given in pixels in millimetres."""
        inverse = cv2.invertAffineTransform(self.matrix)
        place = inverse @ np.array([x, y, 1.0])
        return float(place[0]), float(place[1])

    def _fixed(self, points: Points) -> npt.NDArray[np.int32]:
        limit = float(4 * self.size << _SHIFT)
        pixels = (self.to_pixels(points) - 0.5) * (1 << _SHIFT)
        np.clip(np.rint(pixels, out=pixels), -limit, limit, out=pixels)
        return pixels.astype(np.int32)[..., None, :]

    def fill(self, *outlines: Points) -> Map:
        """Return the coverage, 0 to 1, of closed outlines (their union), antialiased."""
        canvas = np.zeros((self.size, self.size), np.uint8)
        for outline in outlines:
            cv2.fillPoly(canvas, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        return np.asarray(canvas.astype(np.float32) * np.float32(1 / 255))

    def paint(self, canvas: npt.NDArray[np.uint8], outline: Points, value: float) -> None:
        """Fill a closed outline, or several of shape [N, points, 2], with a value, 0 to 255, in place."""
        fixed = self._fixed(outline)
        shapes = list(fixed) if fixed.ndim == 4 else [fixed]
        cv2.fillPoly(canvas, shapes, float(value), cv2.LINE_AA, _SHIFT)

    def stroke(
        self,
        canvas: npt.NDArray[np.uint8],
        lines: Sequence[Points] | Points,
        value: float,
        width: float,
        closed: bool = False,
    ) -> None:
        """Draw polylines (a list, or an array of shape [N, points, 2]) with a value, 0 to 255, in place.

        Their width is in millimetres.

        A line thinner than a pixel is drawn one pixel wide and as much weaker.
        """
        thickness = width / self.pitch
        weight = min(1.0, thickness)
        fixed = (
            list(self._fixed(lines))
            if isinstance(lines, np.ndarray)
            else [self._fixed(line) for line in lines]
        )
        cv2.polylines(
            canvas, fixed, closed, float(value) * weight, max(1, round(thickness)), cv2.LINE_AA, _SHIFT
        )

    def depth_inside(self, outline: Points) -> Map:
        """Return the distance to the outline's edge, millimetres, 0 outside."""
        canvas = np.zeros((self.size, self.size), np.uint8)
        cv2.fillPoly(canvas, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        inside = (canvas > 127).astype(np.uint8)
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
        # An outline that covers the whole image has no edge: OpenCV then answers with a huge number.
        return np.asarray(
            np.minimum(distance, np.float32(4 * self.size)) * np.float32(self.pitch), dtype=np.float32
        )

    def at(self, level: int) -> Frame:
        """Return the same view on a grid `level` times coarser."""
        x1, y1, x2, y2 = (v / level for v in self.field)
        return Frame(self.size // level, self.matrix / level, self.pitch * level, (x1, y1, x2, y2))

    def enlarge(self, coarse: Map) -> Map:
        """Return a coarse map on the full grid."""
        if coarse.shape[0] == self.size:
            return coarse
        return np.asarray(cv2.resize(coarse, (self.size, self.size), interpolation=cv2.INTER_LINEAR))

    def millimetres(self) -> tuple[Map, Map]:
        """Return x and y of every pixel centre, millimetres. Both are shared: not to be changed."""
        return self._places

    @cached_property
    def _places(self) -> tuple[Map, Map]:
        inverse = cv2.invertAffineTransform(self.matrix).astype(np.float32)
        centre_x, centre_y = _centres(self.size)
        x = inverse[0, 0] * centre_x + (inverse[0, 1] * centre_y + inverse[0, 2])
        y = inverse[1, 0] * centre_x + (inverse[1, 1] * centre_y + inverse[1, 2])
        return x, y


@lru_cache(maxsize=8)
def _centres(size: int) -> tuple[Map, Map]:
    """Return pixel centres as a row and as a column."""
    centre = np.arange(size, dtype=np.float32) + np.float32(0.5)
    return centre[None, :], centre[:, None]


def dome_profile(distance: Map, radius: float) -> Map:
    """Return the depth profile, 0 to 1, of a body with an edge rounded at `radius` millimetres."""
    part = np.clip(distance * np.float32(1 / radius), 0, 1)
    return np.asarray(np.sqrt(part * (2 - part)))


def blur(image: Map, sigma: float) -> Map:
    """Return a Gaussian blur; sigma in pixels, wide ones on a coarser grid."""
    if sigma <= 0.15:
        return image
    level = 1
    while sigma / level > 4 and level < 16:
        level *= 2
    if level == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))
    small = cv2.resize(
        image, (image.shape[1] // level, image.shape[0] // level), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma / level, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))


def make_frame(thorax: Thorax, framing: Framing, size: int) -> Frame:
    """Return how a thorax lies in a square image of `size` pixels.

    The lungs' outline always stays in the field but for at most a few hundredths of its extent, and some
    of the abdomen stays below it.
    """
    outline = np.vstack([lung.outline for lung in thorax.lungs])
    c, s = np.cos(thorax.pose.roll), np.sin(thorax.pose.roll)
    turned = outline @ np.array([[c, s], [-s, c]])
    (x1, y1), (x2, y2) = turned.min(axis=0), turned.max(axis=0)
    field_w = size * min(1.0, framing.aspect)
    field_h = size * min(1.0, 1.0 / framing.aspect)
    # The field must hold the lungs' width, and their height with a strip of abdomen.
    scale = framing.fill * size / (x2 - x1)
    scale = min(scale, 1.02 * field_w / (x2 - x1), 0.955 * field_h / (y2 - y1))
    left, top = (size - field_w) / 2, (size - field_h) / 2
    spare_x = field_w - scale * (x2 - x1)
    spare_y = field_h - scale * (y2 - y1)
    offset_x = left + spare_x * (0.5 + 0.36 * framing.shift_x * (spare_x > 0)) - scale * x1
    low = min(0.03 * field_h, 0.4 * spare_y)
    offset_y = top + low + (spare_y - 2.2 * low) * (0.5 + 0.5 * framing.shift_y) - scale * y1
    matrix = np.array([[scale * c, -scale * s, offset_x], [scale * s, scale * c, offset_y]])
    return Frame(size, matrix, 1 / scale, (left, top, left + field_w, top + field_h))
