"""Disguise: a phantom made to look like almost anything that still has lungs.

A lung finder trained on phantoms as they are takes for lung what is dark in the way of a phantom's lung. So
everything about an image is drawn anew here, far beyond what X-rays look like (domain randomisation: Tobin
et al. 2017, arXiv 1703.06907; for segmentation Billot et al. 2023, "SynthSeg"): shape, tone, disease over the
lungs, soft tissue before them, gas beside and below them, shadows, texture, covered patches. What is left
to go by is what a lung has on every X-ray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.train.augment import process

_Image = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]
_LEAST_LUNG = 0.003  # share of the square below which there is nothing to place an alteration by


@dataclass(frozen=True)
class _Chest:
    """The lungs of an image: a soft mask [S, S], and the box around both, in pixels."""

    mask: _Image
    left: float
    top: float
    width: float
    height: float

    @property
    def base(self) -> float:
        return self.top + self.height


def disguise(
    pixels: _Bytes, lungs: _Bytes, generator: np.random.Generator
) -> tuple[_Image, npt.NDArray[np.float32]]:
    """Return a disguised radiograph and its lungs.

    Parameters
    ----------
    pixels : uint8 array of shape [S, S]
    lungs : uint8 array of shape [2, M, M]
        Share of each cell that the right and the left lung cover, 0 to 255.
    generator : numpy.random.Generator

    Returns
    -------
    image : float32 array of shape [S, S], 0 to 1
    moved : float32 array of shape [2, M, M], 0 to 1
    """
    size = pixels.shape[0]
    from_x, from_y = _bend(size, generator)
    image = cv2.remap(pixels, from_x, from_y, cv2.INTER_LINEAR, borderValue=0.0).astype(np.float32)
    image /= np.float32(255.0)
    moved = np.stack([_follow(lung, from_x, from_y) for lung in lungs])
    chest = _chest(moved, size)
    if chest is not None:
        image = _alter(image, chest, generator)
    image = _shade(image, generator)
    return process((np.clip(image, 0, 1) * 255).astype(np.uint8), generator), moved


def _bend(size: int, generator: np.random.Generator) -> tuple[_Image, _Image]:
    """Return from where each pixel comes: an affine motion, then a smooth bending."""
    angle = math.radians(generator.normal(0.0, 5.0))
    scale, aspect = math.exp(generator.normal(0.0, 0.14)), math.exp(generator.normal(0.0, 0.10))
    cos, sin = math.cos(angle), math.sin(angle)
    back = np.linalg.inv([[scale * aspect * cos, -scale * sin], [scale * sin, scale / aspect * cos]])
    offset = generator.normal(0.0, 0.05, 2) * size
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x - np.float32(size / 2 + offset[0]), y - np.float32(size / 2 + offset[1])
    bends = [size / 2 + _clouds(size, 5, 0.018 * size, generator) for _ in range(2)]
    return (
        np.asarray(back[0, 0] * x + back[0, 1] * y + bends[0], dtype=np.float32),
        np.asarray(back[1, 0] * x + back[1, 1] * y + bends[1], dtype=np.float32),
    )


def _follow(lung: _Bytes, from_x: _Image, from_y: _Image) -> _Image:
    """Move a coarse mask as the image was moved."""
    cells, size = lung.shape[0], from_x.shape[0]
    # Where an image's pixel comes from, in cells; OpenCV's coordinates are those of centres.
    scale, half = np.float32(cells / size), np.float32(0.5)
    x, y = ((axis + half) * scale - half for axis in (from_x, from_y))
    fine = cv2.remap(lung, x, y, cv2.INTER_LINEAR, borderValue=0.0)
    moved = cv2.resize(fine, (cells, cells), interpolation=cv2.INTER_AREA)
    return np.asarray(moved.astype(np.float32) / np.float32(255.0))


def _chest(lungs: _Image, size: int) -> _Chest | None:
    cells = lungs.shape[1]
    rows, columns = np.nonzero(lungs.max(axis=0) > 0.5)
    if len(rows) < max(2, _LEAST_LUNG * cells * cells):
        return None
    mask = cv2.resize(lungs.max(axis=0), (size, size), interpolation=cv2.INTER_LINEAR)
    scale = size / cells
    left, top = float(columns.min()) * scale, float(rows.min()) * scale
    width, height = float(np.ptp(columns) + 1) * scale, float(np.ptp(rows) + 1) * scale
    return _Chest(cv2.GaussianBlur(mask, (0, 0), size / 100), left, top, width, height)


def _alter(image: _Image, chest: _Chest, generator: np.random.Generator) -> _Image:
    """Lay disease over the lungs, soft tissue before them, gas beside and below them; change their tone."""
    if generator.random() < 0.5:
        image = _opacified(image, chest, generator)
    if generator.random() < 0.5:
        for side in (chest.left + 0.2 * chest.width, chest.left + 0.8 * chest.width):
            centre = side + generator.normal(0.0, 0.08) * chest.width, _below(chest, -0.35, 0.1, generator)
            radii = (
                generator.uniform(0.15, 0.35) * chest.width,
                generator.uniform(0.20, 0.45) * chest.height,
            )
            breast = _ball(len(image), centre, radii, generator.normal(0.0, 0.4))
            image = image + np.float32(generator.uniform(0.05, 0.4)) * breast
    if generator.random() < 0.5:
        outside = 1 - chest.mask
        for _ in range(generator.integers(1, 5)):
            x = chest.left + generator.uniform(-0.1, 1.1) * chest.width
            radius = generator.uniform(0.03, 0.16) * chest.width
            radii = (radius, radius * generator.uniform(0.4, 1.0))
            centre = x, _below(chest, -0.1, 0.4, generator)
            gas = _ball(len(image), centre, radii, generator.normal(0.0, 0.5))
            image = image - np.float32(generator.uniform(0.1, 0.5)) * gas * outside
    if generator.random() < 0.3:
        image = image + np.float32(generator.uniform(-0.25, 0.25)) * chest.mask
    return image


def _below(chest: _Chest, least: float, most: float, generator: np.random.Generator) -> float:
    """Return a height about the lungs' base, in parts of the lungs' height below it."""
    return chest.base + generator.uniform(least, most) * chest.height


def _opacified(image: _Image, chest: _Chest, generator: np.random.Generator) -> _Image:
    """Whiten parts of the lungs, the bases alone in two of five, as far as the brightest lung at most."""
    size = len(image)
    clouds = _clouds(size, int(generator.integers(3, 9)), 1.0, generator)
    patches = 1 / (1 + np.exp(-generator.uniform(2.0, 8.0) * (clouds - generator.uniform(-0.3, 1.2))))
    if generator.random() < 0.4:
        rows = np.arange(size, dtype=np.float32)[:, None]
        from_row = chest.top + generator.uniform(0.2, 0.7) * chest.height
        patches = patches * np.clip((rows - from_row) / (0.3 * chest.height), 0, 1)
    bright = np.quantile(image[::4, ::4][chest.mask[::4, ::4] > 0.5], generator.uniform(0.7, 1.0))
    short = np.clip(bright - image, 0, 1)
    return np.asarray(image + generator.uniform(0.2, 0.9) * patches * chest.mask * short, dtype=np.float32)


def _shade(image: _Image, generator: np.random.Generator) -> _Image:
    """Change tone and texture, and cover patches."""
    size = len(image)
    if generator.random() < 0.5:
        image = image + _clouds(size, 4, 0.12, generator)
    if generator.random() < 0.3:
        image = image + _clouds(size, 24, 0.05, generator)
    if generator.random() < 0.5:
        knots = np.linspace(0.0, 1.0, 6)
        tones = np.sort(np.concatenate([[0.0], generator.uniform(0.0, 1.0, 4), [1.0]]))
        image = np.interp(np.clip(image, 0, 1), knots, 0.6 * knots + 0.4 * tones).astype(np.float32)
    image = np.clip(image, 0, 1).astype(np.float32)
    if generator.random() < 0.35:
        tiles = int(generator.integers(2, 9))
        levels = cv2.createCLAHE(generator.uniform(1.0, 5.0), (tiles, tiles))
        image = levels.apply((image * 255).astype(np.uint8)).astype(np.float32) / np.float32(255.0)
    if generator.random() < 0.3:
        for _ in range(generator.integers(1, 4)):
            width, height = (generator.uniform(0.02, 0.16, 2) * size).astype(int)
            x, y = (generator.uniform(0.0, 0.84, 2) * size).astype(int)
            image[y : y + height, x : x + width] = generator.choice([0.0, 1.0, generator.random()])
    return image


def _clouds(size: int, knots: int, deviation: float, generator: np.random.Generator) -> _Image:
    """Return a smooth random field about 0."""
    coarse = generator.normal(0.0, deviation, (knots, knots)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))


def _ball(size: int, centre: tuple[float, float], radii: tuple[float, float], angle: float) -> _Image:
    """Return the thickness of a body with an elliptic outline, 1 at its centre."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x - np.float32(centre[0]), y - np.float32(centre[1])
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    along, across = (x * cos + y * sin) / radii[0], (y * cos - x * sin) / radii[1]
    return np.asarray(np.sqrt(np.clip(1 - along**2 - across**2, 0, 1)), dtype=np.float32)
