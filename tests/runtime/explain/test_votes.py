import numpy as np
import pytest

from edge_retrieve.runtime.explain.votes import PRIOR, beyond_chance, vote_shares, vote_weights


def test_shares_are_those_of_a_count_with_one_imaginary_neighbour():
    random = np.random.default_rng(0)
    weights, stated = random.uniform(size=(4, 10)), random.random((4, 10, 5)) < 0.3
    base = random.uniform(size=5)
    shares = vote_shares(weights, stated, base)
    for case in range(4):
        for finding in range(5):
            votes = sum(weights[case, n] for n in range(10) if stated[case, n, finding])
            expected = (votes + PRIOR * base[finding]) / (weights[case].sum() + PRIOR)
            assert shares[case, finding] == pytest.approx(expected)


def test_one_sure_neighbour_outweighs_four_that_are_half_as_sure_by_little():
    sure, unsure = vote_weights([1.0, 0.5])
    assert sure == 4 * unsure
    assert vote_weights([-0.3, np.nan]).tolist() == [0.0, 0.0]


def test_what_says_no_more_than_the_archive_is_nothing_beyond_chance():
    base = np.array([0.02, 0.5, 1.0])
    assert beyond_chance(base, base)[:2] == pytest.approx([0, 0])
    assert beyond_chance(np.ones(2), base[:2]) == pytest.approx([1, 1])
    # A finding that every case has cannot be said more often than by chance.
    assert np.isfinite(beyond_chance(base, base)).all()
    # As Cohen's kappa of two raters with those agreements.
    assert beyond_chance([0.75], [0.5])[0] == pytest.approx(0.5)


def test_nobody_to_vote_leaves_the_base_rate():
    assert vote_shares(np.zeros(3), np.zeros((3, 2)), [0.1, 0.2]) == pytest.approx([0.1, 0.2])
