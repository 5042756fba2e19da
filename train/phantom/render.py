"""A study's specification in, its X-ray out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.acquisition import draw_exposure, draw_framing, draw_pose
from edge_retrieve.train.phantom.anatomy import draw_anatomy
from edge_retrieve.train.phantom.detector import develop, expose, finish
from edge_retrieve.train.phantom.geometry import SIDES
from edge_retrieve.train.phantom.lesions import changes_of, place
from edge_retrieve.train.phantom.scene import Scene, build_scene
from edge_retrieve.train.phantom.spec import CaseSpec, PhantomImage


def render(spec: CaseSpec, size: int = 512) -> PhantomImage:
    """Render a study. Equal specifications give equal pixels on every machine and in any order.

    Parameters
    ----------
    spec : CaseSpec
    size : int
        Pixels a side, a multiple of 4 from 128 on.

    Returns
    -------
    PhantomImage
        A square image. The exposed field in it has the shape that the study's framing asks for; what lies
        outside is black, and boxes are clipped to the field.

    Raises
    ------
    ConfigError
        The size or the view is not usable, or a lesion is asked for where it does not occur.
    """
    if size < 128 or size % 4:
        raise ConfigError(
            f"a phantom cannot be {size} pixels wide",
            where="size",
            remedy="use a multiple of 4, at least 128",
        )
    if spec.view not in (View.PA, View.AP):
        raise ConfigError(
            f"a phantom cannot be taken {spec.view.value}", where="CaseSpec.view", remedy="use PA or AP"
        )
    anatomy = draw_anatomy(spec.patient_seed)
    pose = draw_pose(spec.study_seed, spec.view)
    framing = draw_framing(spec.study_seed, spec.view)
    exposure = draw_exposure(spec.study_seed, spec.view)
    scene = build_scene(anatomy, pose, framing, changes_of(spec.lesions), size, spec.study_seed, spec.view)
    attenuation, findings = place(scene, spec.lesions)
    signal = expose(attenuation, exposure, scene.frame, spec.study_seed)
    shown = develop(signal, anatomy, exposure, scene.frame)
    pixels, centre, width = finish(shown, exposure, scene.frame)
    return PhantomImage(
        pixels=pixels,
        window_center=centre,
        window_width=width,
        boxes=scene.boxes,
        findings=findings,
        view=spec.view,
        sex=anatomy.sex,
        age=anatomy.age,
        lungs=_lungs(scene),
    )


def _lungs(scene: Scene) -> npt.NDArray[np.bool_]:
    left, top, right, bottom = (round(edge) for edge in scene.frame.field)
    shown = np.zeros((len(SIDES), scene.frame.size, scene.frame.size), dtype=np.bool_)
    for row, side in enumerate(SIDES):
        shown[row, top:bottom, left:right] = scene.organs.sides[side][top:bottom, left:right] > 0.5
    return shown
