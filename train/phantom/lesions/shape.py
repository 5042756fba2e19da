"""Lesions that change the geometry itself, so that boxes and everything around them follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.curves import tube
from edge_retrieve.train.phantom.frame import Mask
from edge_retrieve.train.phantom.lesions.effect import Effect, graded, rng_of
from edge_retrieve.train.phantom.mediastinum import Changes
from edge_retrieve.train.phantom.scene import Scene
from edge_retrieve.train.phantom.spec import Lesion


def changes_of(lesions: Sequence[Lesion]) -> Changes:
    """Return what a study's lesions change in the geometry. Several of one kind: the last one counts."""
    values: dict[str, float] = {}
    for lesion in lesions:
        rng = rng_of(lesion)
        jitter = rng.uniform(0.93, 1.07)
        if lesion.finding is Finding.CARDIOMEGALY:
            values["heart"] = 1 + jitter * graded(lesion, 0.24, 0.38, 0.55)
        elif lesion.finding is Finding.AORTIC_ENLARGEMENT:
            values["knob"] = 1 + jitter * graded(lesion, 0.42, 0.66, 0.95)
        elif lesion.finding is Finding.MEDIASTINAL_WIDENING:
            values["widening"] = jitter * graded(lesion, 11, 18, 27)
        elif lesion.finding is Finding.ELEVATED_HEMIDIAPHRAGM:
            side = "raise_right" if lesion.region.laterality is Laterality.RIGHT else "raise_left"
            values[side] = jitter * graded(lesion, 28, 42, 60)
        elif lesion.finding is Finding.SCOLIOSIS:
            values["bow"] = jitter * graded(lesion, 17, 27, 40) * (1 if rng.random() < 0.5 else -1)
    return Changes(**values)


def shape_effect(scene: Scene, lesion: Lesion) -> Effect:
    """Return the mask of a lesion that is already part of the geometry; its added attenuation is zero."""
    frame, thorax = scene.frame, scene.thorax
    mask: Mask
    if lesion.finding is Finding.CARDIOMEGALY:
        mask = frame.fill(thorax.heart) > 0.5
    elif lesion.finding is Finding.AORTIC_ENLARGEMENT:
        mask = frame.fill(thorax.knob) > 0.5
    elif lesion.finding is Finding.MEDIASTINAL_WIDENING:
        y = frame.millimetres()[1]
        mask = (
            (frame.fill(thorax.pedicle) > 0.5)
            & (y > 0.02 * thorax.height)
            & (y < thorax.carina[1] + 0.02 * thorax.height)
        )
    elif lesion.finding is Finding.ELEVATED_HEMIDIAPHRAGM:
        side = lesion.region.laterality
        mask = (frame.fill(scene.plain.lung(side).outline) > 0.5) & (
            frame.fill(thorax.lung(side).outline) < 0.5
        )
    else:
        line = thorax.spine
        bent = np.abs(line[:, 0]) >= 0.4 * np.abs(line[:, 0]).max()
        mask = frame.fill(tube(line[bent], 21.0)) > 0.5
    return Effect(np.zeros((frame.size, frame.size), np.float32), np.asarray(mask))
