"""Pulmonary vessels: dichotomous trees from each hilum, drawn as tapering strokes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.curves import ellipse, spline, stream, tube
from edge_retrieve.train.phantom.frame import Frame, Map, blur
from edge_retrieve.train.phantom.geometry import SIDES, LungSide, Thorax
from edge_retrieve.train.phantom.organs import MU_LUNG, MU_TISSUE, Organs, clouds

_GENERATIONS = 10
_BINS = 9
_FULL = 0.20
_CONTRAST = MU_TISSUE - MU_LUNG
_GAIN = 3.0
"""Strokes stand for a vessel and the bronchus wall and sheath beside it."""


def render_vessels(thorax: Thorax, organs: Organs, frame: Frame) -> Map:
    """Return the vessels' and fine parenchyma's excess attenuation over lung of mean density."""
    size = (frame.size, frame.size)
    layers = [np.zeros(size, np.uint8) for _ in range(3)]
    hila = np.zeros(size, np.uint8)
    grown = []
    for side in SIDES:
        lung = thorax.lung(side)
        rng = stream(thorax.anatomy.seed, 51, lung.sign)
        grown.append(_grow(lung, rng))
        _root(lung, rng, frame, hila)
    lines = np.concatenate([part[0] for part in grown])
    diameter = np.concatenate([part[1] for part in grown])
    edges = np.quantile(diameter, np.linspace(0, 1, _BINS + 1) ** 0.5)
    for layer, canvas in enumerate(layers):
        for low, high in pairwise(edges):
            chosen = np.flatnonzero((diameter >= low) & (diameter < high + 1e-9))[layer::3]
            if len(chosen):
                mean = float(diameter[chosen].mean())
                frame.stroke(canvas, lines[chosen], min(_GAIN * mean * _CONTRAST * 255 / _FULL, 255), mean)
    total = (layers[0].astype(np.float32) + layers[1] + layers[2]) * np.float32(_FULL / 255)
    total = blur(total, 0.5 * frame.size / 512)
    total += blur(hila.astype(np.float32) * np.float32(0.5 / 255), 1.6 * frame.size / 512)
    aerated = np.clip(organs.lung * np.float32(1 / 70), 0, 1)
    mottle = clouds(stream(thorax.anatomy.seed, 52), frame.size, frame.size / 512 * 1.1)
    total += np.float32(0.016) * mottle * aerated
    return np.asarray(total * np.minimum(aerated * np.float32(1.25), 1))


def _root(lung: LungSide, rng: np.random.Generator, frame: Frame, canvas: npt.NDArray[np.uint8]) -> None:
    """Paint the hilum: the lower artery, the upper vein, and vessels seen end on."""
    x, y = lung.hilum
    s, inner = lung.sign, lung.hilum[0] - lung.sign * 11
    for _ in range(9):
        r = rng.uniform(2.0, 4.2)
        px, py = x - s * 2 + rng.normal(0, 6), y + rng.normal(0, 12)
        frame.paint(
            canvas, ellipse(px, py, r, r * rng.uniform(1, 1.7), rng.normal(0, 0.5)), 70 + 50 * rng.random()
        )
    drop = rng.uniform(38, 50)
    artery = spline(
        [(inner, y - 9), (x - s * 2, y + 1), (x + s * 3, y + 0.5 * drop), (x + s * 7, y + drop)], 6
    )
    frame.paint(canvas, tube(artery, np.linspace(6.5, 3.0, len(artery))), 88)
    vein = spline([(inner, y + 6), (x, y - 8), (x + s * 5, y - 24), (x + s * 11, y - 42)], 6)
    frame.paint(canvas, tube(vein, np.linspace(5.0, 1.6, len(vein))), 72)


def _grow(
    lung: LungSide, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return strokes of shape [N, 3, 2] (mm) and their diameters [N] (mm).

    Every branch goes on a little thinner and gives off a smaller one, as arteries and veins do.
    """
    sign, (hx, hy) = lung.sign, lung.hilum
    trunks = 16
    fan = np.linspace(-1.5, 1.66, trunks) + rng.normal(0, 0.1, trunks)
    up = np.stack([sign * np.cos(fan), np.sin(fan)], axis=1)
    start = np.array([hx - 0.03 * sign * lung.width, hy]) + np.stack(
        [np.zeros(trunks), np.sin(fan) * 16], axis=1
    )
    start += up * 4 + rng.normal(0, 3.0, (trunks, 2))
    angle = np.arctan2(up[:, 1], up[:, 0])
    length = 0.105 * lung.height * rng.uniform(0.8, 1.25, trunks)
    diameter = (3.6 + 1.2 * np.clip(up[:, 1], -0.7, 1)) * rng.uniform(0.75, 1.2, trunks)
    lines, sizes = [], []
    for _ in range(_GENERATIONS):
        bend = rng.normal(0, 0.17, len(angle))
        middle = start + 0.5 * length[:, None] * np.stack(
            [np.cos(angle + bend), np.sin(angle + bend)], axis=1
        )
        end = middle + 0.5 * length[:, None] * np.stack([np.cos(angle - bend), np.sin(angle - bend)], axis=1)
        lines.append(np.stack([start, middle, end], axis=1))
        sizes.append(diameter)
        inside = (np.abs(end[:, 0]) < lung.width * 1.02) & (end[:, 1] < lung.height * 1.05) & (end[:, 1] > -2)
        inside &= sign * end[:, 0] > 4
        end, angle, length, diameter = (
            end[inside],
            angle[inside] - bend[inside],
            length[inside],
            diameter[inside],
        )
        count = len(angle)
        away = np.arctan2(end[:, 1] - hy, end[:, 0] - hx)
        turn = np.angle(np.exp(1j * (away - angle)))
        flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
        go_on = angle + 0.22 * turn - flip * rng.uniform(0.0, 0.28, count)
        leave = angle + flip * rng.uniform(0.45, 1.05, count)
        even = rng.random(count) < 0.3
        start = np.concatenate([end, end])
        angle = np.concatenate([go_on, leave])
        length = np.concatenate(
            [length * rng.uniform(0.8, 1.06, count), length * rng.uniform(0.55, 0.9, count)]
        )
        small = np.where(even, 0.78, rng.uniform(0.45, 0.7, count))
        diameter = np.concatenate([diameter * np.where(even, 0.8, 0.9), diameter * small])
        keep = (diameter > 0.28) & (length > 1.2)
        start, angle, length, diameter = start[keep], angle[keep], length[keep], diameter[keep]
    return np.concatenate(lines), np.concatenate(sizes)
