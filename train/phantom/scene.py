"""One study laid out: everything a lesion may need to know of its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.acquisition import Framing, Pose
from edge_retrieve.train.phantom.anatomy import Anatomy
from edge_retrieve.train.phantom.bones import Skeleton, build_skeleton, render_bones
from edge_retrieve.train.phantom.boxes import region_boxes
from edge_retrieve.train.phantom.clutter import render_clutter
from edge_retrieve.train.phantom.frame import Frame, Map, make_frame
from edge_retrieve.train.phantom.geometry import Thorax, build_thorax
from edge_retrieve.train.phantom.mediastinum import Changes
from edge_retrieve.train.phantom.organs import MU_LUNG, MU_TISSUE, Organs, build_organs
from edge_retrieve.train.phantom.vessels import render_vessels


@dataclass(frozen=True)
class Scene:
    """One study before its lesions are added (those that change the geometry are already in it).

    Parameters
    ----------
    thorax : Thorax
    plain : Thorax
        The same without any lesion's change of the geometry.
    skeleton : Skeleton
    frame : Frame
    organs : Organs
    vessels : Map
        Attenuation of the pulmonary vessels.
    attenuation : Map
        Line integral of the attenuation coefficient behind every pixel.
    boxes : mapping of Region to Box
        Pixels.
    """

    thorax: Thorax
    plain: Thorax
    skeleton: Skeleton
    frame: Frame
    organs: Organs
    vessels: Map
    attenuation: Map
    boxes: Mapping[Region, Box]


def build_scene(
    anatomy: Anatomy, pose: Pose, framing: Framing, changes: Changes, size: int, study_seed: int, view: View
) -> Scene:
    """Return the scene of a study. The framing follows the anatomy without lesions."""
    plain = build_thorax(anatomy, pose)
    thorax = plain if changes == Changes() else build_thorax(anatomy, pose, changes)
    frame = make_frame(plain, framing, size)
    skeleton = build_skeleton(thorax)
    organs = build_organs(thorax, frame, study_seed)
    vessels = render_vessels(thorax, organs, frame)
    tissue = np.maximum(organs.body - organs.lung - organs.gas, 0)
    attenuation = np.float32(MU_TISSUE) * tissue + np.float32(MU_LUNG) * organs.lung
    attenuation += vessels
    # Thick tissue hardens the beam, and bone shows less in a harder beam.
    soften = np.clip(np.float32(1.3) - tissue * np.float32(1 / 300), 0.42, 1.0)
    inside = np.clip(organs.body * np.float32(1 / 25), 0, 1)
    attenuation += render_bones(thorax, skeleton, frame) * soften * inside
    clutter = render_clutter(thorax, frame, study_seed, view)
    if clutter is not None:
        attenuation += clutter
    boxes = region_boxes(thorax, skeleton.clavicles, frame)
    return Scene(thorax, plain, skeleton, frame, organs, vessels, attenuation, boxes)
