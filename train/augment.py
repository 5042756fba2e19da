"""Augmentation: the pose, exposure and processing that differ between one X-ray room and the next."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_Image = npt.NDArray[np.float32]
_Boxes = npt.NDArray[np.float32]


def augment(
    pixels: npt.NDArray[np.uint8], boxes: _Boxes, generator: np.random.Generator
) -> tuple[_Image, _Boxes]:
    """Return a randomly posed and processed copy of a radiograph with its boxes.

    Never mirrors: left and right are findings of their own.

    Parameters
    ----------
    pixels : uint8 array of shape [S, S]
    boxes : float32 array of shape [R, 4]
        Fractions of the square.
    generator : numpy.random.Generator

    Returns
    -------
    pixels : float32 array of shape [S, S], 0 to 1
    boxes : float32 array of shape [R, 4]
        Clipped to the square.
    """
    moved, placed = _move(pixels, boxes, generator)
    return _process(moved.astype(np.float32) / 255.0, generator), placed


def _move(
    pixels: npt.NDArray[np.uint8], boxes: _Boxes, generator: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], _Boxes]:
    size = pixels.shape[0]
    angle = np.deg2rad(generator.normal(0.0, 3.5))
    scale = np.exp(generator.normal(0.0, 0.09))
    aspect = np.exp(generator.normal(0.0, 0.06))
    shift = generator.normal(0.0, 0.04, 2) * size
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[scale * aspect * cos, -scale * sin], [scale * sin, scale / aspect * cos]])
    centre = np.array([size / 2, size / 2])
    offset = centre + shift - linear @ centre
    matrix = np.column_stack([linear, offset])
    moved = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=0.0)
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).astype(np.float64) * size
    # Edge midpoints, not corners: the box of a rotated organ grows less than the box of its rotated box.
    middles = 0.5 * (corners + np.roll(corners, -1, axis=1))
    points = middles @ linear.T + offset
    placed = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1) / size
    return moved, np.clip(placed, 0.0, 1.0).astype(np.float32)


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
