"""Soft tissue and air along the ray: how many millimetres of each behind every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.train.phantom.curves import ellipse, shifted, spline, stream, tube, wobble
from edge_retrieve.train.phantom.frame import Frame, Map, blur, dome_profile
from edge_retrieve.train.phantom.geometry import SIDES, Thorax

MU_TISSUE = 0.0195
"""Attenuation of soft tissue, 1/mm, at the effective energy of a 120 kVp beam (water: 0.0195 at 66 keV)."""
MU_LUNG = 0.32 * MU_TISSUE
"""Attenuation of aerated lung (density about 0.32 of water, small vessels included)."""


@dataclass(frozen=True)
class Organs:
    """Path lengths behind every pixel, millimetres.

    Parameters
    ----------
    body : Map
        Body thickness.
    lung : Map
        Aerated lung.
    gas : Map
        Air in airways, stomach and bowel.
    sides : dict of Laterality to Map
        Coverage of each lung's outline, 0 to 1.
    """

    body: Map
    lung: Map
    gas: Map
    sides: dict[Laterality, Map]


@lru_cache(maxsize=1)
def _clouds() -> Map:
    """Return a 1024 x 1024 tile of unit fractal noise that repeats; places are drawn from it."""
    rng = np.random.Generator(np.random.PCG64(1895))
    spectrum = np.fft.rfft2(rng.standard_normal((1024, 1024)))
    fx, fy = np.fft.rfftfreq(1024)[None, :], np.fft.fftfreq(1024)[:, None]
    radius = np.hypot(fx, fy)
    radius[0, 0] = 1.0
    tile = np.fft.irfft2(spectrum / radius**1.3)
    tile -= tile.mean()
    return np.asarray(tile / tile.std(), dtype=np.float32)


def clouds(rng: np.random.Generator, size: int, grain: float) -> Map:
    """Return smooth unit noise of shape [size, size]; `grain` enlarges its features."""
    span = int(np.clip(size / grain, 16, 1000))
    y, x = rng.integers(0, 1024 - span, 2)
    tile = _clouds()[y : y + span, x : x + span]
    if rng.random() < 0.5:
        tile = tile.T
    part = np.asarray(cv2.resize(np.ascontiguousarray(tile), (size, size), interpolation=cv2.INTER_CUBIC))
    part -= part.mean()
    return np.asarray(part / np.float32(max(float(part.std()), 1e-6)))


def build_organs(thorax: Thorax, frame: Frame, study_seed: int) -> Organs:
    """Return the path lengths of a study."""
    lung, sides = _lungs(thorax, frame)
    return Organs(_body(thorax, frame), lung, _gas(thorax, frame, study_seed), sides)


def _lungs(thorax: Thorax, frame: Frame) -> tuple[Map, dict[Laterality, Map]]:
    anatomy, half = thorax.anatomy, frame.at(2)
    sides: dict[Laterality, Map] = {}
    filled = np.zeros((frame.size, frame.size), np.float32)
    for outline, radius, part in (
        (thorax.heart, 40.0, 0.83),
        (thorax.pedicle, 44.0, 0.66),
        (thorax.knob, 20.0, 0.62),
        (thorax.trunk, 34.0, 0.62),
    ):
        # One silhouette: inside another organ an organ's own edge does not show.
        filled = np.maximum(filled, np.float32(part) * dome_profile(frame.depth_inside(outline), radius))
    aorta = np.float32(0.26) * dome_profile(half.depth_inside(thorax.descending), 14.0)
    remaining = (1 - filled) * frame.enlarge(1 - aorta)
    x, y = frame.millimetres()
    bowed = np.interp(y[:, frame.size // 2], thorax.spine[:, 1], 0.8 * thorax.spine[:, 0]).astype(np.float32)[
        :, None
    ]
    full = np.zeros((frame.size, frame.size), np.float32)
    for side in SIDES:
        lung = thorax.lung(side)
        sides[side] = frame.fill(lung.outline)
        # The chest wall rounds the outer edge; towards the spine the depth falls over a short way.
        low, w = lung.angle[1], lung.sign * lung.width
        cavity = np.vstack([lung.wall, [(0.8 * w, low + 14), (0.0, low + 22), (0.0, lung.wall[0, 1])]])
        depth = dome_profile(frame.depth_inside(cavity), 50.0)
        gap = abs(float(lung.outline[-8:, 0].mean()))
        ramp = np.clip((lung.sign * (x - bowed) - np.float32(gap - 14)) / 38, 0, 1)
        depth *= ramp * (2 - ramp) * (np.float32(0.5) + np.float32(0.5) * ramp)
        # The apices are shallow, the lower chest deep.
        part_y = np.clip(y * np.float32(1 / (0.45 * lung.height)), 0, 1)
        depth *= np.float32(0.50) + np.float32(0.50) * np.sqrt(part_y)
        crest = float(lung.dome[:, 1].min())
        deep = [(0.0, lung.dome[-1, 1] - 4), (0.0, low + 120), (1.3 * w, low + 120), (1.3 * w, low + 2)]
        below = np.vstack([lung.dome, deep])
        dome = dome_profile(frame.depth_inside(below), 0.7 * (low - crest) + 16)
        full += depth * (1 - np.float32(0.965) * dome ** np.float32(0.8))
    full *= remaining * np.float32(0.86 * anatomy.lung_depth)
    return blur(full, 0.75 * frame.size / 512), sides


def _body(thorax: Thorax, frame: Frame) -> Map:
    """Return the body's thickness: trunk, neck, arms and breasts, on a coarse grid."""
    anatomy, coarse = thorax.anatomy, frame.at(4)
    width, height, wall = thorax.width, thorax.height, anatomy.wall
    side = width + wall
    neck = 52 + 8 * max(anatomy.habitus, 0)
    half = [
        (0, -230), (neck * 0.95, -200), (neck, -80), (neck + 24, -66), (0.72 * side, -50), (side + 10, -28),
        (side + 36, 12), (side + 22, 0.28 * height), (side + 4, 0.55 * height), (side + 2, 0.8 * height),
        (side + 5, 1.1 * height), (side + 6, 1.5 * height), (side + 6, 2.6 * height),
    ]  # fmt: skip
    right = spline(half, 4)
    trunk = np.vstack([right, (right * (-1, 1))[::-1]])
    _, y = coarse.millimetres()
    fat = max(anatomy.habitus, 0)
    levels = [-150, -50, 0, 0.25 * height, 0.6 * height, height, 1.4 * height]
    parts = [0.56, 0.66, 0.80, 0.92, 1.0, 1.04 + 0.05 * anatomy.habitus, 1.03 + 0.1 * fat]
    tall = np.interp(y.ravel(), levels, np.array(parts) * anatomy.chest_depth).reshape(y.shape)
    body = dome_profile(coarse.depth_inside(trunk), 54.0) * tall.astype(np.float32)
    down = thorax.pose.arms_down
    for sign in (-1, 1):
        shoulder = np.array([sign * (side + 18), 12.0])
        elbow = shoulder + np.array([sign * (150 - 110 * down), 120 + 160 * down])
        thick = 44 + 13 * max(anatomy.habitus, -0.5)
        middle = shifted(0.5 * (shoulder + elbow), sign * 8, -4)
        arm = tube(spline([shifted(shoulder, -sign * 22, -4), shoulder, middle, elbow]), thick)
        arm_depth = dome_profile(coarse.depth_inside(arm), thick) * np.float32(2.15 * thick)
        body = np.maximum(body, arm_depth) + np.float32(0.35) * np.minimum(body, arm_depth)
        if anatomy.breast > 0:
            r = 52 + 0.7 * anatomy.breast
            cx, cy = sign * 0.60 * width, 0.70 * height + 0.5 * anatomy.breast
            inner = dome_profile(coarse.depth_inside(ellipse(cx, cy, r * 1.1, r)), r)
            sag = np.clip((y - np.float32(cy - r)) / np.float32(1.7 * r), 0, 1)
            body = body + inner * sag * np.float32(anatomy.breast * 0.6)
    rng = stream(anatomy.seed, 31)
    uneven = np.float32(0.016) * clouds(rng, coarse.size, 2.5) + np.float32(0.012) * clouds(
        rng, coarse.size, 7.0
    )
    body = body * (1 + uneven)
    return frame.enlarge(blur(body.astype(np.float32), 1.0))


