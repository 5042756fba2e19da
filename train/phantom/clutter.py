"""What lies on a patient without being a finding: monitoring leads and their electrodes."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.curves import ellipse, spline, stream
from edge_retrieve.train.phantom.frame import Frame, Map, blur
from edge_retrieve.train.phantom.geometry import Thorax

_SHARE = {View.AP: 0.45, View.PA: 0.06}
"""How often a study shows leads: common on portable images, rare on others."""


def render_clutter(thorax: Thorax, frame: Frame, study_seed: int, view: View) -> Map | None:
    """Return the attenuation of electrodes and leads, or None where the study has none."""
    rng = stream(study_seed, 91, view is View.AP)
    if rng.random() > _SHARE.get(view, 0.0):
        return None
    w, h = thorax.width, thorax.height
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    exit_x = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.5) * w
    places = [(-0.72, 0.10), (0.72, 0.10), (-0.78, 0.88), (0.80, 0.86), (0.1, 0.45)]
    for i in rng.permutation(len(places))[: rng.integers(2, 5)]:
        x, y = places[int(i)][0] * w + rng.normal(0, 9), places[int(i)][1] * h + rng.normal(0, 11)
        frame.stroke(canvas, [ellipse(x, y, 4.6, 4.6, n=20)], 190, 1.8, closed=True)
        frame.paint(canvas, ellipse(x, y, 2.2, 2.2, n=14), 230)
        hub = np.array([x, y])
        clip = np.stack([hub, hub + rng.normal(0, 9, 2)])
        frame.stroke(canvas, [clip], 170, 2.6)
        bend = rng.normal(0, 30, (2, 2))
        end = (exit_x + rng.normal(0, 12), 1.75 * h if rng.random() < 0.7 else -110.0)
        middle = np.array([0.5 * (x + exit_x), 0.5 * (y + end[1])])
        lead = spline([clip[1], 0.5 * (clip[1] + middle) + bend[0], middle + bend[1], end], 10)
        frame.stroke(canvas, [lead], 95, 1.3)
    return np.asarray(blur(canvas.astype(np.float32), 0.4) * np.float32(0.5 / 255))
