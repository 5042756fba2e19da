"""A patient: proportions in millimetres at the detector, drawn from the patient's seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_retrieve.train.phantom.curves import stream


@dataclass(frozen=True)
class Anatomy:
    """Proportions of one patient at full inspiration. Lengths in millimetres.

    Parameters
    ----------
    seed : int
    sex : str
        ``M`` or ``F``.
    age : int
        Years.
    habitus : float
        -1 thin, 0 average, above 1 obese.
    half_width : float
        Midline to the inner chest wall at its widest.
    height_ratio : float
        Lung height (apex to costophrenic angle) over `half_width`, at full inspiration.
    left_ratio : float
        Left half width over right.
    medial_gap : float
        Midline to the medial edge of the lungs.
    taper : float
        Shape of the chest wall: below 1 a barrel, above 1 wide only at the base.
    dome_right, dome_left : float
        Height of a dome over its costophrenic angle, as a part of the lung height.
    base_step : float
        How much lower the left base lies, as a part of the lung height.
    chest_depth, lung_depth : float
        Front to back: the body, and the lungs in it.
    wall : float
        Soft tissue beside the ribs.
    heart_width : float
        Cardiothoracic ratio on a PA image.
    heart_lean : float
        0 upright heart, 1 lying heart.
    knob : float
        Radius of the aortic knob.
    unfolding : float
        0 straight, 1 tortuous aorta (with age).
    breast : float
        Depth of the breasts, 0 for none.
    bone : float
        Bone density, 1 average.
    kyphosis : float
        How far the apices drop behind the clavicles, 0 to 1.
    spine_bow : float
        Natural sideways bow of the spine, millimetres.
    """

    seed: int
    sex: str
    age: int
    habitus: float
    half_width: float
    height_ratio: float
    left_ratio: float
    medial_gap: float
    taper: float
    dome_right: float
    dome_left: float
    base_step: float
    chest_depth: float
    lung_depth: float
    wall: float
    heart_width: float
    heart_lean: float
    knob: float
    unfolding: float
    breast: float
    bone: float
    kyphosis: float
    spine_bow: float


def draw_anatomy(seed: int) -> Anatomy:
    """Return the patient of a seed."""
    rng = stream(seed, 11)
    male = bool(rng.random() < 0.55)
    age = int(np.clip(rng.normal(56, 19), 18, 95))
    habitus = float(np.clip(rng.normal(0.1, 0.62), -1.0, 1.7))
    half_width = float(rng.normal(135, 8) if male else rng.normal(120, 8))
    old = np.clip((age - 40) / 45, 0, 1)
    depth = (205 if male else 190) + 42 * habitus + rng.normal(0, 10) + 8 * old
    dome = rng.normal(0.15, 0.05)
    breast = 0.0 if male else float(np.clip(rng.normal(26, 11) + 16 * habitus, 6, 70))
    return Anatomy(
        seed=seed,
        sex="M" if male else "F",
        age=age,
        habitus=habitus,
        half_width=half_width,
        height_ratio=float(np.clip(rng.normal(1.66, 0.13) - 0.07 * habitus, 1.3, 2.0)),
        left_ratio=float(np.clip(rng.normal(0.975, 0.055), 0.82, 1.14)),
        medial_gap=float(np.clip(rng.normal(15.0, 5.0), 4, 26)),
        taper=float(np.clip(np.exp(rng.normal(0.08, 0.2)), 0.7, 1.6)),
        dome_right=float(np.clip(dome + rng.normal(0.01, 0.03), 0.03, 0.34)),
        dome_left=float(np.clip(dome + rng.normal(-0.01, 0.03), 0.03, 0.32)),
        base_step=float(np.clip(rng.normal(0.045, 0.05), -0.09, 0.17)),
        chest_depth=float(max(depth, 150)),
        lung_depth=float(np.clip(rng.normal(150 if male else 134, 9), 112, 172)),
        wall=float(np.clip(20 + 20 * (habitus + 0.4) + rng.normal(0, 4), 11, 75)),
        heart_width=float(np.clip(rng.normal(0.445, 0.035) + 0.02 * habitus + 0.02 * old, 0.36, 0.52)),
        heart_lean=float(np.clip(rng.normal(0.4, 0.2) + 0.22 * habitus, 0, 1)),
        knob=float(np.clip(rng.normal(12.5, 1.6) + 3.5 * old, 9, 19)),
        unfolding=float(np.clip(old * rng.uniform(0.3, 1.1), 0, 1)),
        breast=breast,
        bone=float(np.clip(rng.normal(1.06, 0.13) - 0.32 * old * (1.15 if not male else 0.75), 0.55, 1.25)),
        kyphosis=float(np.clip(0.8 * old * rng.random(), 0, 1)),
        spine_bow=float(rng.normal(0, 2.5)),
    )
