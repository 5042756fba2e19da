"""Fractures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.curves import Points, tube
from edge_retrieve.train.phantom.frame import Map, Mask, blur
from edge_retrieve.train.phantom.lesions.effect import Effect, graded, rng_of, visible
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion


def rib_fracture(scene: Scene, lesion: Lesion) -> Effect:
    """Return a gap and a displaced end, with callus, on one to three neighbouring ribs."""
    rng, frame = rng_of(lesion), scene.frame
    side = lesion.region.laterality
    count = int(graded(lesion, 1, 2, 3))
    first = int(rng.integers(4, 9 - count + 1))
    at = rng.uniform(0.35, 0.8)
    delta = np.zeros((frame.size, frame.size), np.float32)
    mask = np.zeros((frame.size, frame.size), bool)
    for rib in scene.skeleton.ribs:
        if rib.side is side and first <= rib.number < first + count:
            middle = int(np.clip(at * rib.turn + rng.integers(-1, 2), 4, rib.turn + 2))
            piece, zone = _break(scene, rib.line, rib.half_width, middle, graded(lesion, 3.6, 4.6, 5.6), rng)
            delta, mask = delta + piece, mask | zone
    return Effect(delta, mask & visible(blur(delta, 1.0), part=0.05))


def clavicle_fracture(scene: Scene, lesion: Lesion) -> Effect:
    """Return a broken, stepped clavicle."""
    rng = rng_of(lesion)
    line = scene.skeleton.clavicle_lines[lesion.region.laterality]
    middle = int(np.clip(rng.uniform(0.32, 0.55) * len(line), 5, len(line) - 6))
    width = np.full(len(line), 5.6)
    delta, zone = _break(scene, line, width, middle, graded(lesion, 4.6, 6.6, 8.8), rng)
    return Effect(delta, zone & visible(blur(delta, 1.0), part=0.05))


def _break(
    scene: Scene,
    line: Points,
    half: npt.NDArray[np.float64],
    middle: int,
    step: float,
    rng: np.random.Generator,
) -> tuple[Map, Mask]:
    """Return the change where a bone is cut and its outer end displaced, and the zone it lies in."""
    frame = scene.frame
    way = line[middle + 1] - line[middle - 1]
    way = way / np.hypot(way[0], way[1])
    across = np.array([way[1], -way[0]]) * (1 if rng.random() < 0.5 else -1)
    centre, radius = line[middle], float(half[middle])
    gap, long = 0.42 * step, 2.6 * radius
    # The cut runs aslant; the outer stump steps aside, its cortex overlapping as a bright line.
    lean = 0.5 * radius * rng.uniform(-1, 1) * way
    before, behind, edge = centre - way * gap, centre + way * gap, 1.15 * radius * across
    cut = np.vstack([before + edge + lean, behind + edge + lean, behind - edge - lean, before - edge - lean])
    delta = -blur(frame.fill(cut), 0.5) * np.float32(0.2)
    bone = np.zeros((frame.size, frame.size), np.uint8)
    stump = np.linspace(behind, behind + way * long, 6) + across * step * np.linspace(0.75, 0.1, 6)[:, None]
    frame.paint(bone, tube(stump, radius), 120)
    frame.paint(bone, tube(stump, max(radius - 1.5, 0.8)), 55)
    for place in (before, stump[0]):
        frame.stroke(
            bone, [np.stack([place + across * radius + lean, place - across * radius - lean])], 190, 1.6
        )
    delta = delta + blur(bone.astype(np.float32), 0.5) * np.float32(0.27 / 120)
    length = np.linspace(centre - way * (0.7 * long), centre + way * (long + gap), 6)
    zone = frame.fill(tube(length, radius + step)) > 0.5
    return np.asarray(delta * zone, dtype=np.float32), np.asarray(zone)
