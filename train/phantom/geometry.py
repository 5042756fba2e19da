"""The thorax of one study as plane outlines, in millimetres.

x grows to the image's right (the patient's left), y downwards; the origin is the midline at the height of
the lung apices. What lies in front of or behind the middle of the body is moved by the patient's
rotation and by the beam's tilt (`mediastinum.at_depth`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.train.phantom.acquisition import Pose
from edge_retrieve.train.phantom.anatomy import Anatomy
from edge_retrieve.train.phantom.curves import Points, bounds, spline
from edge_retrieve.train.phantom.mediastinum import (
    Changes,
    Room,
    airway_lines,
    aorta_outlines,
    heart_outline,
    pedicle_outline,
    trunk_outline,
)

SIDES = (Laterality.RIGHT, Laterality.LEFT)

_WALL = (
    (0.185, 0.085), (0.265, 0.024), (0.39, 0.0), (0.53, 0.018), (0.65, 0.072), (0.755, 0.16), (0.84, 0.28),
    (0.905, 0.42), (0.955, 0.58), (0.985, 0.75), (1.0, 0.89), (0.985, 1.0),
)  # fmt: skip
"""The outer edge from the apex to the costophrenic angle, in parts of width and height."""
_DOME = (
    (0.985, 0.0), (0.955, 0.32), (0.88, 0.62), (0.77, 0.86), (0.62, 0.99), (0.49, 1.0), (0.36, 0.93),
    (0.22, 0.75),
)  # fmt: skip
"""The dome from the costophrenic angle inwards, in parts of width and of its height."""


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

    def lung(self, side: Laterality) -> LungSide:
        """Return the lung of a side."""
        return self.lungs[0 if side is Laterality.RIGHT else 1]

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
    right, left = _lung(anatomy, pose, changes, -1), _lung(anatomy, pose, changes, 1)
    height = 0.5 * (right.height + left.height)
    room = Room(
        width=0.5 * (right.width + left.width),
        height=height,
        left_width=left.width,
        dome=float(left.dome[:, 1].min()),
        organs=0.35 * height + 0.98 * anatomy.half_width,
    )
    heart = heart_outline(anatomy, pose, changes, room)
    knob, descending = aorta_outlines(anatomy, pose, changes, room)
    hila = (
        (-0.30 * right.width, room.carina + 0.155 * room.organs),
        (0.29 * left.width, room.carina + 0.115 * room.organs),
    )
    return Thorax(
        anatomy=anatomy,
        pose=pose,
        changes=changes,
        lungs=(replace(right, hilum=hila[0]), replace(left, hilum=hila[1])),
        heart=heart,
        pedicle=pedicle_outline(anatomy, pose, changes, room),
        knob=knob,
        trunk=trunk_outline(pose, room),
        descending=descending,
        airways=airway_lines(anatomy, changes, room),
        carina=(4.0 + 0.39 * changes.bow, room.carina),
        spine=_spine(anatomy, changes, height),
        heart_top=bounds(heart)[1],
        heart_bottom=bounds(heart)[3],
    )


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
    edge = np.array(_WALL)
    # The apex stays where it is; the further out, the more the taper tells.
    edge[:, 0] **= 1 + (anatomy.taper - 1) * np.clip((edge[:, 0] - edge[0, 0]) / 0.5, 0, 1)
    wall = spline(edge * (width, height), 6)
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


def _spine(anatomy: Anatomy, changes: Changes, height: float) -> Points:
    y = np.linspace(-110, height + 190, 60)
    phase = (y - 0.5 * height) / (1.5 * height)
    x = anatomy.spine_bow * np.cos(np.pi * phase * 1.3) + changes.bow * np.exp(-((phase / 0.36) ** 2))
    return np.stack([x - 0.35 * changes.bow * np.exp(-(((phase - 0.62) / 0.3) ** 2)), y], axis=1)
