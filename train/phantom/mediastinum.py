"""Outlines between the lungs: heart, great vessels, airways. Millimetres, as in `geometry`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_retrieve.train.phantom.acquisition import Pose
from edge_retrieve.train.phantom.anatomy import Anatomy
from edge_retrieve.train.phantom.curves import Points, ellipse, shifted, spline


@dataclass(frozen=True)
class Changes:
    """What lesions change in the geometry itself. The defaults change nothing.

    Parameters
    ----------
    heart, knob : float
        Factors on the heart's width and the aortic knob's radius.
    widening : float
        Added to each side of the upper mediastinum, millimetres.
    raise_right, raise_left : float
        Lift of a hemidiaphragm, millimetres.
    bow : float
        Sideways displacement of the spine, millimetres.
    """

    heart: float = 1.0
    knob: float = 1.0
    widening: float = 0.0
    raise_right: float = 0.0
    raise_left: float = 0.0
    bow: float = 0.0


@dataclass(frozen=True)
class Room:
    """The space that the lungs leave for the mediastinum.

    Parameters
    ----------
    width, height : float
        Mean half width and height of the lungs.
    left_width : float
        Half width of the left lung.
    dome : float
        Height of the left dome's crest.
    organs : float
        Length that the organs above the heart scale with: they shrink little in shallow breath.
    """

    width: float
    height: float
    left_width: float
    dome: float
    organs: float

    @property
    def carina(self) -> float:
        """Height of the carina."""
        return 0.315 * self.organs


def at_depth(points: Points, depth: float, pose: Pose) -> Points:
    """Return points moved as something `depth` millimetres in front of the body's middle appears."""
    return shifted(points, depth * pose.rotation, -depth * pose.lordosis)


def heart_outline(anatomy: Anatomy, pose: Pose, changes: Changes, room: Room) -> Points:
    """Return the heart's outline, apex to the patient's left."""
    total = 2 * room.width * anatomy.heart_width * pose.magnification * changes.heart
    total *= 1 + 0.25 * (1 - pose.inspiration)
    grown, lean = changes.heart - 1, anatomy.heart_lean
    r = total * (0.335 - 0.05 * grown)
    f = min(total * (0.665 + 0.05 * grown), 0.965 * room.left_width)
    bottom = min(room.dome + (0.10 + 0.05 * lean) * room.height, room.height * 0.99)
    h = max(0.40 * room.height, (1.02 - 0.25 * lean) * 0.66 * total) * (1 + 0.12 * grown)
    # Each point: part of the way to the right (negative) or left border, part of the height.
    shape = (
        (-0.30, 0.0), (-0.72, 0.14), (-0.97, 0.36), (-1.0, 0.55), (-0.90, 0.78), (-0.58, 0.95), (0.10, 1.02),
        (0.55, 1.03), (0.87, 0.97), (1.0, 0.80 - 0.05 * lean), (0.95, 0.62), (0.80, 0.40), (0.61, 0.20),
        (0.37, 0.04), (0.10, -0.04),
    )  # fmt: skip
    points = [(u * (f if u > 0 else r), bottom - h + v * h) for u, v in shape]
    return at_depth(spline(points, 5, closed=True), 30, pose)


def pedicle_outline(anatomy: Anatomy, pose: Pose, changes: Changes, room: Room) -> Points:
    """Return the upper mediastinum's outline, from the neck down to behind the heart."""
    wide = 1 + (pose.magnification - 1) + 0.10 * max(anatomy.habitus, 0)
    right, left, spread = 23.0 * wide, 21.0 * wide, changes.widening
    low, unit = room.carina, room.organs
    # Each point: side, part of the side's half width, part of the widening, height.
    shape = (
        (-1, 0.92, 0.5, -35.0), (-1, 0.85, 0.75, 0.08 * unit), (-1, 0.98, 1.0, 0.22 * unit),
        (-1, 1.08, 1.0, low + 0.06 * unit), (-1, 1.05, 0.4, low + 0.24 * unit),
        (1, 0.0, 0.0, low + 0.40 * unit),
        (1, 0.90, 0.3, low + 0.26 * unit), (1, 0.95, 0.9, low + 0.02 * unit), (1, 0.95, 1.0, 0.20 * unit),
        (1, 1.05, 0.75, 0.07 * unit), (1, 1.25, 0.5, -35.0),
    )  # fmt: skip
    points = [(s * ((left if s > 0 else right) * part + spread * more), y) for s, part, more, y in shape]
    return at_depth(spline(points, 5, closed=True), 10, pose)


def aorta_outlines(anatomy: Anatomy, pose: Pose, changes: Changes, room: Room) -> tuple[Points, Points]:
    """Return the aortic knob and the descending aorta."""
    radius = anatomy.knob * changes.knob
    x = 11.0 + 0.9 * anatomy.knob + 6 * anatomy.unfolding + 0.75 * (radius - anatomy.knob)
    y = room.carina - 0.035 * room.organs
    knob = ellipse(x, y, radius, 1.12 * radius)
    edge, bow, h = x + 0.75 * anatomy.knob, 9 * anatomy.unfolding, room.height
    left = spline([(edge, y), (edge - 1 + bow, 0.45 * h), (edge - 5 + bow, 0.68 * h), (14.0, 1.05 * h)])
    right = spline([(-6.0, 1.05 * h), (2.0, 0.6 * h), (6.0, y)])
    return at_depth(knob, 5, pose), at_depth(np.vstack([left, right]), -35, pose)


def trunk_outline(pose: Pose, room: Room) -> Points:
    """Return the pulmonary trunk, below the aortic knob."""
    y = room.carina + 0.13 * room.organs
    return at_depth(ellipse(0.17 * room.width, y, 0.15 * room.width, 0.12 * room.organs, 0.5), 25, pose)


def airway_lines(anatomy: Anatomy, changes: Changes, room: Room) -> tuple[tuple[Points, float], ...]:
    """Return centre line and half width of the trachea, the right and the left main bronchus."""
    pull, low, slope = 0.3 * changes.bow, room.carina, 0.075 * room.organs
    bend = 1.5 + 3 * anatomy.unfolding + pull
    trachea = [(0.0, -75.0), (0.5, -20.0), (bend, 0.6 * low), (4.0 + 1.3 * pull, low)]
    right = [(3.0, low), (-12.0, low + slope), (-27.0, low + 2.0 * slope)]
    left = [(5.0, low), (24.0, low + 1.1 * slope), (44.0, low + 1.9 * slope)]
    calibre = 8.2 if anatomy.sex == "M" else 7.0
    return (
        (spline(trachea), calibre),
        (spline(right), 0.72 * calibre),
        (spline(left), 0.66 * calibre),
    )
