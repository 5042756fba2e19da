"""Calibration error and risk against coverage, against loops over hits and answers known beforehand."""

import numpy as np
import pytest

from edge_retrieve.train.evaluate.reliability import BINS, measure_reliability, risk_coverage


def naive_error(sure, right):
    """Guo et al.'s sum, bin by bin and hit by hit, every query counting the same."""
    total = 0.0
    for number in range(BINS):
        gap = 0.0
        for row, came in zip(sure, right, strict=True):
            held = [n for n, p in enumerate(row) if not np.isnan(p)]
            for n in held:
                low, high = number / BINS, (number + 1) / BINS
                if low <= row[n] < high or (number == BINS - 1 and row[n] >= high):
                    gap += (row[n] - came[n]) / len(held) / len(sure)
        total += abs(gap)
    return total


@pytest.fixture
def random():
    return np.random.default_rng(5)


def test_the_error_is_the_sum_over_bins(random):
    sure = random.random((40, 6))
    sure[3, 4:] = np.nan
    sure[5, 0], sure[6, 0] = 0.0, 1.0
    right = random.random((40, 6)) < 0.5
    found = measure_reliability(sure, right, np.arange(40), resamples=200)
    assert found.error == pytest.approx(naive_error(sure, right), abs=1e-12)
    assert found.interval.low < found.interval.high
    assert found.counts.sum() == pytest.approx(1.0)
    held = found.counts > 0
    gaps = np.abs(found.probabilities - found.right)[held] * found.counts[held]
    assert gaps.sum() == pytest.approx(found.error)
    brier = np.nanmean([np.nanmean((p - r) ** 2) for p, r in zip(sure, right.astype(float), strict=True)])
    assert found.brier == pytest.approx(brier)


def test_probabilities_that_come_true_have_a_small_error_and_others_a_large_one(random):
    sure = random.random((4000, 5))
    right = random.random((4000, 5)) < sure
    honest = measure_reliability(sure, right, np.arange(4000), resamples=100)
    assert honest.error < 0.02
    assert honest.interval.low <= honest.error * 1.5
    boastful = measure_reliability(np.sqrt(sure), right, np.arange(4000), resamples=100)
    # The mean of sqrt(u) - u over uniform u is 2/3 - 1/2.
    assert boastful.error == pytest.approx(1 / 6, abs=0.02)
    assert boastful.interval.low > honest.interval.high


def test_patients_are_resampled_not_hits(random):
    # One patient asks every query: no draw differs from another.
    sure, right = random.random((50, 4)), random.random((50, 4)) < 0.3
    alone = measure_reliability(sure, right, np.zeros(50, np.int64), resamples=50)
    assert alone.interval.low == pytest.approx(alone.error)
    assert alone.interval.high == pytest.approx(alone.error)


def test_queries_without_hits_count_for_nothing(random):
    sure, right = random.random((20, 3)), random.random((20, 3)) < 0.5
    more = np.vstack([sure, np.full((5, 3), np.nan)])
    wrong = np.vstack([right, np.zeros((5, 3), bool)])
    first = measure_reliability(sure, right, np.arange(20), resamples=1)
    second = measure_reliability(more, wrong, np.arange(25), resamples=1)
    assert first.error == pytest.approx(second.error)
    assert first.brier == pytest.approx(second.brier)


def test_risk_falls_with_coverage_where_the_sure_are_right():
    wrong = np.array([False, False, True, False, True, True])
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    shuffled = np.array([3, 0, 5, 1, 4, 2])
    curve = risk_coverage(sure[shuffled], wrong[shuffled])
    np.testing.assert_allclose(curve.coverage, np.arange(1, 7) / 6)
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 1 / 4, 2 / 5, 3 / 6])
    assert curve.at(1.0) == 0.5
    assert curve.at(0.5) == pytest.approx(1 / 3)
    assert curve.at(0.51) == pytest.approx(1 / 4)  # at least so many are answered
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5 + 1 / 2) / 6)


def test_equally_sure_queries_have_no_order():
    wrong = np.array([True, False, False, True])
    curve = risk_coverage(np.full(4, 0.5), wrong)
    np.testing.assert_allclose(curve.risk, 0.5)
    again = risk_coverage(np.full(4, 0.5), wrong[::-1])
    np.testing.assert_allclose(again.risk, curve.risk)


def test_no_query_has_no_risk():
    curve = risk_coverage(np.zeros(0), np.zeros(0, bool))
    assert np.isnan(curve.at(1.0))
    assert np.isnan(curve.area)
