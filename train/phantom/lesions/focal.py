"""Lesions of the lung with a place of their own: nodules, masses, granulomas, consolidation, atelectasis."""

from __future__ import annotations

import numpy as np

from edge_retrieve.train.phantom.curves import Points, shifted, spline
from edge_retrieve.train.phantom.frame import Map, blur, dome_profile
from edge_retrieve.train.phantom.lesions.effect import (
    FLUID,
    Effect,
    blank,
    blob,
    choose_point,
    graded,
    near_region,
    rng_of,
    soft_fill,
    visible,
)
from edge_retrieve.train.phantom.organs import clouds
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion, Severity


def nodule(scene: Scene, lesion: Lesion) -> Effect:
    """Return a round opacity of 9 to 30 mm with a soft edge."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(5.0, 7.0), rng.uniform(7.5, 10.5), rng.uniform(11, 15))
    x, y = choose_point(scene, lesion.region, rng, radius + 4)
    ball = dome_profile(frame.depth_inside(blob(rng, x, y, radius, 0.06)), radius)
    # Small ones are denser than lung's mean surroundings suggest: they would be missed otherwise.
    depth = 2 * radius * graded(lesion, 1.25, 1.15, 1.05)
    delta = blur(ball, 0.9 / frame.pitch) * np.float32(depth * FLUID)
    return Effect(delta, visible(delta))


def mass(scene: Scene, lesion: Lesion) -> Effect:
    """Return an opacity of 30 to 80 mm, lobulated or spiculated."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(15, 19), rng.uniform(20, 27), rng.uniform(28, 38))
    lung = scene.thorax.lung(lesion.region.laterality)
    if "hilar" in lesion.region.value:
        x, y = lung.hilum[0] + lung.sign * rng.uniform(-2, 8), lung.hilum[1] + rng.uniform(-8, 8)
    else:
        x, y = choose_point(scene, lesion.region, rng, radius + 4)
    outline = blob(rng, x, y, radius, rng.uniform(0.07, 0.15))
    delta = dome_profile(frame.depth_inside(outline), 0.8 * radius) * np.float32(1.5 * radius * FLUID)
    if rng.random() < 0.55:
        spikes, centre = blank(frame), np.array([x, y])
        for angle in rng.uniform(0, 2 * np.pi, rng.integers(14, 26)):
            way = radius * np.array([np.cos(angle), np.sin(angle)])
            line = np.stack([centre + 0.75 * way, centre + rng.uniform(1.15, 1.5) * way])
            frame.stroke(spikes, [line], 110, 1.6)
        delta = delta + blur(spikes.astype(np.float32), 0.6) * np.float32(0.2 / 110)
    # It takes the place of lung: none where there is no lung to replace, and no vessels within.
    delta = blur(delta, 1.2 / frame.pitch) * np.clip(scene.organs.lung * np.float32(1 / 55), 0, 1)
    delta = delta * (frame.millimetres()[0] * lung.sign > 0)
    delta = delta - np.clip(delta * 2, 0, 0.7) * np.clip(scene.vessels, 0, 0.2)
    return Effect(delta, visible(delta, part=0.25))


def granuloma(scene: Scene, lesion: Lesion) -> Effect:
    """Return one to three small, sharp, calcified spots."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(2.3, 2.9), rng.uniform(2.9, 3.8), rng.uniform(4.0, 5.4))
    x, y = choose_point(scene, lesion.region, rng, 3 * radius + 4)
    spots = [(x, y, radius)]
    for _ in range(int(graded(lesion, 0, 0, int(rng.integers(0, 3))))):
        dx, dy = rng.uniform(-2.2, 2.2, 2) * radius
        spots.append((x + dx, y + dy, radius * rng.uniform(0.5, 0.8)))
    outlines = [blob(rng, sx, sy, r, 0.14) for sx, sy, r in spots]
    delta = frame.fill(*outlines) * np.float32(graded(lesion, 0.42, 0.5, 0.6))
    return Effect(delta, visible(delta))


def consolidation(scene: Scene, lesion: Lesion) -> Effect:
    """Return a fluffy opacity of lobar extent, with air bronchograms."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(19, 25), rng.uniform(26, 35), rng.uniform(36, 48))
    x, y = choose_point(scene, lesion.region, rng, 0.8 * radius)
    cover = np.zeros((frame.size, frame.size), np.float32)
    for _ in range(6):
        dx, dy = rng.normal(0, 0.38 * radius, 2)
        patch = blob(rng, x + dx, y + dy, radius * rng.uniform(0.45, 0.75), 0.16)
        cover += soft_fill(frame, patch, 0.17 * radius)
    fluff = 1 + np.float32(0.28) * clouds(rng, frame.size, 0.5 * frame.size / 512 + 0.5)
    part = 1 - np.exp(-np.float32(0.62) * cover * np.clip(fluff, 0.15, 2))
    part = part * (1 - np.float32(0.34) * _bronchograms(scene, lesion, rng, np.array([x, y]), radius))
    part = part * near_region(scene, lesion.region, 14.0)
    depth = scene.organs.lung * scene.organs.sides[lesion.region.laterality]
    delta = part * np.minimum(depth, np.float32(graded(lesion, 38, 58, 85))) * np.float32(FLUID)
    delta = delta - np.float32(0.6) * part * np.clip(scene.vessels, 0, 0.2)
    return Effect(delta, visible(blur(delta, 2.0 / frame.pitch), part=0.3))


