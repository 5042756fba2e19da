"""Plane curves the phantom is built of. All in millimetres, as float64 arrays of shape [N, 2]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


def stream(*key: int) -> np.random.Generator:
    """Return a generator of its own for one part of one study.

    Every organ draws from its own stream, so that leaving one out never shifts what another draws.

    Parameters
    ----------
    *key : int
        The study's or patient's seed and a tag of the part; made non-negative for the generator.
    """
    return np.random.Generator(np.random.PCG64([abs(int(part)) * 2 + (part < 0) for part in key]))


def spline(
    points: Sequence[Sequence[float] | Points] | Points, steps: int = 8, closed: bool = False
) -> Points:
    """Return a uniform Catmull-Rom curve through `points`.

    Parameters
    ----------
    points : sequence of (x, y)
        At least two control points.
    steps : int
        Samples a span.
    closed : bool
        Whether the last point joins the first.
    """
    control = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.vstack([control[-1:], control, control[:2]])
    else:
        padded = np.vstack([2 * control[:1] - control[1:2], control, 2 * control[-1:] - control[-2:-1]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = curve.reshape(-1, 2)
    return flat if closed else np.vstack([flat, control[-1:]])


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, n: int = 40) -> Points:
    """Return an ellipse's outline; `turn` in radians, clockwise as displayed."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([x + c * px - s * py, y + s * px + c * py], axis=1)


def shifted(points: Points, dx: float, dy: float = 0.0) -> Points:
    """Return points moved by an offset."""
    return np.asarray(points + np.array([dx, dy]))


def normals(line: Points) -> Points:
    """Return unit normals along an open polyline, to the left of its direction as displayed."""
    step = np.empty_like(line)
    step[1:-1] = line[2:] - line[:-2]
    step[0], step[-1] = line[1] - line[0], line[-1] - line[-2]
    length = np.sqrt(np.einsum("ij,ij->i", step, step))
    step /= np.maximum(length, 1e-9)[:, None]
    return np.stack([step[:, 1], -step[:, 0]], axis=1)


def tube(line: Points, half_width: float | npt.NDArray[np.float64]) -> Points:
    """Return the outline of a band of the given half width (one value, or one a point) about a polyline."""
    offset = normals(line) * np.reshape(half_width, (-1, 1))
    return np.vstack([line + offset, (line - offset)[::-1]])


def bounds(points: Points) -> tuple[float, float, float, float]:
    """Return ``(x1, y1, x2, y2)`` of a set of points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def wobble(rng: np.random.Generator, n: int, harmonics: int = 5) -> npt.NDArray[np.float64]:
    """Return a smooth periodic random function of unit standard deviation, sampled at `n` points."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    order = np.arange(1, harmonics + 1)
    phase, weight = rng.uniform(0, 2 * np.pi, harmonics), rng.normal(size=harmonics) / order**0.5
    wave = (weight[:, None] * np.cos(order[:, None] * angle + phase[:, None])).sum(axis=0)
    return np.asarray(wave / max(float(wave.std()), 1e-6))
