"""Lesions of the pleural space."""

from __future__ import annotations

import numpy as np

from edge_retrieve.train.phantom.curves import Points, spline, wobble
from edge_retrieve.train.phantom.frame import blur
from edge_retrieve.train.phantom.geometry import LungSide
from edge_retrieve.train.phantom.lesions.effect import FLUID, Effect, graded, rng_of, visible
from edge_retrieve.train.phantom.organs import MU_LUNG
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion


def effusion(scene: Scene, lesion: Lesion) -> Effect:
    """Return fluid with a meniscus: a blunted angle up to half the lung."""
    rng, frame = rng_of(lesion), scene.frame
    side = lesion.region.laterality
    lung = scene.thorax.lung(side)
    part = graded(lesion, rng.uniform(0.13, 0.17), rng.uniform(0.23, 0.31), rng.uniform(0.38, 0.52))
    rise = part * lung.height
    edge, middle = lung.angle[1] - rise, lung.angle[1] - rise * graded(lesion, 0.16, 0.5, 0.72)
    w = lung.sign * lung.width
    slope = 0.55 * edge + 0.45 * middle
    heights = [(1.06, edge - 8), (0.97, edge), (0.86, slope), (0.62, middle), (0.34, middle + 2)]
    heights += [(0.14, middle - 0.07 * rise), (0.0, middle - 0.1 * rise)]
    surface = spline([(u * w, y) for u, y in heights], 6)
    low = lung.angle[1] + 30
    fluid = np.vstack([surface, [(0.0, low), (1.1 * w, low)]])
    cover = blur(frame.fill(fluid), graded(lesion, 1.6, 2.2, 3.0) / frame.pitch)
    depth = scene.organs.lung * np.clip(scene.organs.sides[side] + np.float32(0.7), 0, 1)
    delta = cover * depth * np.float32(FLUID * graded(lesion, 0.8, 0.86, 0.93))
    delta = delta - cover * np.float32(0.75) * np.clip(scene.vessels, 0, 0.25)
    delta = delta * (frame.millimetres()[0] * lung.sign > 0)
    return Effect(delta, visible(delta, floor=0.06, part=0.12))


def pneumothorax(scene: Scene, lesion: Lesion) -> Effect:
    """Return air in the pleural space: a thin line, and no vessels beyond it."""
    rng, frame = rng_of(lesion), scene.frame
    side = lesion.region.laterality
    lung = scene.thorax.lung(side)
    gap = graded(lesion, rng.uniform(12, 16), rng.uniform(20, 27), rng.uniform(34, 46))
    reach = graded(lesion, rng.uniform(0.30, 0.4), rng.uniform(0.45, 0.6), rng.uniform(0.75, 0.92))
    line = _retracted(lung, gap, reach, rng)
    edge = lung.wall[lung.wall[:, 1] <= reach * lung.height]
    start = np.array([[lung.outline[-1, 0], lung.outline[-1, 1]]])
    space = np.vstack([start, edge, line[::-1]])
    cover = blur(frame.fill(space), 0.5) * scene.organs.sides[side]
    deep = np.clip(scene.organs.lung, 0, 95)
    delta = cover * (-np.float32(0.55 * MU_LUNG) * deep - np.float32(0.92) * scene.vessels)
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    frame.stroke(canvas, [line], 255, 1.3)
    delta = delta + canvas.astype(np.float32) * np.float32(graded(lesion, 0.13, 0.15, 0.17) / 255) * (
        scene.organs.sides[side] > 0.5
    )
    return Effect(delta, np.asarray(cover > 0.5))


def _retracted(lung: LungSide, gap: float, reach: float, rng: np.random.Generator) -> Points:
    """Return the visceral pleura from its medial end over the apex down to where it meets the wall."""
    edge = lung.wall[lung.wall[:, 1] <= reach * lung.height]
    part = np.clip((reach * lung.height - edge[:, 1]) / (0.35 * reach * lung.height), 0, 1)
    away = gap * np.sin(0.5 * np.pi * part) * (1 + 0.04 * wobble(rng, len(edge), 3))
    inward = np.array(lung.hilum) - edge
    distance = np.hypot(inward[:, 0], inward[:, 1])
    line = edge + inward * (np.minimum(away / distance, 0.7))[:, None]
    return np.asarray(spline(line[::3], 4))
