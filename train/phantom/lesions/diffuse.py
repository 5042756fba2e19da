"""Lesions of the lung that spread: interstitial opacity, pulmonary edema, apical scarring."""

from __future__ import annotations

import numpy as np

from edge_retrieve.train.phantom.curves import shifted, spline, wobble
from edge_retrieve.train.phantom.frame import Map, blur
from edge_retrieve.train.phantom.geometry import SIDES
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
from edge_retrieve.train.phantom.spec import Lesion


def interstitial(scene: Scene, lesion: Lesion) -> Effect:
    """Return a fine network over a zone."""
    rng, frame = rng_of(lesion), scene.frame
    x, y = choose_point(scene, lesion.region, rng, 28)
    radius = graded(lesion, 27, 34, 41)
    network = _reticulum(scene, rng)
    where = soft_fill(frame, blob(rng, x, y, radius, 0.14), 0.2 * radius)
    where = where * scene.organs.sides[lesion.region.laterality] * near_region(scene, lesion.region, 14.0)
    where = where * np.clip(scene.organs.lung * np.float32(1 / 45), 0, 1)
    lines, veil = np.float32(graded(lesion, 0.18, 0.24, 0.31)), np.float32(graded(lesion, 0.07, 0.11, 0.16))
    return Effect(where * (network * lines + veil), np.asarray(where > 0.35))


def _reticulum(scene: Scene, rng: np.random.Generator) -> Map:
    """Return a network of thin septa, 0 to 1: the zero crossings of two band-passed noise fields."""
    frame = scene.frame
    total = np.zeros((frame.size, frame.size), np.float32)
    for spacing in (3.6, 6.0):  # millimetres
        field = rng.standard_normal(total.shape, dtype=np.float32)
        field = blur(field, 0.42 * spacing / frame.pitch) - blur(field, 1.1 * spacing / frame.pitch)
        field /= np.float32(max(float(field.std()), 1e-6))
        total += np.exp(-((field / np.float32(0.45)) ** 2))
    return np.asarray(total * np.float32(0.62))


def edema(scene: Scene, lesion: Lesion) -> Effect:
    """Return a haze about both hila, thickened septa at the bases (Kerley B lines) and wide vessels."""
    rng, frame = rng_of(lesion), scene.frame
    x, y = frame.at(2).millimetres()
    coarse = np.zeros_like(x)
    for side in SIDES:
        lung = scene.thorax.lung(side)
        hx, hy = lung.hilum[0] + lung.sign * 10, lung.hilum[1] + 0.13 * lung.height
        distance = ((x - np.float32(hx)) / np.float32(0.52 * lung.width)) ** 2
        distance += ((y - np.float32(hy)) / np.float32(0.40 * lung.height)) ** 2
        coarse = np.maximum(coarse, np.exp(-distance * np.float32(1.15)) * (lung.sign * x > -15))
    haze = frame.enlarge(coarse.astype(np.float32))
    mottle = np.clip(1 + np.float32(0.42) * clouds(rng, frame.size, 0.8), 0.1, 2.2)
    strength = np.float32(FLUID * graded(lesion, 0.20, 0.36, 0.58))
    delta = haze * mottle * np.clip(scene.organs.lung, 0, 90) * strength
    delta += _septa(scene, lesion, rng) * np.float32(graded(lesion, 0.07, 0.1, 0.13))
    delta += np.clip(scene.vessels, 0, 0.16) * haze * np.float32(graded(lesion, 0.55, 0.8, 1.0))
    delta *= np.clip(scene.organs.lung * np.float32(1 / 15), 0, 1)
    return Effect(delta, visible(blur(delta, 4 / frame.pitch), part=0.3))


def _septa(scene: Scene, lesion: Lesion, rng: np.random.Generator) -> Map:
    """Return short lines that meet the chest wall at right angles, 0 to 1."""
    canvas = blank(scene.frame)
    for side in SIDES:
        lung = scene.thorax.lung(side)
        for _ in range(int(graded(lesion, 14, 26, 40))):
            level = rng.uniform(0.55, 0.94) * lung.height
            edge = np.array([[np.interp(level, lung.wall[:, 1], lung.wall[:, 0]), level]])
            line = np.vstack([edge, shifted(edge, -lung.sign * rng.uniform(9, 19), rng.normal(0, 2))])
            scene.frame.stroke(canvas, [line], 255, 1.0)
    return np.asarray(canvas.astype(np.float32) * np.float32(1 / 255))


def scarring(scene: Scene, lesion: Lesion) -> Effect:
    """Return streaks and a cap at the apex."""
    rng, frame = rng_of(lesion), scene.frame
    side = lesion.region.laterality
    lung = scene.thorax.lung(side)
    canvas = blank(frame)
    apex, hilum = lung.wall[int(np.argmin(lung.wall[:, 1]))], np.array(lung.hilum)
    for _ in range(int(graded(lesion, 6, 11, 18))):
        spread = np.array([rng.normal(0, 0.17) * lung.width, rng.uniform(0.03, 0.13) * lung.height])
        start = apex + spread
        way = (hilum - start) / np.hypot(*(hilum - start)) * rng.uniform(10, 24)
        line = [start, start + 0.5 * way + rng.normal(0, 1.5, 2), start + way + rng.normal(0, 5, 2)]
        frame.stroke(canvas, [spline(line, 5)], 200, rng.uniform(0.8, 1.7))
    delta = blur(canvas.astype(np.float32), 0.9 / frame.pitch) * np.float32(
        graded(lesion, 0.26, 0.33, 0.40) / 200
    )
    edge = lung.wall[lung.wall[:, 1] < 0.10 * lung.height]
    thick = graded(lesion, 3.5, 6.0, 9.0) * np.maximum(1 + 0.3 * wobble(rng, len(edge), 4), 0.2)
    inner = edge + np.stack([np.zeros(len(edge)), thick], axis=1)
    cap = soft_fill(frame, np.vstack([shifted(edge, 0, -2), inner[::-1]]), 1.8)
    delta += cap * np.float32(graded(lesion, 0.16, 0.22, 0.3))
    rows = np.arange(frame.size, dtype=np.float32)[:, None]
    delta *= np.clip((np.float32(scene.boxes[lesion.region].y2) - rows) / 4, 0, 1)
    delta *= np.clip(scene.organs.sides[side] + np.float32(0.1), 0, 1)
    return Effect(delta, visible(blur(delta, 1.2 / frame.pitch), part=0.2))
