import numpy as np

from edge_retrieve.runtime.index.cells import Reach
from edge_retrieve.runtime.index.codes import encode_rows
from edge_retrieve.runtime.index.probes import (
    LEAST_REACH,
    LEAST_WIDTH,
    code_width,
    draw_probes,
    reach_width,
)


def test_probes_do_not_find_themselves():
    sample = np.random.default_rng(1).normal(size=(500, 24)).astype(np.float32)
    probes = draw_probes(sample)
    near, scores = probes.near(10)
    assert near.shape == scores.shape == (len(probes.queries), 10)
    assert np.isfinite(scores).all()
    for query, rows, found in zip(probes.queries, near, scores, strict=True):
        exact = sample @ query
        exact[(sample == query).all(axis=1)] = -np.inf
        np.testing.assert_allclose(np.sort(found), np.sort(exact)[-10:], rtol=1e-5)
        assert not (sample[rows] == query).all(axis=1).any()


def test_codes_that_underrate_near_rows_need_more_width():
    sample = np.random.default_rng(2).normal(size=(2000, 16)).astype(np.float32)
    probes = draw_probes(sample)
    noise = np.random.default_rng(3).normal(size=sample.shape).astype(np.float32)
    residual, left = np.full(16, 0.01, np.float32), np.ones(2000, np.float32)
    honest = code_width(probes, sample + 0.1 * noise, left, residual)
    worse = code_width(probes, sample + 0.4 * noise, left, residual)
    assert LEAST_WIDTH <= honest < 4
    assert 2.5 * honest < worse


def test_rows_around_centres_of_their_own_do_not_need_more_than_the_least():
    random = np.random.default_rng(4)
    centres = random.normal(size=(30, 32))
    rows = centres[random.integers(0, 30, 6000)] + 0.2 * random.normal(size=(6000, 32))
    assert encode_rows(rows.astype(np.float32))[1].reach.width == LEAST_REACH


def test_rows_that_scatter_farther_than_cells_say_are_given_more_reach():
    sample = np.random.default_rng(5).normal(size=(2000, 16)).astype(np.float32)
    probes, own = draw_probes(sample), np.zeros(2000, np.int32)
    centre, share = np.zeros((1, 16), np.float32), np.ones(1, np.float32)
    honest = reach_width(probes, own, Reach(centre, np.ones(16, np.float32), share, 0.0))
    wrong = reach_width(probes, own, Reach(centre, np.full(16, 0.1, np.float32), share, 0.0))
    assert LEAST_REACH <= honest < 1.2 * LEAST_REACH
    assert wrong > 2 * LEAST_REACH
