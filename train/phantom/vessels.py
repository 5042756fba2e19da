"""Pulmonary vessels: dichotomous trees from each hilum, drawn as tapering strokes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.curves import Points, ellipse, stream
from edge_retrieve.train.phantom.frame import Frame, Map, blur
from edge_retrieve.train.phantom.geometry import SIDES, LungSide, Thorax
from edge_retrieve.train.phantom.organs import MU_LUNG, MU_TISSUE, Organs, clouds

_GENERATIONS = 9
_FULL = 0.20
_CONTRAST = MU_TISSUE - MU_LUNG


def render_vessels(thorax: Thorax, organs: Organs, frame: Frame) -> Map:
    """Return the vessels' and fine parenchyma's excess attenuation over lung of mean density."""
    size = (frame.size, frame.size)
    layers = [np.zeros(size, np.uint8) for _ in range(3)]
    hila = np.zeros(size, np.uint8)
    for side in SIDES:
        lung = thorax.lung(side)
        rng = stream(thorax.anatomy.seed, 51, lung.sign)
        for generation, (start, middle, end, diameter) in enumerate(_grow(lung, rng)):
            canvas = layers[generation % 3]
            lines = np.stack([start, middle, end], axis=1)
            value = 1.6 * float(np.mean(diameter)) * _CONTRAST * 255 / _FULL
            frame.stroke(canvas, list(lines), min(value, 255), float(np.mean(diameter)))
        _root(lung, rng, frame, hila)
    total = (layers[0].astype(np.float32) + layers[1] + layers[2]) * np.float32(_FULL / 255)
    total = blur(total, 0.55 * frame.size / 512)
    total += blur(hila.astype(np.float32) * np.float32(0.5 / 255), 2.0 * frame.size / 512)
    aerated = np.clip(organs.lung * np.float32(1 / 70), 0, 1)
    rng = stream(thorax.anatomy.seed, 52)
    mottle = clouds(rng, frame.size, frame.size / 512 * 1.1)
    return (total + np.float32(0.014) * mottle * aerated) * np.minimum(aerated * np.float32(1.25), 1)


def _root(lung: LungSide, rng: np.random.Generator, frame: Frame, canvas: npt.NDArray[np.uint8]) -> None:
    """Paint the hilum: the interlobar artery, the upper vein, and vessels seen end on."""
    x, y = lung.hilum
    for _ in range(7):
        dx, dy = rng.normal(0, 7), rng.normal(0, 11)
        r = rng.uniform(3.5, 7)
        frame.paint(canvas, ellipse(x - lung.sign * 5 + dx * 0.8, y + dy, r, r * rng.uniform(1, 1.6), rng.normal(0, 0.5)), 70 + 40 * rng.random())
    artery = np.array([[x - lung.sign * 8, y - 8], [x + lung.sign * 1, y + 8], [x + lung.sign * 5, y + 34]])
    frame.stroke(canvas, [artery], 110, 12)


def _grow(
    lung: LungSide, rng: np.random.Generator
) -> list[tuple[Points, Points, Points, npt.NDArray[np.float64]]]:
    """Return per generation the strokes' start, middle and end (mm) and their diameter (mm)."""
    sign, (hx, hy) = lung.sign, lung.hilum
    trunks = 13
    fan = np.linspace(-1.45, 1.62, trunks) + rng.normal(0, 0.09, trunks)
    up = np.stack([sign * np.cos(fan), np.sin(fan)], axis=1)
    start = np.array([hx - 0.05 * sign * lung.width, hy]) + up * 6 + rng.normal(0, 3.5, (trunks, 2))
    angle = np.arctan2(up[:, 1], up[:, 0])
    reach = np.where(up[:, 1] > 0, 1.06, 0.94)
    length = 0.175 * lung.height * reach * rng.uniform(0.75, 1.2, trunks)
    diameter = (4.6 + 1.4 * np.clip(up[:, 1], -0.6, 1)) * rng.uniform(0.8, 1.15, trunks)
    strokes = []
    for _ in range(_GENERATIONS):
        bend = rng.normal(0, 0.16, len(angle))
        middle = start + 0.5 * length[:, None] * np.stack([np.cos(angle + bend), np.sin(angle + bend)], axis=1)
        end = middle + 0.5 * length[:, None] * np.stack([np.cos(angle - bend), np.sin(angle - bend)], axis=1)
        strokes.append((start, middle, end, diameter))
        inside = (np.abs(end[:, 0]) < lung.width * 1.02) & (end[:, 1] < lung.height * 1.05) & (end[:, 1] > -2)
        end, angle, length, diameter = end[inside], angle[inside], length[inside], diameter[inside]
        away = np.arctan2(end[:, 1] - hy, end[:, 0] - hx)
        turn = np.angle(np.exp(1j * (away - angle)))
        split = rng.uniform(0.18, 0.62, len(angle))
        share = rng.uniform(0.66, 0.9, (2, len(angle)))
        start = np.concatenate([end, end])
        angle = np.concatenate([angle + 0.28 * turn + split, angle + 0.28 * turn - split])
        angle += rng.normal(0, 0.1, len(angle))
        length = np.concatenate([length * share[0], length * share[1]]) * rng.uniform(0.78, 1.1, len(angle))
        diameter = np.maximum(np.concatenate([diameter * (0.5 + 0.4 * share[0]), diameter * (0.5 + 0.4 * share[1])]) * 0.96, 0.5)
    return strokes
