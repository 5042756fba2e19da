"""Augmentation: the pose, exposure and processing that differ between one X-ray room and the next."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

_Image = npt.NDArray[np.float32]
_Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pose:
    """An affine motion of the square, in units of its side: ``p' = linear p + offset``."""

    linear: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def move_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return a square image, moved; what comes in from outside is black."""
        size = image.shape[0]
        # OpenCV's coordinates are those of pixel centres; ours are those of edges.
        centre = np.array([0.5, 0.5])
        offset = self.linear @ centre + self.offset * size - centre
        matrix = np.column_stack([self.linear, offset])
        moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=0.0)
        return np.asarray(moved, dtype=np.uint8)

    def move_boxes(self, boxes: _Boxes) -> _Boxes:
        """Return boxes [R, 4] around the moved edge midpoints of boxes, clipped to the square.

        Midpoints, not corners: the box of a rotated organ grows less than that of its rotated box.
        """
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).astype(np.float64)
        middles = 0.5 * (corners + np.roll(corners, -1, axis=1))
        points = middles @ self.linear.T + self.offset
        placed = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return np.asarray(np.clip(placed, 0.0, 1.0), dtype=np.float32)


def draw_pose(generator: np.random.Generator) -> Pose:
    """Draw a small rotation, scaling, stretching and shift; never a mirroring: sides are findings."""
    angle = np.deg2rad(generator.normal(0.0, 3.5))
    scale = np.exp(generator.normal(0.0, 0.09))
    aspect = np.exp(generator.normal(0.0, 0.06))
    shift = generator.normal(0.0, 0.04, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[scale * aspect * cos, -scale * sin], [scale * sin, scale / aspect * cos]])
    centre = np.array([0.5, 0.5])
    return Pose(linear, centre + shift - linear @ centre)


def process(pixels: npt.NDArray[np.uint8], generator: np.random.Generator) -> _Image:
    """Return a radiograph as another room's exposure and processing would show it.

    Parameters
    ----------
    pixels : uint8 array of shape [S, S]
    generator : numpy.random.Generator

    Returns
    -------
    float32 array of shape [S, S], 0 to 1
    """
    return _process(pixels.astype(np.float32) / np.float32(255.0), generator)


def _process(image: _Image, generator: np.random.Generator) -> _Image:
    size = image.shape[0]
    if generator.random() < 0.8:
        image = np.power(image, np.float32(np.exp(generator.normal(0.0, 0.3))))
    if generator.random() < 0.5:
        low, high = generator.uniform(-0.12, 0.12), generator.uniform(0.85, 1.15)
        image = np.clip((image - low) / (high - low), 0.0, 1.0)
    if generator.random() < 0.3:
        sigma = generator.uniform(2.0, 12.0)
        image = np.clip(
            image + generator.uniform(-0.4, 0.8) * (image - cv2.GaussianBlur(image, (0, 0), sigma)), 0, 1
        )
    if generator.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.3, 0.8))
    if generator.random() < 0.5:
        noise = generator.standard_normal((size, size), dtype=np.float32)
        image = np.clip(image + np.float32(generator.uniform(0.002, 0.02)) * noise, 0.0, 1.0)
    if generator.random() < 0.3:
        image = _cover_border(image, generator)
    return np.ascontiguousarray(image, dtype=np.float32)


def _cover_border(image: _Image, generator: np.random.Generator) -> _Image:
    """Blank a strip along one side: letterbox bars, collimation, a film's frame."""
    size = image.shape[0]
    strip = int(generator.uniform(0.02, 0.12) * size)
    shade = np.float32(generator.choice([0.0, 0.0, 1.0]))
    quarter_turns = int(generator.integers(4))
    covered = np.rot90(image, quarter_turns).copy()
    covered[:strip] = shade
    return np.rot90(covered, -quarter_turns)
