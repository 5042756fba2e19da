"""Grounding figures against hand computation."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.train.evaluate.grounding import contrast_to_noise, mean_iou, points_inside, summarize

MAP = np.array([[0.9, 0.35], [0.25, 0.05]], dtype=np.float32)
MASK = np.array([[True, True], [False, False]])


def test_contrast_to_noise() -> None:
    inside, outside = np.array([0.9, 0.35]), np.array([0.25, 0.05])
    expected = (inside.mean() - outside.mean()) / np.sqrt(inside.std() ** 2 + outside.std() ** 2)
    assert contrast_to_noise(MAP, MASK) == pytest.approx(expected, rel=1e-6)
    assert contrast_to_noise(MAP, ~MASK) == pytest.approx(-expected, rel=1e-6)


def test_mean_iou_over_the_thresholds() -> None:
    # Above 0.1 and 0.2: three cells found, two right; above 0.3: both; above 0.4 and 0.5: one of two.
    assert mean_iou(MAP, MASK) == pytest.approx((2 / 3 + 2 / 3 + 1 + 1 / 2 + 1 / 2) / 5)


def test_pointing() -> None:
    assert points_inside(MAP, MASK)
    assert not points_inside(MAP, ~MASK)


def test_summary_averages_and_takes_the_absolute_contrast() -> None:
    figures = summarize([(MAP, MASK), (MAP, ~MASK)])
    assert figures.phrases == 2
    assert figures.cnr == pytest.approx(abs(contrast_to_noise(MAP, MASK)))
    assert figures.pointing == 0.5
