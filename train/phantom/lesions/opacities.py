"""Lesions of the lung itself."""

from __future__ import annotations

import numpy as np

from edge_retrieve.train.phantom.curves import spline, wobble
from edge_retrieve.train.phantom.frame import Map, Mask, blur, dome_profile
from edge_retrieve.train.phantom.geometry import SIDES
from edge_retrieve.train.phantom.lesions.effect import (
    FLUID,
    Effect,
    blob,
    choose_point,
    graded,
    rng_of,
    soft_fill,
    visible,
)
from edge_retrieve.train.phantom.organs import clouds
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion


def nodule(scene: Scene, lesion: Lesion) -> Effect:
    """Return a round opacity of 9 to 30 mm with a soft edge."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(5.0, 7.0), rng.uniform(7.5, 10.5), rng.uniform(11, 15))
    x, y = choose_point(scene, lesion.region, rng, radius + 4)
    outline = blob(rng, x, y, radius, 0.06)
    depth = dome_profile(frame.depth_inside(outline), radius) * np.float32(
        2 * radius * graded(lesion, 1.25, 1.15, 1.05)
    )
    delta = blur(depth, 0.9 / frame.pitch) * np.float32(FLUID)
    return Effect(delta, visible(delta))


def mass(scene: Scene, lesion: Lesion) -> Effect:
    """Return an opacity of 30 to 80 mm, lobulated or spiculated."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(15, 19), rng.uniform(20, 27), rng.uniform(28, 38))
    x, y = _mass_place(scene, lesion, rng, radius)
    outline = blob(rng, x, y, radius, rng.uniform(0.07, 0.15))
    delta = dome_profile(frame.depth_inside(outline), 0.8 * radius) * np.float32(1.5 * radius * FLUID)
    if rng.random() < 0.55:
        spikes = np.zeros((frame.size, frame.size), np.uint8)
        for angle in rng.uniform(0, 2 * np.pi, rng.integers(14, 26)):
            inner, outer = 0.75 * radius, radius * rng.uniform(1.15, 1.5)
            way = np.array([np.cos(angle), np.sin(angle)])
            frame.stroke(spikes, [np.array([way * inner, way * outer]) + (x, y)], 110, 1.6)
        delta = delta + blur(spikes.astype(np.float32), 0.6) * np.float32(0.2 / 110)
    # It takes the place of lung: none where there is no lung to replace, and no vessels within.
    delta = blur(delta, 1.2 / frame.pitch) * np.clip(scene.organs.lung * np.float32(1 / 55), 0, 1)
    delta = delta * _own_side(scene, lesion)
    delta = delta - np.clip(delta * 2, 0, 0.7) * np.clip(scene.vessels, 0, 0.2)
    return Effect(delta, visible(delta, part=0.25))


def _mass_place(scene: Scene, lesion: Lesion, rng: np.random.Generator, radius: float) -> tuple[float, float]:
    if "hilar" in lesion.region.value:
        lung = scene.thorax.lung(scene.side_of(lesion.region))
        return lung.hilum[0] + lung.sign * rng.uniform(-2, 8), lung.hilum[1] + rng.uniform(-8, 8)
    return choose_point(scene, lesion.region, rng, radius + 4)


def granuloma(scene: Scene, lesion: Lesion) -> Effect:
    """Return one to three small, sharp, calcified spots."""
    rng, frame = rng_of(lesion), scene.frame
    radius = graded(lesion, rng.uniform(2.3, 2.9), rng.uniform(2.9, 3.8), rng.uniform(4.0, 5.4))
    x, y = choose_point(scene, lesion.region, rng, 3 * radius + 4)
    delta = np.zeros((frame.size, frame.size), np.float32)
    for i in range(int(graded(lesion, 1, 1, rng.integers(1, 4)))):
        r = radius if i == 0 else radius * rng.uniform(0.5, 0.8)
        spot = (
            (x, y) if i == 0 else (x + rng.uniform(-2.2, 2.2) * radius, y + rng.uniform(-2.2, 2.2) * radius)
        )
        outline = blob(rng, spot[0], spot[1], r, 0.14)
        delta = np.maximum(delta, frame.fill(outline) * np.float32(graded(lesion, 0.42, 0.5, 0.6)))
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
    tubes = np.zeros((frame.size, frame.size), np.uint8)
    lung = scene.thorax.lung(scene.side_of(lesion.region))
    toward = np.arctan2(y - lung.hilum[1], x - lung.hilum[0])
    for turn in rng.normal(0, 0.5, int(graded(lesion, 2, 4, 6))):
        across = np.array([-np.sin(toward), np.cos(toward)])
        start = (
            np.array([x, y])
            + rng.normal(0, 0.3) * radius * across
            - rng.uniform(0.2, 0.7) * radius * np.array([across[1], -across[0]])
        )
        ways = [
            np.array([np.cos(a), np.sin(a)]) * radius * rng.uniform(0.25, 0.5)
            for a in toward + turn + rng.normal(0, 0.3, 2)
        ]
        frame.stroke(
            tubes,
            [spline([start, start + ways[0], start + ways[0] + ways[1]], 5)],
            255,
            rng.uniform(1.3, 2.4),
        )
    part = part * (
        1 - np.float32(0.34) * blur(tubes.astype(np.float32) * np.float32(1 / 255), 1.0 / frame.pitch)
    )
    depth = scene.organs.lung * scene.organs.sides[scene.side_of(lesion.region)]
    delta = part * np.minimum(depth, np.float32(graded(lesion, 38, 58, 85))) * np.float32(FLUID)
    delta = delta - np.float32(0.6) * part * np.clip(scene.vessels, 0, 0.2)
    return Effect(delta, visible(blur(delta, 2.0 / frame.pitch), part=0.3))


