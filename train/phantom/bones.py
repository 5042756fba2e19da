"""The skeleton: ribs, spine, clavicles, shoulder blades and upper arms, as hollow shells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.train.phantom.curves import Points, ellipse, shifted, spline, stream, tube
from edge_retrieve.train.phantom.frame import Frame, Map, blur
from edge_retrieve.train.phantom.geometry import SIDES, Thorax

_FULL = 0.75
"""Excess attenuation that a full byte of a bone canvas stands for."""
_BODY = spline(
    ((-1, -1), (-0.88, 0), (-1, 1), (0, 1.04), (1, 1), (0.88, 0), (1, -1), (0, -0.96)), 4, closed=True
)
"""A vertebral body from the front, in parts of its half width and half height."""
_PEDICLE, _PROCESS = ellipse(0.0, 0.0, 3.6, 5.2, n=20), ellipse(0.0, 0.0, 3.0, 7.5, n=20)
_WING = tube(spline([(0.0, 0.0), (6.5, -1.5), (14.0, -3.5)], 4), np.linspace(4.2, 3.0, 9))
"""Pedicle, spinous and transverse process, millimetres about their own place."""


@dataclass(frozen=True)
class Rib:
    """One rib of one side: centre line from the spine round to the front, half width a point.

    Parameters
    ----------
    number : int
        1 to 10.
    side : Laterality
    line : Points
    half_width : float64 array of shape [N]
    turn : int
        Position in `line` of the outermost point: behind it lies the back, after it the front.
    """

    number: int
    side: Laterality
    line: Points
    half_width: npt.NDArray[np.float64]
    turn: int


@dataclass(frozen=True)
class Skeleton:
    """Outlines of the bones that others refer to, millimetres.

    Parameters
    ----------
    ribs : tuple of Rib
    clavicles : mapping of Laterality to Points
        Closed outlines.
    clavicle_lines : mapping of Laterality to Points
        Centre lines, from the breastbone outwards.
    """

    ribs: tuple[Rib, ...]
    clavicles: Mapping[Laterality, Points]
    clavicle_lines: Mapping[Laterality, Points]


def build_skeleton(thorax: Thorax) -> Skeleton:
    """Return the bones' outlines."""
    lines = {side: _clavicle_line(thorax, side) for side in SIDES}
    clavicles = {side: tube(line, _clavicle_width(thorax, len(line))) for side, line in lines.items()}
    ribs = tuple(_rib(thorax, side, number) for side in SIDES for number in range(1, 11))
    return Skeleton(ribs, clavicles, lines)


def _clavicle_line(thorax: Thorax, side: Laterality) -> Points:
    sign = -1 if side is Laterality.RIGHT else 1
    rng = stream(thorax.anatomy.seed, 41)
    w, h = thorax.width, thorax.height
    base = 0.16 * h + rng.normal(0, 5) - 14 * (thorax.pose.arms_down - 0.3)
    rise = 0.155 * w + 16 * (1 - thorax.pose.inspiration)
    shape = ((0.16, 0.0), (0.33, 0.30), (0.55, 0.42), (0.78, 0.9), (0.98, 1.25), (1.12, 1.2))
    points = [(u * w, base - v * rise) for u, v in shape]
    line = spline(points, 6) * np.array([sign, 1.0])
    depth = np.interp(np.abs(line[:, 0]), [0.16 * w, 1.1 * w], [70, 5])
    lift = np.minimum(depth * thorax.pose.lordosis, max(base - 0.06 * h, 0.0))  # they stay in view
    return np.asarray(line + np.stack([depth * thorax.pose.rotation, -lift], axis=1))


def _clavicle_width(thorax: Thorax, n: int) -> npt.NDArray[np.float64]:
    size = 1.0 if thorax.anatomy.sex == "M" else 0.86
    places = np.linspace(0, 1, n)
    return np.asarray(np.interp(places, [0, 0.08, 0.3, 0.6, 0.9, 1], [7, 8.5, 5.8, 5.2, 6.5, 5.5]) * size)


