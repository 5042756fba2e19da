"""From scores to probabilities, against interpolation written out by hand."""

import math

import numpy as np
import pytest

from edge_retrieve.runtime.bundle import ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.calibration import QueryKind, calibrate, check_level, sides_of
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.hits import Modality

KIND = QueryKind(Sides.IMAGE, Sides.BOTH, True)


def curve(studies, scores, probabilities, kind=KIND):
    return ScoreCurve(kind.asked, kind.searched, kind.conditioned, studies, scores, probabilities)


def calibration(*curves):
    return ScoreCalibration("isotonic", "synthetic", 0.2, 10, curves)


SMALL, LARGE = curve(100, (0.0, 1.0), (0.0, 0.5)), curve(10_000, (0.0, 0.5), (0.25, 1.0))


@pytest.mark.parametrize("curves", [(SMALL, LARGE), (LARGE, SMALL)])
@pytest.mark.parametrize(
    ("studies", "expected"),
    [
        (1, [0.0, 0.125, 0.25, 0.5, 0.5]),
        (100, [0.0, 0.125, 0.25, 0.5, 0.5]),
        (1000, [0.125, 0.375, 0.625, 0.75, 0.75]),  # the middle, by logarithm
        (10_000, [0.25, 0.625, 1.0, 1.0, 1.0]),
        (1_000_000, [0.25, 0.625, 1.0, 1.0, 1.0]),
    ],
)
def test_straight_lines_between_knots_and_sizes_level_beyond(curves, studies, expected):
    scores = np.array([-1.0, 0.25, 0.5, 1.0, 2.0], np.float32)
    found = calibrate(calibration(*curves), KIND, studies, scores)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_between_three_sizes_the_two_around_count():
    middle = curve(200, (0.0,), (0.7,))
    found = calibrate(calibration(LARGE, SMALL, middle), KIND, 150, np.zeros(1, np.float32))
    share = math.log(150 / 100) / math.log(200 / 100)
    np.testing.assert_allclose(found, [0.7 * share], rtol=1e-6)


def test_nothing_to_compare_stays_nothing():
    scores = np.array([[np.nan, 0.0], [1.0, np.nan]], np.float32)
    found = calibrate(calibration(SMALL), KIND, 50, scores)
    np.testing.assert_array_equal(found, np.array([[np.nan, 0.0], [0.5, np.nan]], np.float32))


@pytest.mark.parametrize(
    "kind",
    [
        QueryKind(Sides.TEXT, Sides.BOTH, True),
        QueryKind(Sides.IMAGE, Sides.IMAGE, True),
        QueryKind(Sides.IMAGE, Sides.BOTH, False),
    ],
)
def test_another_kind_of_query_is_not_calibrated(kind):
    scores = np.zeros(3, np.float32)
    assert calibrate(calibration(SMALL, LARGE), kind, 100, scores) is None
    assert calibrate(None, kind, 100, scores) is None
    mine = calibration(SMALL, curve(100, (0.0,), (0.9,), kind))
    np.testing.assert_allclose(calibrate(mine, kind, 100, scores), 0.9, rtol=1e-6)


def test_sides_are_named():
    assert sides_of([Modality.TEXT, Modality.IMAGE]) is Sides.BOTH
    assert sides_of({Modality.TEXT}) is Sides.TEXT
    assert sides_of((Modality.IMAGE,)) is Sides.IMAGE


@pytest.mark.parametrize("level", [-0.01, 1.01, float("nan")])
def test_a_level_is_a_probability(level):
    with pytest.raises(QueryError, match="no probability"):
        check_level(level)
    assert check_level(0.5) == 0.5
