"""How one study is taken: pose, framing, exposure and the console's processing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.curves import stream


@dataclass(frozen=True)
class Pose:
    """Where the patient stands. Drawn from the study's seed and the view.

    Parameters
    ----------
    inspiration : float
        Lung height over that at full inspiration.
    rotation : float
        About the long axis, radians; positive brings the patient's left forward.
    lordosis : float
        Tilt of the beam, radians; positive lifts what lies in front (clavicles).
    magnification : float
        Of what lies in front (heart) over the detector plane.
    arms_down : float
        0 rolled forward and out of the way, 1 along the body (scapulae over the lungs).
    roll : float
        In the image plane, radians.
    """

    inspiration: float
    rotation: float
    lordosis: float
    magnification: float
    arms_down: float
    roll: float


@dataclass(frozen=True)
class Framing:
    """What the image shows of the patient, in parts of the thorax (see `frame.make_frame`).

    Parameters
    ----------
    aspect : float
        Width over height of the exposed field; the rest of the square image is black.
    fill : float
        Width of both lungs over the longer side of the field.
    shift_x, shift_y : float
        Where the lungs lie in the spare room, -1 to 1.
    """

    aspect: float
    fill: float
    shift_x: float
    shift_y: float


@dataclass(frozen=True)
class Exposure:
    """The beam, the detector and the processing.

    Parameters
    ----------
    photons : float
        Photons a pixel behind air, in thousands.
    scatter : float
        Scattered over primary radiation behind the mediastinum.
    hardening : float
        Loss of attenuation per unit of attenuation (a polychromatic beam).
    heel : float
        Relative fall of the beam along the image's height.
    focal_blur : float
        Standard deviation, pixels of a 512-pixel image.
    equalise : float
        Part of the low frequencies that the console takes away.
    sharpen, sharpen_radius : float
        Unsharp mask: gain, and radius in pixels of a 512-pixel image.
    local_contrast : float
        Part of adaptive histogram equalisation mixed in.
    lung_grey, dense_grey : float
        Display values the console aims at for lung and for mediastinum.
    toe : float
        Curvature of the display curve (1 linear).
    marker : int
        Draws the side marker and burnt-in text.
    collimation : tuple of float
        Width of the black border left, top, right, bottom, in parts of the field.
    penetrate_air : float
        Grey of the directly exposed background.
    """

    photons: float
    scatter: float
    hardening: float
    heel: float
    focal_blur: float
    equalise: float
    sharpen: float
    sharpen_radius: float
    local_contrast: float
    lung_grey: float
    dense_grey: float
    toe: float
    marker: int
    collimation: tuple[float, float, float, float]
    penetrate_air: float


def draw_pose(seed: int, view: View) -> Pose:
    """Return the pose of a study."""
    rng, portable = stream(seed, 21, view is View.AP), view is View.AP
    return Pose(
        inspiration=float(np.clip(rng.normal(0.79 if portable else 0.91, 0.09), 0.52, 1.06)),
        rotation=float(np.clip(rng.normal(0, 0.085 if portable else 0.05), -0.22, 0.22)),
        lordosis=float(np.clip(rng.normal(0.12 if portable else 0.0, 0.07), -0.15, 0.32)),
        magnification=float(rng.uniform(1.09, 1.2) if portable else rng.uniform(1.0, 1.06)),
        arms_down=float(np.clip(rng.normal(0.8, 0.2) if portable else rng.normal(0.15, 0.2), 0, 1)),
        roll=float(np.clip(rng.normal(0, 0.06 if portable else 0.03), -0.15, 0.15)),
    )


def draw_framing(seed: int, view: View) -> Framing:
    """Return the framing of a study: mostly lungs with a margin, sometimes tight, sometimes very wide."""
    rng = stream(seed, 22)
    wide = rng.random()
    if wide < 0.14:
        fill, aspect = rng.uniform(0.52, 0.70), rng.uniform(0.85, 1.45)
    elif wide < 0.32:
        fill, aspect = rng.uniform(0.90, 1.06), rng.uniform(0.85, 1.25)
    else:
        fill, aspect = rng.uniform(0.68, 0.93), float(np.clip(rng.normal(1.1, 0.15), 0.8, 1.5))
    if rng.random() < 0.03:  # cropped to a strip, as figures are
        aspect = rng.uniform(1.5, 2.1)
    return Framing(
        aspect=float(aspect),
        fill=float(fill),
        shift_x=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        shift_y=float(np.clip(rng.normal(-0.25, 0.45), -1, 1)),
    )


def draw_exposure(seed: int, view: View) -> Exposure:
    """Return the exposure and processing of a study."""
    rng, portable = stream(seed, 23), view is View.AP
    edges = np.where(rng.random(4) < 0.12, rng.uniform(0.005, 0.03, 4), 0.0)
    return Exposure(
        photons=float(max(np.exp(rng.normal(4.4 if portable else 4.8, 0.6)), 30)),
        scatter=float(rng.uniform(0.3, 0.75) if portable else rng.uniform(0.12, 0.4)),
        hardening=float(rng.uniform(0.02, 0.04)),
        heel=float(rng.uniform(0.0, 0.2)),
        focal_blur=float(
            rng.uniform(0.35, 0.95) + (0.2 if portable else 0) + (0.6 if rng.random() < 0.12 else 0)
        ),
        equalise=float(rng.uniform(0.2, 0.95)),
        sharpen=float(rng.uniform(0.1, 1.3)),
        sharpen_radius=float(rng.uniform(1.5, 7.0)),
        local_contrast=float(rng.uniform(0.15, 0.6) if rng.random() < 0.3 else 0.0),
        lung_grey=float(rng.uniform(0.20, 0.46)),
        dense_grey=float(rng.uniform(0.58, 0.82)),
        toe=float(np.exp(rng.normal(0, 0.2))),
        marker=int(rng.integers(1 << 30)),
        collimation=(float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])),
        penetrate_air=float(rng.uniform(0, 0.06)),
    )