def _gas(thorax: Thorax, frame: Frame, study_seed: int) -> Map:
    half = frame.at(2)
    total = np.zeros((half.size, half.size), np.float32)
    for line, calibre in thorax.airways:
        pipe = dome_profile(half.depth_inside(tube(line, calibre)), calibre) * np.float32(1.0 * calibre)
        total = np.maximum(total, pipe)
    y = half.millimetres()[1]
    rng = stream(study_seed, 32)
    dome_y = float(thorax.lungs[1].dome[:, 1].min())
    if rng.random() < 0.75:
        width = rng.uniform(16, 38)
        cx, cy = rng.uniform(0.42, 0.62) * thorax.width, dome_y + rng.uniform(16, 24) + 0.45 * width
        bubble = dome_profile(
            half.depth_inside(ellipse(cx, cy, width, 0.62 * width, rng.normal(0, 0.2))), 0.7 * width
        )
        if rng.random() < 0.55:  # upright: air over a fluid level
            level = np.float32(cy + rng.uniform(0.0, 0.35) * width)
            bubble = bubble * (y < level)
        total += bubble * np.float32(rng.uniform(0.7, 1.5) * width)
    for _ in range(rng.integers(0, 7)):
        radius = rng.uniform(6, 18)
        cx, cy = rng.uniform(-0.75, 0.9) * thorax.width, dome_y + rng.uniform(0.36, 0.8) * thorax.height
        shape = ellipse(cx, cy, radius * rng.uniform(0.8, 1.9), radius, rng.normal(0, 0.7))
        shape = shape + 0.13 * radius * np.stack([wobble(rng, len(shape)), wobble(rng, len(shape))], axis=1)
        total += dome_profile(half.depth_inside(shape), radius) * np.float32(rng.uniform(0.5, 1.1) * radius)
    return frame.enlarge(blur(total, 0.8))
