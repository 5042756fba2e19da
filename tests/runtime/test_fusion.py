import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_retrieve.runtime.bundle import Fusion, FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.fusion import (
    EQUAL,
    asked_of,
    check_weights,
    fuse_places,
    fuse_sides,
    weights_for,
)
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.query import Combine

WEIGHTS = FusionWeights(image_to_image=0.4, image_to_text=0.1, text_to_image=0.2, text_to_text=0.3)
cosines = st.floats(-1, 1, width=32)


def unit(seed):
    row = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return row / np.linalg.norm(row)


def test_the_score_in_a_place_is_the_weighted_mean_of_four_cosines():
    image, text, case_image, case_report = map(unit, range(4))
    sides = {Modality.IMAGE: case_image, Modality.TEXT: case_report}
    asked = {side: asked_of(side, WEIGHTS, image, text) for side in sides}
    parts = np.array([[vector @ sides[side]] for side, (vector, _) in asked.items()], np.float32)
    score = fuse_sides(parts, [share for _, share in asked.values()], [0.0, 0.0])[0]
    wanted = (
        0.4 * (image @ case_image)
        + 0.1 * (image @ case_report)
        + 0.2 * (text @ case_image)
        + 0.3 * (text @ case_report)
    )
    assert score == pytest.approx(wanted, abs=1e-6)


def test_of_a_query_without_text_the_others_keep_their_proportions():
    image, case_image, case_report = map(unit, range(3))
    vector, share = asked_of(Modality.IMAGE, WEIGHTS, image, None)
    assert np.allclose(vector, image)
    other, rest = asked_of(Modality.TEXT, WEIGHTS, image, None)
    score = fuse_sides(np.array([[vector @ case_image], [other @ case_report]]), [share, rest], [0, 0])[0]
    assert score == pytest.approx((4 * (image @ case_image) + (image @ case_report)) / 5, abs=1e-6)
    assert asked_of(Modality.TEXT, FusionWeights(1, 0, 0, 0), image, None) == (None, 0.0)


@given(
    st.lists(st.tuples(st.one_of(st.none(), cosines), st.one_of(st.none(), cosines)), min_size=1, max_size=6),
    st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)),
    st.tuples(cosines, cosines),
)
def test_a_side_that_a_study_lacks_counts_with_the_mean(rows, shares, expected):
    given_rows = np.array([[np.nan if x is None else x for x in row] for row in rows], np.float32).T
    found = fuse_sides(given_rows, shares, expected)
    for row, score in zip(rows, found, strict=True):
        if row == (None, None):
            assert np.isnan(score)
            continue
        parts = [e if x is None else x for x, e in zip(row, expected, strict=True)]
        total = sum(s * p for s, p in zip(shares, parts, strict=True)) / sum(shares)
        assert score == pytest.approx(total, abs=1e-5)


@given(
    st.lists(st.lists(st.one_of(st.none(), cosines), min_size=3, max_size=3), min_size=1, max_size=6),
    st.lists(cosines, min_size=3, max_size=3),
    st.lists(st.floats(0.1, 5), min_size=3, max_size=3),
)
def test_places_make_one_score_by_weight_by_the_best_or_by_the_worst(rows, expected, weights):
    rows = [row for row in rows if any(x is not None for x in row)] or [[0.5, 0.25, None]]
    table = np.array([[np.nan if x is None else x for x in row] for row in rows], np.float32)
    by_weight, best, worst = (fuse_places(table, expected, weights, how) for how in Combine)
    for n, row in enumerate(rows):
        filled = [e if x is None else x for x, e in zip(row, expected, strict=True)]
        mean = sum(w * x for w, x in zip(weights, filled, strict=True)) / sum(weights)
        assert by_weight[n] == pytest.approx(mean, abs=1e-5)
        assert best[n] == pytest.approx(max(x for x in row if x is not None), abs=1e-6)
        assert worst[n] == pytest.approx(min(filled), abs=1e-6)


def test_a_bundle_without_weights_counts_all_alike():
    assert weights_for(None, True) == weights_for(None, False) == EQUAL
    fusion = Fusion(conditioned=WEIGHTS, unconditioned=EQUAL, data="phantoms")
    assert weights_for(fusion, True) == WEIGHTS
    assert weights_for(fusion, False) == EQUAL


@pytest.mark.parametrize("four", [(0, 0, 0, 0), (1, 1, 1, -0.1), (1, 1, 1, float("nan"))])
def test_weights_that_make_no_mean_are_refused(four):
    with pytest.raises(QueryError, match="make no mean"):
        check_weights(FusionWeights(*four))
