"""The thorax of one study as plane outlines, in millimetres.

x grows to the image's right (the patient's left), y downwards; the origin is the midline at the height of
the lung apices. What lies in front of or behind the middle of the body is moved by the patient's
rotation and by the beam's tilt (`Thorax.at_depth`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.train.phantom.acquisition import Pose
from edge_retrieve.train.phantom.anatomy import Anatomy
from edge_retrieve.train.phantom.curves import Points, bounds, ellipse, spline

SIDES = (Laterality.RIGHT, Laterality.LEFT)

_WALL = ((0.185, 0.085), (0.265, 0.024), (0.39, 0.0), (0.53, 0.018), (0.65, 0.072), (0.755, 0.16), (0.84, 0.28),
         (0.905, 0.42), (0.955, 0.58), (0.985, 0.75), (1.0, 0.89), (0.985, 1.0))  # fmt: skip
_DOME = (
    (0.985, 0.0),
    (0.955, 0.32),
    (0.88, 0.62),
    (0.77, 0.86),
    (0.62, 0.99),
    (0.49, 1.0),
    (0.36, 0.93),
    (0.22, 0.75),
)


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
class LungSide:
    """One lung as a reader would outline it (with the part behind the heart).

    Parameters
    ----------
    outline : Points
        Closed.
    wall : Points
        Apex to costophrenic angle, the outer edge.
    dome : Points
        Costophrenic angle to the midline side.
    angle : (float, float)
        The costophrenic angle.
    sign : int
        -1 for the patient's right, +1 for the left.
    width, height : float
        Millimetres.
    hilum : (float, float)
        Centre of the hilum.
    """

    outline: Points
    wall: Points
    dome: Points
    angle: tuple[float, float]
    sign: int
    width: float
    height: float
    hilum: tuple[float, float]


@dataclass(frozen=True)
class Thorax:
    """All outlines of one study. See the module for the coordinates.

    Parameters
    ----------
    lungs : tuple of LungSide
        Right, left.
    heart, pedicle, knob, trunk, descending : Points
        Closed outlines: heart, upper mediastinum, aortic knob, pulmonary trunk, descending aorta.
    airways : tuple of (Points, float)
        Centre lines and half widths; the trachea first, then the right and left main bronchus.
    carina : (float, float)
    spine : Points
        Centre line from the neck to the lower edge, top first.
    heart_top, heart_bottom : float
        Heights of the heart's base and of its lowest point.
    atrium_x : float
        The right heart border.
    """

    anatomy: Anatomy
    pose: Pose
    changes: Changes
    lungs: tuple[LungSide, LungSide]
    heart: Points
    pedicle: Points
    knob: Points
    trunk: Points
    descending: Points
    airways: tuple[tuple[Points, float], ...]
    carina: tuple[float, float]
    spine: Points
    heart_top: float
    heart_bottom: float
    atrium_x: float

    def lung(self, side: Laterality) -> LungSide:
        """Return the lung of a side."""
        return self.lungs[0 if side is Laterality.RIGHT else 1]

    def at_depth(self, points: Points, depth: float) -> Points:
        """Return points moved as something `depth` millimetres in front of the middle appears."""
        return points + np.array([depth * self.pose.rotation, -depth * self.pose.lordosis])

    @property
    def height(self) -> float:
        """Mean lung height, millimetres."""
        return 0.5 * (self.lungs[0].height + self.lungs[1].height)

    @property
    def trachea_top(self) -> float:
        """Height above which the trachea is no longer counted as in the chest."""
        return -0.12 * self.height

    @property
    def width(self) -> float:
        """Mean half width of the lungs, millimetres."""
        return 0.5 * (self.lungs[0].width + self.lungs[1].width)


def build_thorax(anatomy: Anatomy, pose: Pose, changes: Changes | None = None) -> Thorax:
    """Return the outlines of a patient in a pose, with what lesions change in them."""
    changes = changes or Changes()
    lungs = (_lung(anatomy, pose, changes, -1), _lung(anatomy, pose, changes, 1))
    width = 0.5 * (lungs[0].width + lungs[1].width)
    height = 0.5 * (lungs[0].height + lungs[1].height)
    rigid = 1.62 * anatomy.half_width  # organs above the diaphragm keep their size when breath is shallow
    scale = 0.35 * height + 0.65 * rigid * 0.93
    shallow = Thorax(
        anatomy=anatomy, pose=pose, changes=changes, lungs=lungs, heart=lungs[0].outline, pedicle=lungs[0].outline,
        knob=lungs[0].outline, trunk=lungs[0].outline, descending=lungs[0].outline, airways=(), carina=(0.0, 0.0),
        spine=_spine(anatomy, changes, height), heart_top=0.0, heart_bottom=0.0, atrium_x=0.0,
    )  # fmt: skip
    carina_y = 0.315 * scale
    heart = shallow.at_depth(_heart(anatomy, pose, changes, width, height, lungs), 30)
    knob_x, knob_y = 11.0 + 0.9 * anatomy.knob + 6 * anatomy.unfolding, carina_y - 0.035 * scale
    radius = anatomy.knob * changes.knob
    knob_x += 0.75 * (radius - anatomy.knob)
    knob = shallow.at_depth(ellipse(knob_x, knob_y, radius, 1.12 * radius), 5)
    trunk = shallow.at_depth(
        ellipse(0.17 * width, carina_y + 0.13 * scale, 0.15 * width, 0.12 * scale, 0.5), 25
    )
    pedicle = shallow.at_depth(_pedicle(anatomy, changes, carina_y, scale, pose), 10)
    descending = _descending(anatomy, knob_x, knob_y, height, shallow)
    pull = 0.3 * changes.bow
    trachea = np.array(
        [
            [0.0, -75.0],
            [0.5, -20.0],
            [1.5 + 3 * anatomy.unfolding + pull, carina_y * 0.6],
            [4.0 + 1.3 * pull, carina_y],
        ]
    )
    slope = 0.075 * scale
    right_bronchus = np.array([[3.0, carina_y], [-12.0, carina_y + slope], [-27.0, carina_y + 2.0 * slope]])
    left_bronchus = np.array(
        [[5.0, carina_y], [24.0, carina_y + 1.1 * slope], [44.0, carina_y + 1.9 * slope]]
    )
    calibre = 8.2 if anatomy.sex == "M" else 7.0
    airways = (
        (shallow.at_depth(spline(trachea), 0), calibre),
        (spline(right_bronchus), 0.72 * calibre),
        (spline(left_bronchus), 0.66 * calibre),
    )
    box = bounds(heart)
    return replace(
        shallow, heart=heart, knob=knob, trunk=trunk, pedicle=pedicle, descending=descending, airways=airways,
        carina=(4.0, carina_y), heart_top=box[1], heart_bottom=box[3], atrium_x=box[0],
        lungs=(_with_hilum(lungs[0], carina_y, scale), _with_hilum(lungs[1], carina_y, scale)),
    )  # fmt: skip


def _lung(anatomy: Anatomy, pose: Pose, changes: Changes, sign: int) -> LungSide:
    right = sign < 0
    width = anatomy.half_width * (1.0 if right else anatomy.left_ratio) * (0.9 + 0.1 * pose.inspiration)
    width *= 1 - sign * 0.6 * pose.rotation
    lift = changes.raise_right if right else changes.raise_left
    full = anatomy.half_width * anatomy.height_ratio * pose.inspiration
    height = full * (1.0 - 0.5 * anatomy.base_step if right else 1.0 + 0.5 * anatomy.base_step) - 0.35 * lift
    dome = (anatomy.dome_right if right else anatomy.dome_left) * full + 0.75 * lift
    gap = anatomy.medial_gap * (1 + 0.3 * sign * pose.rotation / 0.1)
    gap = float(np.clip(gap, 3.0, 26.0))
    wall = spline(np.array(_WALL) * (width, height), 6)
    crest = [(u * width, height - dome * v) for u, v in _DOME]
    end = 0.62 if right else 0.45
    crest.append((gap, height - dome * end))
    arch = spline(crest, 6)
    top = 0.085 * height
    medial = spline([(gap, height - dome * end), (gap, 0.55 * height), (gap + 1.5, 0.30 * height),
                     (gap + 4.5, 0.17 * height), (0.17 * width, top)], 5)  # fmt: skip
    outline = np.vstack([wall, arch[1:], medial[1:-1]])
    flip = np.array([sign, 1.0])
    return LungSide(
        outline=outline * flip, wall=wall * flip, dome=arch * flip, angle=(sign * 0.985 * width, height),
        sign=sign, width=width, height=height, hilum=(0.0, 0.0),
    )  # fmt: skip


def _with_hilum(lung: LungSide, carina_y: float, scale: float) -> LungSide:
    x, y = (
        (-0.30 * lung.width, carina_y + 0.155 * scale)
        if lung.sign < 0
        else (0.29 * lung.width, carina_y + 0.115 * scale)
    )
    return replace(lung, hilum=(x, y))


def _spine(anatomy: Anatomy, changes: Changes, height: float) -> Points:
    y = np.linspace(-110, height + 190, 60)
    phase = (y - 0.5 * height) / (1.5 * height)
    x = anatomy.spine_bow * np.cos(np.pi * phase * 1.3) + changes.bow * np.exp(-((phase / 0.36) ** 2))
    return np.stack([x - 0.35 * changes.bow * np.exp(-(((phase - 0.62) / 0.3) ** 2)), y], axis=1)


def _heart(
    anatomy: Anatomy,
    pose: Pose,
    changes: Changes,
    width: float,
    height: float,
    lungs: tuple[LungSide, LungSide],
) -> Points:
    total = 2 * width * anatomy.heart_width * pose.magnification * changes.heart
    total *= 1 + 0.25 * (1 - pose.inspiration)
    grown = changes.heart - 1
    right, left = total * (0.335 - 0.05 * grown), total * (0.665 + 0.05 * grown)
    left = min(left, 0.965 * lungs[1].width)
    base = float(lungs[1].dome[:, 1].min())
    bottom = min(base + (0.10 + 0.05 * anatomy.heart_lean) * height, height * 0.99)
    tall = max(0.40 * height, (1.02 - 0.25 * anatomy.heart_lean) * 0.66 * total)
    top = bottom - tall * (1 + 0.12 * grown)
    tall = bottom - top
    apex = 0.80 - 0.05 * anatomy.heart_lean
    points = [
        (-0.30 * right, top), (-0.72 * right, top + 0.14 * tall), (-0.97 * right, top + 0.36 * tall),
        (-right, top + 0.55 * tall), (-0.90 * right, top + 0.78 * tall), (-0.58 * right, top + 0.95 * tall),
        (0.10 * left, top + 1.02 * tall), (0.55 * left, top + 1.03 * tall), (0.87 * left, top + 0.97 * tall),
        (left, top + apex * tall), (0.95 * left, top + 0.62 * tall), (0.80 * left, top + 0.40 * tall),
        (0.61 * left, top + 0.20 * tall), (0.37 * left, top + 0.04 * tall), (0.10 * left, top - 0.04 * tall),
    ]  # fmt: skip
    return spline(points, 5, closed=True)


def _pedicle(anatomy: Anatomy, changes: Changes, carina_y: float, scale: float, pose: Pose) -> Points:
    wide = 1 + 0.10 * (pose.magnification - 1) / 0.1 + 0.10 * max(anatomy.habitus, 0)
    spread = changes.widening
    right, left = 23.0 * wide, 21.0 * wide
    points = [
        (-right * 0.92 - 0.5 * spread, -35.0), (-right * 0.85 - 0.75 * spread, 0.08 * scale),
        (-right * 0.98 - spread, 0.22 * scale), (-right * 1.08 - spread, carina_y + 0.06 * scale),
        (-right * 1.05 - 0.4 * spread, carina_y + 0.24 * scale), (0.0, carina_y + 0.40 * scale),
        (left * 0.9 + 0.3 * spread, carina_y + 0.26 * scale), (left * 0.95 + 0.9 * spread, carina_y + 0.02 * scale),
        (left * 0.95 + spread, 0.20 * scale), (left * 1.05 + 0.75 * spread, 0.07 * scale),
        (left * 1.25 + 0.5 * spread, -35.0),
    ]  # fmt: skip
    return spline(points, 5, closed=True)


def _descending(anatomy: Anatomy, knob_x: float, knob_y: float, height: float, thorax: Thorax) -> Points:
    edge = knob_x + 0.75 * anatomy.knob
    bow = 9 * anatomy.unfolding
    left = [
        (edge, knob_y),
        (edge - 1 + bow, 0.45 * height),
        (edge - 5 + bow, 0.68 * height),
        (14.0, 1.05 * height),
    ]
    right = [(-6.0, 1.05 * height), (2.0, 0.6 * height), (6.0, knob_y)]
    return thorax.at_depth(np.vstack([spline(left), spline(right)]), -35)