def _rib(thorax: Thorax, side: Laterality, number: int) -> Rib:
    lung = thorax.lung(side)
    sign, height = lung.sign, lung.height
    part = (number - 1) / 9
    rng = stream(thorax.anatomy.seed, 42, number, sign)
    start_y = height * (-0.07 + 0.0965 * (number - 1)) + rng.normal(0, 0.8)
    drop = float(np.interp(number, [1, 3, 6, 10], [0.24, 0.46, 0.66, 0.66])) * height * 0.72
    drop *= 0.9 + 0.25 * (thorax.pose.inspiration < 0.8) + 0.4 * thorax.pose.lordosis * -1
    tilt = float(np.interp(number, [1, 3, 10], [0.02, 0.16, 0.27]))
    span = lung.width
    for _ in range(3):  # the outermost point lies on the chest wall at its own height
        level = start_y + 0.5 * drop + tilt * span
        span = float(np.interp(level, lung.wall[:, 1], np.abs(lung.wall[:, 0]))) + 2.5
    end = float(np.interp(number, [1, 2, 6, 8, 10], [2.35, 2.45, 2.35, 2.05, 1.8]))
    theta = np.linspace(0.06, end, 34)
    reach = np.sin(theta) ** 0.92
    spine_x = float(np.interp(start_y, thorax.spine[:, 1], thorax.spine[:, 0]))
    inner = 9.0
    x = sign * (inner + (span - inner) * reach) + spine_x * np.cos(theta / 2) ** 2
    y = start_y - 4.0 * np.sin(2 * theta) * (1 - part) + drop * (1 - np.cos(theta)) / 2
    y = y + tilt * np.abs(x)
    depth = -75 * np.cos(theta)
    line = np.stack([x + depth * thorax.pose.rotation, y - depth * thorax.pose.lordosis * 0.8], axis=1)
    size = 1.0 if thorax.anatomy.sex == "M" else 0.88
    half = np.interp(theta, [0.06, 0.5, 1.4, 2.4], [4.2, 5.4, 5.6, 6.8]) * size * (0.85 if number < 2 else 1)
    return Rib(number, side, line, half, int(np.argmax(np.abs(x))))


def render_bones(thorax: Thorax, skeleton: Skeleton, frame: Frame) -> Map:
    """Return the bones' excess attenuation over soft tissue."""
    size = (frame.size, frame.size)
    back, front, other = (np.zeros(size, np.uint8) for _ in range(3))
    density = thorax.anatomy.bone
    for rib in skeleton.ribs:
        weight = density * (0.45 if rib.number == 1 else 1.0)
        rear = slice(0, rib.turn + 1)
        _shell(frame, back, rib.line[rear], rib.half_width[rear], 70 * weight, 55 * weight)
        fade = weight * (0.75 if rib.number > 1 else 0.8)
        _shell(frame, front, rib.line[rib.turn :], rib.half_width[rib.turn :], 68 * fade, 52 * fade)
    for side in SIDES:
        line = skeleton.clavicle_lines[side]
        _shell(frame, other, line, _clavicle_width(thorax, len(line)), 108 * density, 78 * density)
    blades = np.zeros(size, np.uint8)
    _shoulders(thorax, frame, blades, density)
    # Their heads lie behind the vertebrae and fade in.
    heads = np.clip((np.abs(frame.millimetres()[0]) - 8) * np.float32(1 / 26), 0, 1)
    total = (back * heads + front + other + blades) * np.float32(_FULL / 255)
    return blur(total, 0.8 * frame.size / 512) + _spine(thorax, frame)


def _shell(
    frame: Frame,
    canvas: npt.NDArray[np.uint8],
    line: Points,
    half: npt.NDArray[np.float64],
    rim: float,
    core: float,
) -> None:
    if len(line) < 3:
        return
    frame.paint(canvas, tube(line, half), rim)
    frame.paint(canvas, tube(line, half - 1.5), core)


