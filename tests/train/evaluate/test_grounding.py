"""Grounding figures against hand computation."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.train.evaluate.grounding import (
    GROUNDING_METRICS,
    Versus,
    bounding_box,
    collect,
    contrast_to_noise,
    ious,
    phrase_figures,
    points_inside,
)
from edge_retrieve.train.evaluate.grounding_report import grounding_json

MAP = np.array([[0.9, 0.35], [0.25, 0.05]], dtype=np.float32)
MASK = np.array([[True, True], [False, False]])


def test_contrast_to_noise() -> None:
    inside, outside = np.array([0.9, 0.35]), np.array([0.25, 0.05])
    expected = (inside.mean() - outside.mean()) / np.sqrt(inside.std() ** 2 + outside.std() ** 2)
    assert contrast_to_noise(MAP, MASK) == pytest.approx(expected, rel=1e-6)
    assert contrast_to_noise(MAP, ~MASK) == pytest.approx(-expected, rel=1e-6)


def test_iou_at_each_threshold() -> None:
    # Above 0.1 and 0.2: three cells found, two right; above 0.3: both; above 0.4 and 0.5: one of two.
    assert ious(MAP, MASK) == pytest.approx([2 / 3, 2 / 3, 1, 1 / 2, 1 / 2])


def test_pointing() -> None:
    assert points_inside(MAP, MASK)
    assert not points_inside(MAP, ~MASK)


def test_the_box_around_a_mask() -> None:
    mask = np.zeros((5, 6), dtype=bool)
    mask[1, 4] = mask[3, 2] = True
    expected = np.zeros_like(mask)
    expected[1:4, 2:5] = True
    np.testing.assert_array_equal(bounding_box(mask), expected)


def test_the_report_averages_phrases_then_archives() -> None:
    right, wrong = phrase_figures(MAP, MASK), phrase_figures(MAP, ~MASK)
    first = collect([0, 1], [0, 1], [[right] * len(Versus), [wrong] * len(Versus)])
    second = collect([7], [0], [[right] * len(Versus)])
    report = grounding_json([first, second], resamples=50)
    contrast = contrast_to_noise(MAP, MASK)
    assert report["phrases"] == 3
    assert report["cnr"] == pytest.approx(contrast)
    assert report["cnr_signed"] == pytest.approx((0 + contrast) / 2)
    assert report["pointing"] == pytest.approx((0.5 + 1) / 2)
    assert report["iou_at"]["0.3"] == pytest.approx(((1 + 0) / 2 + 1) / 2)
    assert report["miou"] == pytest.approx(np.mean(list(report["iou_at"].values())))
    low, high = report["intervals"]["pointing"]
    assert (low, high) == (0.5, 1.0)  # both of the first archive wrong, or both right
    assert set(report["intervals"]) == set(GROUNDING_METRICS)
    assert report["bounding_box"]["pointing"] == report["region_box_only"]["pointing"] == report["pointing"]
