from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Laterality
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.acquisition import draw_exposure, draw_framing, draw_pose
from edge_retrieve.train.phantom.anatomy import draw_anatomy
from edge_retrieve.train.phantom.curves import bounds, ellipse, spline, stream, tube
from edge_retrieve.train.phantom.detector import expose
from edge_retrieve.train.phantom.frame import Frame, dome_profile, make_frame
from edge_retrieve.train.phantom.geometry import build_thorax

FRAME = Frame(256, np.array([[0.8, 0.0, 20.0], [0.0, 0.8, 30.0]]), 1.25, (0.0, 0.0, 256.0, 256.0))


def test_a_spline_passes_through_its_points() -> None:
    points = np.array([(0.0, 0.0), (3.0, 1.0), (5.0, 4.0), (9.0, 2.0)])
    curve = spline(points, 5)
    assert np.allclose(curve[::5], points)
    ring = spline(points, 5, closed=True)
    assert len(ring) == 20
    assert np.allclose(ring[::5], points)


def test_a_tube_has_its_width() -> None:
    line = np.stack([np.linspace(0, 50, 20), np.full(20, 7.0)], axis=1)
    assert bounds(tube(line, 3.0)) == pytest.approx((0.0, 4.0, 50.0, 10.0))


def test_streams_are_separate_and_repeatable() -> None:
    assert stream(3, 1).random() == stream(3, 1).random()
    assert stream(3, 1).random() != stream(3, 2).random()
    assert stream(-3, 1).random() != stream(3, 1).random()


def test_filled_area_is_the_outlines_area() -> None:
    # pi * a * b in pixels; OpenCV also draws the edge itself, which adds about half a pixel all round.
    for a, b in ((60, 35), (90, 70)):
        exact = np.pi * (a / FRAME.pitch + 0.5) * (b / FRAME.pitch + 0.5)
        assert FRAME.fill(ellipse(120, 100, a, b, 0.4, 200)).sum() == pytest.approx(exact, rel=0.015)


def test_depth_inside_is_the_distance_to_the_edge() -> None:
    depth = FRAME.depth_inside(ellipse(120, 110, 60, 60, n=200))
    assert depth.max() == pytest.approx(60, abs=2.0)
    assert depth[0, 0] == 0
    whole = FRAME.depth_inside(ellipse(120, 110, 5000, 5000))
    assert np.isfinite(whole).all()


def test_a_dome_profile_is_a_quarter_circle() -> None:
    distance = np.linspace(0, 30, 31, dtype=np.float32)
    circle = np.sqrt(np.clip(1 - (1 - np.minimum(distance / 20, 1)) ** 2, 0, 1))
    assert np.allclose(dome_profile(distance, 20.0), circle, atol=1e-6)


def test_pixels_and_millimetres_invert_each_other() -> None:
    frame = replace(FRAME, matrix=np.array([[0.8, -0.1, 20.0], [0.1, 0.8, 30.0]]))
    x, y = frame.to_pixels([(33.0, -12.0)])[0]
    assert frame.to_millimetres(float(x), float(y)) == pytest.approx((33.0, -12.0))


def test_a_bare_detector_measures_the_attenuation() -> None:
    bare = replace(
        draw_exposure(1, View.PA), photons=1e12, scatter=0.0, hardening=0.0, heel=0.0, focal_blur=0.0
    )
    attenuation = np.linspace(0, 6, FRAME.size**2, dtype=np.float32).reshape(FRAME.size, FRAME.size)
    assert np.allclose(expose(attenuation, bare, FRAME, 1), attenuation, atol=2e-3)


def test_noise_follows_the_photons() -> None:
    flat = np.full((256, 256), 2.0, np.float32)
    plain = replace(draw_exposure(1, View.PA), scatter=0.0, hardening=0.0, heel=0.0, focal_blur=0.0)
    for photons in (20.0, 80.0):
        signal = expose(flat, replace(plain, photons=photons), FRAME, 1)
        # Var(log N) = 1 / N; the noise is a mix of neighbours with weights 0.8 and 0.35.
        expected = np.hypot(0.8, 0.35) / np.sqrt(photons * 1000 * np.exp(-2.0))
        assert signal.std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("seed", range(40))
def test_the_lungs_stay_in_the_field(seed: int) -> None:
    view = View.AP if seed % 2 else View.PA
    thorax = build_thorax(draw_anatomy(seed), draw_pose(seed, view))
    frame = make_frame(thorax, draw_framing(seed, view), 512)
    x1, y1, x2, y2 = frame.field
    for side in (Laterality.RIGHT, Laterality.LEFT):
        left, top, right, bottom = bounds(frame.to_pixels(thorax.lung(side).outline))
        assert x1 - 0.04 * (right - left) <= left
        assert right <= x2 + 0.04 * (right - left)
        assert y1 <= top
        assert bottom <= y2


def test_portable_images_enlarge_the_heart_and_shallow_the_breath() -> None:
    def ratio(view: View) -> tuple[float, float]:
        hearts, breaths = [], []
        for seed in range(60):
            thorax = build_thorax(draw_anatomy(seed), draw_pose(seed, view))
            hx1, _, hx2, _ = bounds(thorax.heart)
            hearts.append((hx2 - hx1) / (2 * thorax.width))
            breaths.append(thorax.height / thorax.width)
        return float(np.mean(hearts)), float(np.mean(breaths))

    (pa_heart, pa_breath), (ap_heart, ap_breath) = ratio(View.PA), ratio(View.AP)
    assert 0.4 < pa_heart < 0.52
    assert ap_heart > pa_heart + 0.03
    assert ap_breath < pa_breath - 0.08
