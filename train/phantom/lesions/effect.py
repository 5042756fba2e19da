"""What a lesion does to the attenuation, and helpers to draw and to place one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.train.phantom.curves import Points, stream, wobble
from edge_retrieve.train.phantom.frame import Frame, Map, Mask, blur
from edge_retrieve.train.phantom.organs import MU_LUNG, MU_TISSUE
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion, Severity

FLUID = MU_TISSUE - MU_LUNG
"""Attenuation gained where tissue or fluid takes the place of aerated lung, 1/mm."""


@dataclass(frozen=True)
class Effect:
    """One lesion's effect.

    Parameters
    ----------
    delta : Map
        Added to the attenuation behind every pixel.
    mask : Mask
        The pixels it changes visibly.
    """

    delta: Map
    mask: Mask


Painter = Callable[[Scene, Lesion], Effect]


def graded(lesion: Lesion, mild: float, moderate: float, severe: float) -> float:
    """Return the value for a lesion's severity."""
    return {Severity.MILD: mild, Severity.MODERATE: moderate, Severity.SEVERE: severe}[lesion.severity]


def rng_of(lesion: Lesion) -> np.random.Generator:
    """Return the lesion's own generator."""
    return stream(
        lesion.seed, 81, sum(ord(letter) << (i % 8) for i, letter in enumerate(lesion.finding.value))
    )


def visible(delta: Map, floor: float = 0.02, part: float = 0.22) -> Mask:
    """Return where a change is at least `part` of its peak and at least `floor` (attenuation units)."""
    size = np.abs(delta)
    peak = float(size.max())
    return np.asarray(size >= max(min(floor, 0.5 * peak), part * peak, 1e-6))


def blob(rng: np.random.Generator, x: float, y: float, radius: float, lobing: float, n: int = 72) -> Points:
    """Return a closed, irregular outline about a point; `lobing` is the relative size of its lobes."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = radius * np.maximum(1 + lobing * wobble(rng, n), 0.35)
    return np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], axis=1)


def inside_box(frame: Frame, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns whose pixel centres a box holds."""
    rows = slice(max(0, int(np.ceil(box.y1 - 0.5))), min(frame.size, int(np.ceil(box.y2 - 0.5))))
    columns = slice(max(0, int(np.ceil(box.x1 - 0.5))), min(frame.size, int(np.ceil(box.x2 - 0.5))))
    return rows, columns


def choose_point(
    scene: Scene, region: Region, rng: np.random.Generator, margin: float
) -> tuple[float, float]:
    """Return a point (mm) of a lung region with aerated lung behind it, away from the region's edges.

    Parameters
    ----------
    margin : float
        Distance wanted from the region's edges, millimetres; given up where the region is too small.
    """
    frame, box = scene.frame, scene.boxes[region]
    rows, columns = inside_box(frame, box)
    depth = scene.organs.lung[rows, columns]
    weight = np.clip(depth / max(float(depth.max()), 1e-6) - 0.45, 0, None)
    weight = weight * (scene.organs.sides[region.laterality][rows, columns] > 0.5)
    inset = margin / frame.pitch
    y = np.arange(rows.start, rows.stop)[:, None] + 0.5
    x = np.arange(columns.start, columns.stop)[None, :] + 0.5
    clear = np.minimum(np.minimum(x - box.x1, box.x2 - x), np.minimum(y - box.y1, box.y2 - y))
    clear = np.minimum(clear, inset) / max(inset, 1e-6)
    weight = weight * np.maximum(clear, 1e-3) ** 6
    flat = weight.ravel().astype(np.float64)
    total = flat.sum()
    chosen = int(rng.choice(flat.size, p=flat / total)) if total > 0 else flat.size // 2
    row, column = divmod(chosen, depth.shape[1])
    return frame.to_millimetres(columns.start + column + 0.5, rows.start + row + 0.5)


def near_region(scene: Scene, region: Region, reach: float) -> Map:
    """Return 1 in a region's rows, falling to 0 over `reach` millimetres above and below: shape [H, 1].

    A spreading opacity asked for in one zone would otherwise belong as much to its neighbour.
    """
    box, frame = scene.boxes[region], scene.frame
    rows = np.arange(frame.size, dtype=np.float32)[:, None] + np.float32(0.5)
    outside = np.maximum(np.maximum(box.y1 - rows, rows - box.y2), 0) * (frame.pitch / reach)
    return np.asarray(np.clip(1 - outside, 0, 1), dtype=np.float32)


def blank(frame: Frame) -> npt.NDArray[np.uint8]:
    """Return an empty canvas to draw on."""
    return np.zeros((frame.size, frame.size), np.uint8)


def soft_fill(frame: Frame, outline: Points, softness: float) -> Map:
    """Return the coverage of an outline with an edge softened over `softness` millimetres."""
    return blur(frame.fill(outline), softness / frame.pitch)