def _shoulders(thorax: Thorax, frame: Frame, canvas: npt.NDArray[np.uint8], density: float) -> None:
    w, h, down = thorax.width, thorax.height, thorax.pose.arms_down
    for side in SIDES:
        sign = -1 if side is Laterality.RIGHT else 1
        out = w * (1.17 - 0.12 * down)
        top = 0.02 * h
        blade = [
            (out - 10, top + 2), (out + 8, top + 22), (out - 2, top + 42), (out - 16, top + 0.30 * h),
            (out - 0.20 * w - 12, top + 0.60 * h), (out - 0.30 * w, top + 0.54 * h),
            (out - 0.46 * w, top + 0.16 * h), (out - 0.42 * w, top + 10), (out - 0.2 * w, top),
        ]  # fmt: skip
        flip = np.array([sign, 1.0])
        outline = spline(blade, 5, closed=True) * flip
        frame.paint(canvas, outline, 17 * density)
        frame.stroke(canvas, [spline(blade[1:6], 5) * flip], 48 * density, 3.0)
        frame.stroke(canvas, [spline(blade[5:], 5) * flip], 28 * density, 1.6)
        ridge = [
            (out - 0.42 * w, top + 0.10 * h),
            (out - 0.2 * w, top + 4),
            (out + 6, top - 14),
            (out + 22, top - 8),
        ]
        spine = spline(ridge, 6) * flip
        _shell(frame, canvas, spine, np.linspace(2.5, 8, len(spine)), 56 * density, 42 * density)
        head = np.array([out + 32, top + 18])
        elbow = head + np.array([150 - 110 * down, 130 + 160 * down])
        direction = (elbow - head) / np.hypot(*(elbow - head))
        shaft = np.linspace(head + direction * 16, elbow, 12) * flip
        _shell(frame, canvas, shaft, np.linspace(16, 11.5, 12), 110 * density, 66 * density)
        frame.paint(canvas, ellipse(head[0], head[1], 24, 24) * flip, 92 * density)
        frame.paint(canvas, ellipse(head[0], head[1], 22, 22) * flip, 78 * density)


def _spine(thorax: Thorax, frame: Frame) -> Map:
    half = frame.at(2)
    bodies, rims = (np.zeros((half.size, half.size), np.uint8) for _ in range(2))
    line, h, pose = thorax.spine, thorax.height, thorax.pose
    step, depth, density = 0.0965 * h, -55.0, thorax.anatomy.bone
    level = np.arange(-5, 17)
    y = -0.055 * h + step * level
    level, y = level[(y > line[0, 1]) & (y < line[-1, 1])], y[(y > line[0, 1]) & (y < line[-1, 1])]
    x = np.interp(y, line[:, 1], line[:, 0])
    lean = (np.interp(y + 4, line[:, 1], line[:, 0]) - np.interp(y - 4, line[:, 1], line[:, 0])) / 8
    wide, tall = np.interp(level, [-5, 0, 4, 16], [12, 15.5, 15.5, 22]), 0.43 * step
    place = np.stack([x + depth * pose.rotation, y - depth * pose.lordosis * 0.3], axis=1)

    def at_levels(shape: Points, dx: float, dy: float) -> Points:
        """Return a shape at every level, moved by parts of the body's half width and half height."""
        px = shape[None, :, 0] + dx * wide[:, None]
        py = np.broadcast_to(shape[None, :, 1] + dy * tall, px.shape)
        turned = np.stack([px - lean[:, None] * py, lean[:, None] * px + py], axis=2)
        return np.asarray(turned + place[:, None, :])

    unit = at_levels(_BODY * (0, tall), 0.0, 0.0)
    body = unit + np.stack(
        [_BODY[None, :, 0] * wide[:, None], lean[:, None] * _BODY[None, :, 0] * wide[:, None]], 2
    )
    half.paint(bodies, body, 92 * density)
    half.stroke(rims, body, 46 * density, 1.8, closed=True)
    for sign in (-1, 1):
        pedicle = at_levels(_PEDICLE, 0.62 * sign, -0.35)
        half.paint(rims, pedicle, 12 * density)
        half.stroke(rims, pedicle, 52 * density, 1.8, closed=True)
        wing = at_levels(_WING * (sign, 1), 0.9 * sign, -0.3)[level >= 0]
        half.paint(rims, wing, 16 * density)
    process = at_levels(shifted(_PROCESS, -28 * pose.rotation), 0.0, 0.75)
    half.paint(rims, process, 24 * density)
    half.stroke(rims, process, 34 * density, 1.6, closed=True)
    # Vertebral bodies are round: densest in the middle, with no edge to speak of.
    total = blur(bodies.astype(np.float32), 4.5 / half.pitch)
    total += blur(rims.astype(np.float32), half.size / 256)
    return frame.enlarge(total * np.float32(_FULL * 0.72 / 255))