def atelectasis(scene: Scene, lesion: Lesion) -> Effect:
    """Return plates of collapsed lung, or a wedge of it where severe."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(scene.side_of(lesion.region))
    length = graded(lesion, rng.uniform(38, 48), rng.uniform(48, 62), rng.uniform(58, 75))
    x, y = choose_point(scene, lesion.region, rng, 20)
    x1, x2 = sorted((lung.sign * 0.14 * lung.width, lung.sign * 0.9 * lung.width))
    x = float(np.clip(x, x1 + 0.5 * length, x2 - 0.5 * length)) if x2 - x1 > length else 0.5 * (x1 + x2)
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    tilt = lung.sign * rng.uniform(-0.05, 0.4)
    for i in range(int(graded(lesion, 1, 2, 3))):
        drop, part = (i - 0.5) * rng.uniform(7, 12), rng.uniform(0.75, 1.0)
        half = 0.5 * length * part
        bend = rng.normal(0, 0.05) * length
        line = spline(
            [(x - half, y + drop - half * tilt), (x, y + drop + bend), (x + half, y + drop + half * tilt)], 8
        )
        frame.stroke(canvas, [line], 170, graded(lesion, 2.6, 3.4, 4.4) * rng.uniform(0.85, 1.15))
    delta = blur(canvas.astype(np.float32), 0.8 / frame.pitch) * np.float32(
        graded(lesion, 0.18, 0.21, 0.24) / 170
    )
    if lesion.severity.value == "severe":
        wedge = np.array(
            [
                (x - 0.42 * length, y + 2),
                (x + 0.42 * length, y - 4),
                (x + 0.3 * length, y + 22),
                (x - 0.3 * length, y + 24),
            ]
        )
        delta = delta + soft_fill(frame, spline(wedge, 4, closed=True), 7.0) * np.float32(0.17)
    delta = delta * np.clip(scene.organs.lung * np.float32(1 / 25), 0, 1)
    return Effect(delta, visible(delta))


def interstitial(scene: Scene, lesion: Lesion) -> Effect:
    """Return a fine network over a zone."""
    rng, frame = rng_of(lesion), scene.frame
    x, y = choose_point(scene, lesion.region, rng, 28)
    radius = graded(lesion, 27, 34, 41)
    network = _reticulum(scene, rng)
    outline = blob(rng, x, y, radius, 0.14)
    where = soft_fill(frame, outline, 0.2 * radius) * scene.organs.sides[scene.side_of(lesion.region)]
    where = where * np.clip(scene.organs.lung * np.float32(1 / 45), 0, 1)
    delta = where * (
        network * np.float32(graded(lesion, 0.13, 0.19, 0.27)) + np.float32(graded(lesion, 0.05, 0.09, 0.14))
    )
    return Effect(delta, np.asarray(where > 0.35))


def _reticulum(scene: Scene, rng: np.random.Generator) -> Map:
    """Return a network of thin septa, 0 to 1: the ridges of two noise fields."""
    size, frame = scene.frame.size, scene.frame
    total = np.zeros((size, size), np.float32)
    for millimetres in (3.6, 6.0):
        field = rng.standard_normal((size, size), dtype=np.float32)
        field = blur(field, 0.42 * millimetres / frame.pitch) - blur(field, 1.1 * millimetres / frame.pitch)
        field /= np.float32(max(float(field.std()), 1e-6))
        total += np.exp(-((field / np.float32(0.45)) ** 2))
    return total * np.float32(0.62)


def edema(scene: Scene, lesion: Lesion) -> Effect:
    """Return a haze about both hila, thickened septa and wide upper vessels."""
    rng, frame = rng_of(lesion), scene.frame
    x, y = frame.at(2).millimetres()
    haze = np.zeros_like(x)
    for side in SIDES:
        lung = scene.thorax.lung(side)
        hx, hy = lung.hilum
        distance = ((x - np.float32(hx + lung.sign * 10)) / np.float32(0.52 * lung.width)) ** 2
        distance = (
            distance + ((y - np.float32(hy + 0.13 * lung.height)) / np.float32(0.40 * lung.height)) ** 2
        )
        haze = np.maximum(haze, np.exp(-distance * np.float32(1.15)) * (lung.sign * x > -15))
    haze = frame.enlarge(haze.astype(np.float32))
    mottle = np.clip(1 + np.float32(0.42) * clouds(rng, frame.size, 0.8), 0.1, 2.2)
    depth = np.clip(scene.organs.lung, 0, 90)
    strength = np.float32(graded(lesion, 0.20, 0.36, 0.58))
    delta = haze * mottle * depth * np.float32(FLUID) * strength
    septa = np.zeros((frame.size, frame.size), np.uint8)
    for side in SIDES:
        lung = scene.thorax.lung(side)
        for _ in range(int(graded(lesion, 14, 26, 40))):
            at = rng.uniform(0.55, 0.94)
            edge = np.array([np.interp(at * lung.height, lung.wall[:, 1], lung.wall[:, 0]), at * lung.height])
            long = rng.uniform(9, 19)
            frame.stroke(septa, [np.array([edge, edge - (lung.sign * long, rng.normal(0, 2))])], 255, 1.0)
    delta += septa.astype(np.float32) * np.float32(graded(lesion, 0.07, 0.1, 0.13) / 255)
    delta += np.clip(scene.vessels, 0, 0.16) * haze * np.float32(graded(lesion, 0.55, 0.8, 1.0))
    delta = delta * np.clip(scene.organs.lung * np.float32(1 / 15), 0, 1)
    return Effect(delta, np.asarray(visible(blur(delta, 4 / frame.pitch), part=0.3)))


def scarring(scene: Scene, lesion: Lesion) -> Effect:
    """Return streaks and a cap at the apex."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(scene.side_of(lesion.region))
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    apex = lung.wall[int(np.argmin(lung.wall[:, 1]))]
    for _ in range(int(graded(lesion, 6, 11, 18))):
        start = apex + (rng.normal(0, 0.17) * lung.width, rng.uniform(0.03, 0.13) * lung.height)
        way = np.array([lung.hilum[0], lung.hilum[1]]) - start
        way = way / np.hypot(way[0], way[1]) * rng.uniform(10, 24)
        turned = way + rng.normal(0, 5, 2)
        frame.stroke(
            canvas,
            [spline([start, start + 0.5 * way + rng.normal(0, 1.5, 2), start + turned], 5)],
            200,
            rng.uniform(0.8, 1.7),
        )
    delta = blur(canvas.astype(np.float32), 0.9 / frame.pitch) * np.float32(
        graded(lesion, 0.26, 0.33, 0.40) / 200
    )
    edge = lung.wall[lung.wall[:, 1] < 0.10 * lung.height]
    thick = graded(lesion, 3.5, 6.0, 9.0)
    inner = edge + np.stack(
        [np.zeros(len(edge)), thick * np.maximum(1 + 0.3 * wobble(rng, len(edge), 4), 0.2)], axis=1
    )
    delta += soft_fill(frame, np.vstack([edge - (0, 2), inner[::-1]]), 1.8) * np.float32(
        graded(lesion, 0.16, 0.22, 0.3)
    )
    box = scene.boxes[lesion.region]
    rows = np.arange(frame.size, dtype=np.float32)[:, None]
    delta *= np.clip((np.float32(box.y2) - rows) / 4, 0, 1) * np.clip(
        scene.organs.sides[scene.side_of(lesion.region)] + 0.1, 0, 1
    )
    return Effect(delta, visible(blur(delta, 1.2 / frame.pitch), part=0.2))


def hilar_enlargement(scene: Scene, lesion: Lesion) -> Effect:
    """Return a lobulated, enlarged hilum."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(scene.side_of(lesion.region))
    radius = graded(lesion, rng.uniform(9, 11), rng.uniform(12, 14.5), rng.uniform(16, 20))
    total = np.zeros((frame.size, frame.size), np.float32)
    for dy in np.linspace(-1.05, 1.05, 4):
        x = lung.hilum[0] + lung.sign * rng.uniform(1, 7)
        r = radius * rng.uniform(0.75, 1.0)
        total += dome_profile(
            frame.depth_inside(blob(rng, x, lung.hilum[1] + dy * radius, r, 0.07)), r
        ) * np.float32(1.5 * r)
    delta = blur(np.minimum(total, np.float32(3.2 * radius)), 1.0 / frame.pitch) * np.float32(FLUID * 0.85)
    return Effect(delta, visible(delta))


def _own_side(scene: Scene, lesion: Lesion) -> Mask:
    """Return the half of the image that a lesion's lung lies in."""
    lung = scene.thorax.lung(scene.side_of(lesion.region))
    return np.asarray(scene.frame.millimetres()[0] * lung.sign > 0)
