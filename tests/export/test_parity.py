"""Figures of a form against NumPy by hand; verdicts that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.export.models import ImageArrays, TextArrays
from edge_retrieve.export.overlap import Archive, overlap_figures
from edge_retrieve.export.parity import (
    Bounds,
    box_iou,
    compare,
    cosine_floor,
    judge,
    make_reference,
    missed,
    require,
    share_of_bounds,
)
from edge_retrieve.export.probes import Probes
from edge_retrieve.runtime.bundle import Precision
from edge_retrieve.runtime.errors import ExportError

BOUNDS = Bounds(0.99, 0.9, 0.8)


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


class _Model:
    """A model whose images are given, and the rest of which is always the same."""

    def __init__(self, boxes: np.ndarray) -> None:
        self._boxes = boxes

    def encode_image(self, pixels: np.ndarray) -> ImageArrays:
        chosen = pixels[:, 0, 0, 0].astype(int)
        ones = np.ones((len(pixels), 4), np.float32)
        return ImageArrays(ones[..., None, None], ones, self._boxes[chosen], np.ones((len(pixels), 3)))

    def encode_regions(self, features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return np.ones((*boxes.shape[:2], 4), np.float32)

    def encode_text(self, token_ids: np.ndarray, mask: np.ndarray) -> TextArrays:
        return TextArrays(np.ones((*mask.shape, 4), np.float32), np.ones((len(mask), 4), np.float32))


def box_figures(found: np.ndarray, wanted: np.ndarray, showing: int) -> dict[str, float]:
    count = len(wanted)
    pixels = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None, None], (count, 1, 2, 2))
    tokens = np.ones((1, 2), np.int64)
    probes = Probes(pixels, np.zeros((1, 4), np.float32), tokens, tokens, showing)
    return compare(make_reference(_Model(wanted), probes), _Model(found))


def test_boxes_count_in_images_that_show_something_and_where_they_have_an_extent() -> None:
    wanted = np.asarray([[[0.1, 0.1, 0.5, 0.5], [0.2, 0.6, 0.4, 0.59]]] * 3, np.float32)
    found = wanted.copy()
    found[0, 0] = [0.1, 0.1, 0.5, 0.46]
    found[1, 1] = [0.2, 0.6, 0.4, 0.7]  # crossed edges in the reference: no overlap to speak of
    found[2, 0] = [0.5, 0.5, 0.9, 0.9]  # a black image
    figures = box_figures(found, wanted, showing=2)
    assert figures["box_iou_min"] == pytest.approx(0.9)
    assert figures["box_iou_mean"] == pytest.approx((0.9 + 1.0) / 2)
    assert figures["box_error"] == pytest.approx(0.4)
    assert box_figures(found, wanted, showing=3)["box_iou_min"] == 0.0
    none = box_figures(found[:, 1:], wanted[:, 1:], showing=3)
    assert (none["box_iou_min"], none["box_iou_mean"]) == (1.0, 1.0)


def test_boxes_that_moved_too_far_fail_a_form() -> None:
    parity = judge(Precision.INT8, {"cosine_text": 1.0, "box_iou_min": 0.79, "box_iou_mean": 0.1}, BOUNDS)
    assert not parity
    assert parity.bounds == {"cosine_text": 0.99, "box_iou_min": 0.8}
    assert missed(parity) == "box_iou_min is 0.790000, 0.01 below 0.8"


def test_the_share_of_the_bounds_is_that_of_the_worst_figure() -> None:
    figures = {"cosine_text": 0.995, "box_iou_min": 0.95}
    assert share_of_bounds(judge(Precision.INT8, figures, BOUNDS)) == pytest.approx(0.5)
    figures["box_iou_min"] = 0.7
    assert share_of_bounds(judge(Precision.INT8, figures, BOUNDS)) == pytest.approx(1.5)
    figures["cosine_text"] = float("nan")
    assert share_of_bounds(judge(Precision.INT8, figures, BOUNDS)) == float("inf")


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
