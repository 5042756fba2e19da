"""The bootstrap against loops over its own draws, and against what it must mean."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.train.evaluate.bootstrap import bootstrap_means, intervals

PATIENTS = np.array([4, 4, 9, 9, 9, 2, 7])
VALUES = np.random.default_rng(0).random((7, 2))


def test_each_resample_is_the_mean_over_all_queries_of_the_drawn_patients() -> None:
    names = np.unique(PATIENTS)
    drawn = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=120)
    found = bootstrap_means(VALUES, PATIENTS, resamples=120, seed=3)
    for counts, means in zip(drawn, found, strict=True):
        rows = [
            row
            for name, times in zip(names, counts, strict=True)
            for _ in range(times)
            for row in VALUES[name == PATIENTS]
        ]
        np.testing.assert_allclose(means, np.mean(rows, axis=0))


def test_a_query_that_does_not_apply_is_left_out() -> None:
    values = VALUES.copy()
    values[1] = np.nan
    # Without the query, but with its patient's other one: the same draws.
    expected = bootstrap_means(np.delete(values, 1, axis=0), np.delete(PATIENTS, 1), seed=5)
    np.testing.assert_allclose(bootstrap_means(values, PATIENTS, seed=5), expected)


def test_systems_are_compared_on_the_same_draws() -> None:
    first, second = VALUES[:, :1], VALUES[:, 1:]
    paired = bootstrap_means(first - second, PATIENTS)
    np.testing.assert_allclose(paired, bootstrap_means(first, PATIENTS) - bootstrap_means(second, PATIENTS))


def test_a_constant_gap_has_an_interval_of_no_width() -> None:
    generator = np.random.default_rng(1)
    base = generator.random((200, 1))
    (found,) = intervals(bootstrap_means((base + 0.1) - base, np.arange(200) // 2))
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_the_interval_of_a_mean_is_about_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(2).normal(3.0, 2.0, (500, 1))
    (found,) = intervals(bootstrap_means(values, np.arange(500)))
    error = 1.96 * values.std() / np.sqrt(500)
    assert found.low == pytest.approx(values.mean() - error, abs=0.03)
    assert found.high == pytest.approx(values.mean() + error, abs=0.03)


def test_queries_of_one_patient_count_as_one() -> None:
    values = np.repeat(np.random.default_rng(4).normal(size=(40, 1)), 10, axis=0)
    (clustered,) = intervals(bootstrap_means(values, np.repeat(np.arange(40), 10)))
    (naive,) = intervals(bootstrap_means(values, np.arange(400)))
    assert clustered.high - clustered.low > 2.5 * (naive.high - naive.low)


def test_nothing_measured_has_no_interval() -> None:
    (found,) = intervals(bootstrap_means(np.zeros((0, 1)), np.zeros(0, dtype=np.int64)))
    assert np.isnan([found.low, found.high]).all()
