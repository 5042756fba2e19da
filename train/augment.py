"""Augmentation: the pose, exposure and processing that differ between one X-ray room and the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_Image = npt.NDArray[np.float32]
_Boxes = npt.NDArray[np.float32]

# Points at which a stretch is tabulated to be undone: linear between them it errs by less than 1e-5.
_TABLE = np.linspace(-0.5, 1.5, 1025)


@dataclass(frozen=True)
class Stretch:
    """A smooth motion along one axis that never folds: ``f(t) = t + a sin(2 pi (t + b)) / (2 pi)``.

    Upright boxes stay upright boxes. It breaks what all phantoms have in common but no body must have: how
    high a dome stands over its angle, how wide a lung is at its base.

    Parameters
    ----------
    strength : float
        ``a``, between -1 and 1.
    phase : float
        ``b``.
    """

    strength: float
    phase: float

    def apply(self, t: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return ``f(t)``, in the precision of `t`."""
        return np.asarray(t + self.strength / (2 * math.pi) * np.sin(2 * math.pi * (t + self.phase)))

    def undo(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the place that `apply` brings to t, -0.4 to 1.4."""
        return np.asarray(np.interp(t, self.apply(_TABLE), _TABLE))


@dataclass(frozen=True)
class Pose:
    """A stretch along each axis, then an affine motion, in units of the square's side.

    ``p' = linear (fx^-1(x), fy^-1(y)) + offset``

    Parameters
    ----------
    linear : float64 array of shape [2, 2]
    offset : float64 array of shape [2]
    across, down : Stretch
        ``fx`` and ``fy``, from where a pixel comes to lie to where it was.
    """

    linear: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    across: Stretch
    down: Stretch

    def move_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return a square image, moved; what comes in from outside is black."""
        size = image.shape[0]
        back = np.linalg.inv(self.linear)
        # OpenCV's coordinates are those of pixel centres; ours are those of edges.
        centres = (np.arange(size) + 0.5) / size - self.offset[:, None]
        x = np.add.outer(back[0, 1] * centres[1], back[0, 0] * centres[0]).astype(np.float32)
        y = np.add.outer(back[1, 1] * centres[1], back[1, 0] * centres[0]).astype(np.float32)
        from_x, from_y = (axis.apply(t) * size - 0.5 for axis, t in ((self.across, x), (self.down, y)))
        moved = cv2.remap(
            image, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0
        )
        return np.asarray(moved, dtype=np.uint8)

    def move_boxes(self, boxes: _Boxes) -> _Boxes:
        """Return boxes [R, 4] around the moved edge midpoints of boxes, clipped to the square.

        Midpoints, not corners: the box of a rotated organ grows less than that of its rotated box.
        """
        edges = boxes.astype(np.float64)
        edges[:, 0::2] = self.across.undo(edges[:, 0::2])
        edges[:, 1::2] = self.down.undo(edges[:, 1::2])
        corners = edges[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        middles = 0.5 * (corners + np.roll(corners, -1, axis=1))
        points = middles @ self.linear.T + self.offset
        placed = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return np.asarray(np.clip(placed, 0.0, 1.0), dtype=np.float32)


def draw_pose(generator: np.random.Generator) -> Pose:
    """Draw a small rotation, scaling, stretching and shift; never a mirroring: sides are findings."""
    angle = np.deg2rad(generator.normal(0.0, 3.5))
    scale = np.exp(generator.normal(0.0, 0.10))
    aspect = np.exp(generator.normal(0.0, 0.08))
    shift = generator.normal(0.0, 0.04, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[scale * aspect * cos, -scale * sin], [scale * sin, scale / aspect * cos]])
    centre = np.array([0.5, 0.5])
    across, down = (
        Stretch(float(generator.uniform(-0.25, 0.25)), float(generator.uniform())) for _ in range(2)
    )
    return Pose(linear, centre + shift - linear @ centre, across, down)


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
    if generator.random() < 0.3:
        image = np.clip(image * _shading(size, generator), 0.0, 1.0)
    if generator.random() < 0.15:
        levels = cv2.createCLAHE(generator.uniform(1.0, 4.0), (4, 4)).apply((image * 255).astype(np.uint8))
        image = np.asarray(levels, dtype=np.float32) / np.float32(255.0)
    if generator.random() < 0.5:
        noise = generator.standard_normal((size, size), dtype=np.float32)
        image = np.clip(image + np.float32(generator.uniform(0.002, 0.02)) * noise, 0.0, 1.0)
    if generator.random() < 0.3:
        image = _cover_border(image, generator)
    return np.ascontiguousarray(np.clip(image, 0.0, 1.0), dtype=np.float32)  # a blur can round past white


def _shading(size: int, generator: np.random.Generator) -> _Image:
    """Return a smooth field about 1: uneven beams, scatter, soft tissue that hides the bases."""
    coarse = np.exp(generator.normal(0.0, 0.25, (3, 3))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))


def _cover_border(image: _Image, generator: np.random.Generator) -> _Image:
    """Blank a strip along one side: letterbox bars, collimation, a film's frame."""
    size = image.shape[0]
    strip = int(generator.uniform(0.02, 0.12) * size)
    shade = np.float32(generator.choice([0.0, 0.0, 1.0]))
    quarter_turns = int(generator.integers(4))
    covered = np.rot90(image, quarter_turns).copy()
    covered[:strip] = shade
    return np.rot90(covered, -quarter_turns)
