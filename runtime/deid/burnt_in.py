"""Finding text that is part of the picture itself, and covering it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.deid.shapes import Bytes, Shapes, find_shapes, join
from edge_retrieve.runtime.preprocess.types import FloatImage

Grey = TypeVar("Grey", np.float32, np.uint16)

_LONGEST_SIDE = 1536  # pixels; larger pictures are looked at in this size
_STROKE = 11  # pixels: strokes of letters are thinner
# Of 255: how much ink differs from what surrounds it. Letters that a low one joins to each other, or to what
# lies behind them, stand apart at a higher one.
# The lower it is, the more alike the ink must be and the more letters a line must have: lungs have texture.
_LEVELS = ((18, 6.0, 5), (36, 14.0, 4), (72, 24.0, 4))  # contrast, spread of the ink, letters
_LOWEST, _HIGHEST = 6, 72  # pixels: a letter's height
_MARGIN = 0.35  # of a line's height, added around it


def find_text(pixels: FloatImage) -> tuple[Box, ...]:
    """Return where lines of text are burnt into a picture.

    Letters are thin strokes of one ink, alike in height, on one line, at one distance. What they say is not
    read: a line of four letters counts, whether it is a name or "SUPINE"; a marker of one to three letters
    does not.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        Display intensity from 0 to 1.

    Returns
    -------
    tuple of Box
        Pixels of the picture, with a margin.
    """
    height, width = pixels.shape
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    picture = np.rint(np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    boxes: list[Box] = []
    for inked in (picture, 255 - picture):
        for turned in (False, True):
            found = _lines(inked.T if turned else inked)
            boxes += [Box(b.y1, b.x1, b.y2, b.x2) for b in found] if turned else found
    across, down = width / picture.shape[1], height / picture.shape[0]
    return tuple(
        Box(
            max(0.0, box.x1 * across),
            max(0.0, box.y1 * down),
            min(float(width), box.x2 * across),
            min(float(height), box.y2 * down),
        )
        for box in boxes
    )


def cover(pixels: npt.NDArray[Grey], boxes: tuple[Box, ...]) -> npt.NDArray[Grey]:
    """Return a picture whose boxes are filled with the grey of their surroundings.

    Parameters
    ----------
    pixels : array of shape [H, W]
    boxes : tuple of Box
        Inside the picture.
    """
    covered: npt.NDArray[Grey] = pixels.copy()
    for x1, y1, x2, y2 in map(_whole, boxes):
        ring = pixels[max(0, y1 - 3) : y2 + 3, max(0, x1 - 3) : x2 + 3]
        covered[y1:y2, x1:x2] = np.median(ring).astype(pixels.dtype)
    return covered


def covered_share(boxes: tuple[Box, ...], shape: tuple[int, ...]) -> float:
    """Return the share of a picture of shape [H, W] that boxes cover together."""
    mask = np.zeros(shape, np.bool_)
    for x1, y1, x2, y2 in map(_whole, boxes):
        mask[y1:y2, x1:x2] = True
    return float(mask.mean())


def _whole(box: Box) -> tuple[int, int, int, int]:
    """Return a box in whole pixels, none of which it cuts."""
    return int(box.x1), int(box.y1), int(np.ceil(box.x2)), int(np.ceil(box.y2))


def _lines(picture: Bytes) -> list[Box]:
    """Return the lines of bright text that runs from left to right, in pixels of the picture."""
    thin = picture.astype(np.int16) - _opened(picture, _STROKE)
    boxes: list[Box] = []
    for contrast, spread, fewest in _LEVELS:
        boxes += _lines_of(_letters(find_shapes(thin > contrast, picture)), spread, fewest)
    return boxes


def _lines_of(letters: Shapes, spread: float, fewest: int) -> list[Box]:
    if len(letters.x1) < fewest:
        return []
    left, right = _neighbours(letters)
    groups = join(len(letters.x1), left, right)
    boxes = []
    for group in np.flatnonzero(np.bincount(groups) >= fewest):
        chosen = groups == group
        if letters.peak[chosen].std() > spread:
            continue
        margin = _MARGIN * float(np.max(letters.y2[chosen] - letters.y1[chosen]))
        boxes.append(
            Box(
                letters.x1[chosen].min() - margin,
                letters.y1[chosen].min() - margin,
                letters.x2[chosen].max() + margin,
                letters.y2[chosen].max() + margin,
            )
        )
    return boxes


def _letters(shapes: Shapes) -> Shapes:
    """Return the shapes that have a letter's size and proportions."""
    height, width = shapes.y2 - shapes.y1, shapes.x2 - shapes.x1
    fill = shapes.area / (height * width)
    chosen = (height >= _LOWEST) & (height <= _HIGHEST) & (width <= 1.7 * height) & (fill > 0.12)
    return Shapes(*(getattr(shapes, name)[chosen] for name in ("x1", "y1", "x2", "y2", "area", "peak")))


def _neighbours(letters: Shapes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pairs of letters that stand next to each other on one line."""
    order = np.argsort(letters.x1, kind="stable")
    x1, x2, y1, y2 = letters.x1[order], letters.x2[order], letters.y1[order], letters.y2[order]
    tall = y2 - y1
    left: list[int] = []
    right: list[int] = []
    for n in range(len(order)):
        # A letter's neighbours begin within a space of its end.
        last = np.searchsorted(x1, x2[n] + 1.2 * tall[n], side="right")
        others = np.arange(n + 1, last)
        size = np.maximum(tall[others], tall[n])
        alike = np.minimum(tall[others], tall[n]) >= 0.55 * size
        base = np.abs(y2[others] - y2[n]) <= 0.2 * size
        apart = x1[others] - x2[n] >= -0.3 * size
        for other in others[alike & base & apart]:
            left.append(int(order[n]))
            right.append(int(order[other]))
    return np.asarray(left, np.int64), np.asarray(right, np.int64)


def _opened(picture: Bytes, size: int) -> npt.NDArray[np.int16]:
    """Return a picture without what is brighter and thinner than `size` (a grey opening by a square)."""
    eroded = _extreme(_extreme(picture, size, 0, np.minimum), size, 1, np.minimum)
    return _extreme(_extreme(eroded, size, 0, np.maximum), size, 1, np.maximum).astype(np.int16)


def _extreme(picture: Bytes, size: int, axis: int, of: np.ufunc) -> Bytes:
    """Return the least or greatest value of each window of an odd `size` along an axis."""
    half = size // 2
    padding = [(0, 0), (0, 0)]
    padding[axis] = (half, half)
    window = np.moveaxis(np.pad(picture, padding, mode="edge"), axis, 0)
    length, span = picture.shape[axis], 1
    while span * 2 <= size:
        window = of(window[:-span], window[span:])
        span *= 2
    rest = size - span
    out = of(window[:length], window[rest : rest + length])
    return np.moveaxis(out, 0, axis)