def _bronchograms(
    scene: Scene, lesion: Lesion, rng: np.random.Generator, centre: Points, radius: float
) -> Map:
    """Return, 0 to 1, the air-filled bronchi seen in consolidated lung; they point away from the hilum."""
    frame, tubes = scene.frame, blank(scene.frame)
    lung = scene.thorax.lung(lesion.region.laterality)
    away = np.arctan2(centre[1] - lung.hilum[1], centre[0] - lung.hilum[0])
    along = np.array([np.cos(away), np.sin(away)])
    across = np.array([-along[1], along[0]])
    for turn in rng.normal(0, 0.5, int(graded(lesion, 2, 4, 6))):
        start = centre + radius * (rng.normal(0, 0.3) * across - rng.uniform(0.2, 0.7) * along)
        angles = away + turn + rng.normal(0, 0.3, 2)
        steps = (
            np.stack([np.cos(angles), np.sin(angles)], axis=1) * (radius * rng.uniform(0.25, 0.5, 2))[:, None]
        )
        line = spline(start + np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), 5)
        frame.stroke(tubes, [line], 255, rng.uniform(1.3, 2.4))
    return blur(tubes.astype(np.float32) * np.float32(1 / 255), 1.0 / frame.pitch)


def atelectasis(scene: Scene, lesion: Lesion) -> Effect:
    """Return plates of collapsed lung, or a wedge of it where severe."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(lesion.region.laterality)
    length = graded(lesion, rng.uniform(38, 48), rng.uniform(48, 62), rng.uniform(58, 75))
    x, y = choose_point(scene, lesion.region, rng, 20)
    x1, x2 = sorted((lung.sign * 0.14 * lung.width, lung.sign * 0.9 * lung.width))
    x = float(np.clip(x, x1 + 0.5 * length, x2 - 0.5 * length)) if x2 - x1 > length else 0.5 * (x1 + x2)
    canvas = blank(frame)
    tilt = lung.sign * rng.uniform(-0.05, 0.4)
    for i in range(int(graded(lesion, 1, 2, 3))):
        middle = y + (i - 0.5) * rng.uniform(7, 12)
        half, bend = 0.5 * length * rng.uniform(0.75, 1.0), rng.normal(0, 0.05) * length
        line = [(x - half, middle - half * tilt), (x, middle + bend), (x + half, middle + half * tilt)]
        frame.stroke(canvas, [spline(line, 8)], 170, graded(lesion, 2.6, 3.4, 4.4) * rng.uniform(0.85, 1.15))
    delta = blur(canvas.astype(np.float32), 0.8 / frame.pitch) * np.float32(
        graded(lesion, 0.18, 0.21, 0.24) / 170
    )
    if lesion.severity is Severity.SEVERE:
        wedge = np.array([(-0.42, 2.0), (0.42, -4.0), (0.3, 22.0), (-0.3, 24.0)]) * (length, 1.0)
        delta = delta + soft_fill(frame, spline(shifted(wedge, x, y), 4, closed=True), 7.0) * np.float32(0.17)
    delta = delta * np.clip(scene.organs.lung * np.float32(1 / 25), 0, 1)
    return Effect(delta, visible(delta))


def hilar_enlargement(scene: Scene, lesion: Lesion) -> Effect:
    """Return a lobulated, enlarged hilum."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(lesion.region.laterality)
    radius = graded(lesion, rng.uniform(9, 11), rng.uniform(12, 14.5), rng.uniform(16, 20))
    total = np.zeros((frame.size, frame.size), np.float32)
    for dy in np.linspace(-1.05, 1.05, 4):
        x, r = lung.hilum[0] + lung.sign * rng.uniform(1, 7), radius * rng.uniform(0.75, 1.0)
        lobe = frame.depth_inside(blob(rng, x, lung.hilum[1] + dy * radius, r, 0.07))
        total += dome_profile(lobe, r) * np.float32(1.5 * r)
    delta = blur(np.minimum(total, np.float32(3.2 * radius)), 1.0 / frame.pitch) * np.float32(0.85 * FLUID)
    return Effect(delta, visible(delta))
