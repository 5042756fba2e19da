"""Lines, tubes and pacemakers."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.train.phantom.curves import Points, ellipse, shifted, spline
from edge_retrieve.train.phantom.frame import blur
from edge_retrieve.train.phantom.lesions.effect import Effect, graded, rng_of
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion


def _tube(scene: Scene, lines: list[Points], width: float, value: float) -> Effect:
    frame = scene.frame
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    frame.stroke(canvas, lines, 255, width)
    delta = blur(canvas.astype(np.float32), 0.4) * np.float32(value / 255)
    return Effect(delta, np.asarray(delta > 0.22 * value * min(1.0, width / frame.pitch)))


def _middle(scene: Scene, region: Region) -> tuple[float, float]:
    box = scene.boxes[region]
    return scene.frame.to_millimetres((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)


def pacemaker(scene: Scene, lesion: Lesion) -> Effect:
    """Return a generator below the clavicle with its leads in the right heart."""
    rng, frame = rng_of(lesion), scene.frame
    lung = scene.thorax.lung(lesion.region.laterality)
    s = lung.sign
    x, y = s * lung.width * rng.uniform(0.50, 0.62), lung.height * rng.uniform(0.17, 0.24)
    rx, ry = rng.uniform(19, 23), rng.uniform(15, 19)
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    tilt = rng.normal(0, 0.35)
    # A superellipse: a box with round corners.
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    can = ellipse(0.0, 0.0, rx, ry, tilt, 48) * (1 + 0.08 * np.cos(4 * angle + np.pi))[:, None]
    square = shifted(can, x, y)
    frame.paint(canvas, square, 150)
    frame.paint(canvas, ellipse(x - 2, y + 2, rx * 0.62, ry * 0.5, tilt), 215)
    frame.paint(canvas, ellipse(x + 0.45 * rx, y - 0.62 * ry, 6, 4, tilt), 95)
    tips, leads = [], []
    for course in _leads(scene, lesion, (x - s * 4, y - ry)):
        leads.append(spline(course, 8))
        tips.append(course[-1])
    frame.stroke(canvas, leads, 42, 1.4)
    for tip_x, tip_y in tips:
        frame.stroke(canvas, [np.array([(tip_x - 4, tip_y - 1), (tip_x, tip_y)])], 120, 2.2)
    delta = blur(canvas.astype(np.float32), 0.45) * np.float32(2.6 / 255)
    return Effect(delta, np.asarray(delta > 0.12))


def _leads(scene: Scene, lesion: Lesion, start: tuple[float, float]) -> list[list[tuple[float, float]]]:
    """Return the courses of one to three leads: right ventricle, then right atrium, then left ventricle."""
    thorax = scene.thorax
    lung = thorax.lung(lesion.region.laterality)
    s, w, h = lung.sign, lung.width, lung.height
    right, left = float(thorax.heart[:, 0].min()), float(thorax.heart[:, 0].max())
    top, tall = thorax.heart_top, thorax.heart_bottom - thorax.heart_top
    cava_x, cava_y = (-14.0, 0.24 * h) if s < 0 else (-13.0, 0.27 * h)
    entry = [start, (s * 0.55 * w, 0.06 * h), (s * 0.28 * w, 0.09 * h)] + (
        [] if s < 0 else [(10.0, 0.15 * h)]
    )
    courses = [
        ((0.0, 0.55 * right, 0.45), (0.20 * right, 0.78), (0.55 * left, 0.90)),
        ((-3.0, 0.72 * right, 0.50), (0.45 * right, 0.58), (0.50 * right, 0.36)),
        ((-1.0, 0.50 * right, 0.60), (0.20 * left, 0.62), (0.85 * left, 0.55)),
    ]
    result = []
    for (aside, x1, y1), *rest in courses[: int(graded(lesion, 1, 2, 3))]:
        way = [(x1, y1), *rest]
        result.append([*entry, (cava_x + aside, cava_y), *((x, top + y * tall) for x, y in way)])
    return result


def central_line(scene: Scene, lesion: Lesion) -> Effect:
    """Return a venous catheter whose tip lies in the region asked for."""
    rng, h, w = rng_of(lesion), scene.thorax.height, scene.thorax.width
    x, y = _middle(scene, lesion.region)
    tip = (x + rng.normal(0, 2.0), y + rng.uniform(0, 6))
    svc_x = _middle(scene, Region.SVC)[0] - 2 + rng.normal(0, 1.5)
    route = int(rng.integers(3))
    if route == 0:  # right internal jugular
        points = [(-0.36 * w + rng.normal(0, 6), -75.0), (-0.26 * w, -40.0), (-0.2 * w, 0.02 * h)]
        points += [(svc_x, 0.20 * h)]
    elif route == 1:  # from the right arm or below the clavicle
        points = [(-1.35 * w, 0.3 * h), (-0.95 * w, 0.09 * h), (-0.6 * w, 0.035 * h), (-0.3 * w, 0.07 * h)]
        points += [(svc_x - 1, 0.18 * h)]
    else:  # from the left
        points = [(1.35 * w, 0.3 * h), (0.95 * w, 0.09 * h), (0.6 * w, 0.035 * h), (0.3 * w, 0.08 * h)]
        points += [(0.0, 0.15 * h), (svc_x, 0.23 * h)]
    points += [(0.5 * (svc_x + tip[0]), 0.5 * (0.22 * h + tip[1]))]
    # A high tip is reached before the last bends: those below it are left out.
    ordered = [points[0], *(point for point in points[1:] if point[1] < tip[1] - 3), tip]
    width = graded(lesion, 1.6, 2.0, 2.5)
    return _tube(scene, [spline(ordered, 8)], width, graded(lesion, 0.36, 0.38, 0.4))


def tracheal_tube(scene: Scene, lesion: Lesion) -> Effect:
    """Return a tube in the trachea with an opaque stripe; a worse one ends too near the carina."""
    rng, frame = rng_of(lesion), scene.frame
    trachea, calibre = scene.thorax.airways[0]
    above = graded(lesion, rng.uniform(42, 52), rng.uniform(28, 38), rng.uniform(10, 20))
    end = scene.thorax.carina[1] - above
    y = np.linspace(-90, end, 30)
    x = np.interp(y, trachea[:, 1], trachea[:, 0])
    line = np.stack([x, y], axis=1)
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    half = 0.55 * calibre
    left, right = shifted(line, half), shifted(line, -half)
    frame.stroke(canvas, [left, right], 90, 1.3)
    frame.stroke(canvas, [shifted(line, 0.35 * half)], 255, 1.5)
    frame.stroke(canvas, [np.stack([shifted(right, 0, -2)[-1], shifted(left, 0, 1)[-1]])], 120, 1.3)
    delta = blur(canvas.astype(np.float32), 0.35) * np.float32(0.62 / 255)
    return Effect(delta, np.asarray(delta > 0.1))


def enteric_tube(scene: Scene, lesion: Lesion) -> Effect:
    """Return a tube through the oesophagus, its tip in the abdomen."""
    rng, w = rng_of(lesion), scene.thorax.width
    box = scene.boxes[Region.ABDOMEN]
    bottom = scene.frame.to_millimetres((box.x1 + box.x2) / 2, box.y2)[1]
    dome = float(scene.thorax.lung(Laterality.LEFT).dome[:, 1].min())
    deep = min(bottom - 6, dome + graded(lesion, 50, 75, 105))
    deep = max(deep, dome + 0.6 * (bottom - dome))
    carina = scene.thorax.carina[1]
    points = [(2.0 + rng.normal(0, 2), -95.0), (1.0, 0.0), (6.0 + rng.normal(0, 2), carina)]
    points += [(10.0, 0.5 * (carina + dome)), (12.0, dome), (0.16 * w, dome + 0.4 * (deep - dome))]
    points += [(0.36 * w, deep - 4), (0.5 * w, deep - 8)]
    return _tube(scene, [spline(points, 10)], graded(lesion, 2.2, 2.7, 3.2), 0.32)
