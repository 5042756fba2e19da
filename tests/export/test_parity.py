"""Figures of a form against NumPy by hand; verdicts that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.export.overlap import Archive, overlap_figures
from edge_retrieve.export.parity import Bounds, box_iou, cosine_floor, judge, missed, require
from edge_retrieve.runtime.bundle import Precision
from edge_retrieve.runtime.errors import ExportError

BOUNDS = Bounds(0.99, 0.9)


def test_a_form_is_true_within_its_bounds_and_otherwise_says_by_how_much() -> None:
    good = judge(
        Precision.INT8, {"cosine_text": 0.995, "top10_overlap_image": 0.95, "box_error": 9.0}, BOUNDS
    )
    assert good
    assert missed(good) == ""
    assert good.bounds == {"cosine_text": 0.99, "top10_overlap_image": 0.9}
    require(good, "run")
    bad = judge(Precision.INT8, {"cosine_text": 0.98, "top10_overlap_image": 0.95}, BOUNDS)
    assert not bad
    with pytest.raises(
        ExportError, match=r"run: the int8 graphs .* cosine_text is 0\.980000, 0\.01 below 0\.99"
    ):
        require(bad, "run")


def test_what_is_no_number_keeps_no_bound() -> None:
    assert not judge(Precision.FP16, {"cosine_text": float("nan")}, BOUNDS)


def test_the_smallest_cosine_counts() -> None:
    first = np.asarray([[1.0, 0.0], [3.0, 4.0]], np.float32)
    second = np.asarray([[2.0, 0.0], [4.0, 3.0]], np.float32)
    assert cosine_floor(first, second) == pytest.approx(24 / 25)


def test_box_iou_of_shared_apart_and_empty_boxes() -> None:
    first = np.asarray([[0, 0, 2, 2], [0, 0, 1, 1], [1, 1, 1, 1]], np.float32)
    second = np.asarray([[1, 0, 3, 2], [2, 2, 3, 3], [1, 1, 1, 1]], np.float32)
    np.testing.assert_allclose(box_iou(first, second), [1 / 3, 0, 1])


def archive(seed: int, noise: float = 0.0) -> Archive:
    images = np.random.default_rng(seed).normal(size=(30, 30, 8))
    texts = np.random.default_rng(seed + 1).normal(size=(30, 8))
    images = images + noise * np.random.default_rng(99).normal(size=images.shape)
    unit = [array / np.linalg.norm(array, axis=-1, keepdims=True) for array in (images, texts)]
    return Archive(*(array.astype(np.float32) for array in unit))


def test_overlap_of_a_form_with_itself_is_whole_and_falls_with_noise() -> None:
    same = overlap_figures(archive(0), archive(0))
    assert set(same.values()) == {1.0}
    near, far = (overlap_figures(archive(0), archive(0, noise)) for noise in (0.02, 0.5))
    for name in ("top10_overlap_region", "top10_overlap_image", "top10_overlap_mixed"):
        assert 1.0 > near[name] > far[name]
    chance = 10 / 29
    assert overlap_figures(archive(0), archive(5))["top10_overlap_region"] == pytest.approx(chance, abs=0.03)


def test_overlap_is_that_of_a_naive_search() -> None:
    known, other = archive(0), archive(0, 0.3)
    shares = []
    for query in range(30):
        found = []
        for each in (known, other):
            cosines = [float(each.images[query, 29] @ each.images[n, 29]) for n in range(30)]
            order = sorted((n for n in range(30) if n != query), key=lambda n: -cosines[n])
            found.append(set(order[:10]))
        shares.append(len(found[0] & found[1]) / 10)
    assert overlap_figures(known, other)["top10_overlap_image"] == pytest.approx(np.mean(shares))
