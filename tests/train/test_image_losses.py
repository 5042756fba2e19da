"""Losses of single images against naive loops, and their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.train import image_losses

RNG = np.random.default_rng(5)


def t(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x))


def test_box_losses_on_known_boxes() -> None:
    truth = t(np.array([[0.0, 0.0, 0.5, 0.5], [0.2, 0.2, 0.4, 0.4]]))
    assert float(image_losses.box_regression(truth, truth)) == pytest.approx(0.0)
    apart = t(np.array([[0.0, 0.0, 0.5, 0.5], [0.6, 0.2, 0.8, 0.4]]))
    # Second pair: L1 0.8; no overlap, union 0.08, hull 0.6 x 0.2 = 0.12, so 1 - 0 + 0.04 / 0.12.
    expected = (0.8 + 0.4 * (1 + 0.04 / 0.12)) / 2
    assert float(image_losses.box_regression(apart, truth)) == pytest.approx(expected)
    half = image_losses.box_iou(t(np.array([[0.0, 0.0, 0.5, 1.0]])), t(np.array([[0.0, 0.0, 1.0, 1.0]])))
    assert float(half) == pytest.approx(0.5)


def focal_by_finding(logits: np.ndarray, present: np.ndarray) -> float:
    """Focal loss of axis 1's findings, each over its own present entries; absent findings only punish."""
    total, seen = 0.0, 0
    for finding in range(logits.shape[1]):
        value, count = 0.0, 0
        for z, yes in zip(logits[:, finding].ravel(), present[:, finding].ravel(), strict=True):
            p = 1 / (1 + np.exp(-z))
            value -= (1 - p) ** 2 * np.log(p) if yes else p**2 * np.log(1 - p)
            count += bool(yes)
        total += value / max(count, 1)
        seen += count > 0
    return total / max(seen, 1)


def test_region_finding_matches_the_focal_formula() -> None:
    logits, labels = RNG.standard_normal((3, 29, 4)), (RNG.random((3, 29, 4)) < 0.05).astype(float)
    labels[..., 3] = 0.0
    expected = focal_by_finding(np.moveaxis(logits, 2, 1), np.moveaxis(labels, 2, 1))
    assert float(image_losses.region_finding(t(logits), t(labels))) == pytest.approx(expected, rel=1e-9)
    assert torch.autograd.gradcheck(
        lambda z: image_losses.region_finding(z, t(labels)),
        (t(logits).requires_grad_(),),
        eps=1e-6,
        atol=1e-5,
    )


def test_a_small_finding_weighs_as_much_as_a_large_one() -> None:
    share = np.zeros((1, 2, 8, 8))
    share[0, 0, 0, 0] = share[0, 1, :, :4] = 1.0
    missed = np.full((1, 2, 8, 8), -3.0)
    small, large = missed.copy(), missed.copy()
    small[0, 0, 0, 0] = large[0, 1, :, :4] = 3.0
    found = [float(image_losses.finding_map(t(logits), t(share))) for logits in (small, large)]
    assert found[0] == pytest.approx(found[1], rel=0.1)


def test_finding_map_matches_the_focal_formula() -> None:
    logits, share = RNG.standard_normal((2, 3, 4, 4)), RNG.random((2, 3, 4, 4)) * 0.2
    expected = focal_by_finding(logits, share >= 0.1)
    assert float(image_losses.finding_map(t(logits), t(share))) == pytest.approx(expected, rel=1e-9)
    assert torch.autograd.gradcheck(
        lambda z: image_losses.finding_map(z, t(share)), (t(logits).requires_grad_(),), eps=1e-6, atol=1e-5
    )


def test_lung_map_is_cross_entropy_and_dice() -> None:
    logits, share = RNG.standard_normal((2, 2, 4, 4)), RNG.random((2, 2, 4, 4))
    chance = 1 / (1 + np.exp(-logits))
    expected = -(share * np.log(chance) + (1 - share) * np.log(1 - chance)).mean()
    for p, y in zip(chance.reshape(4, -1), share.reshape(4, -1), strict=True):
        expected += (1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)) / 4
    assert float(image_losses.lung_map(t(logits), t(share))) == pytest.approx(expected, rel=1e-9)
    # The truth is brought to the map's grid; no lung where none is asked for costs next to nothing.
    sure, truth = np.full((1, 2, 4, 4), 30.0), np.ones((1, 2, 8, 8))
    assert float(image_losses.lung_map(t(sure), t(truth))) == pytest.approx(0.0, abs=1e-9)
    assert float(image_losses.lung_map(t(-sure), t(0 * truth))) == pytest.approx(0.0, abs=1e-9)
    assert torch.autograd.gradcheck(
        lambda z: image_losses.lung_map(z, t(share)), (t(logits).requires_grad_(),), eps=1e-6, atol=1e-5
    )


def test_box_gradients_match_finite_differences() -> None:
    corners = RNG.random((4, 2, 2))
    truth = t(np.sort(RNG.random((4, 2, 2)), axis=1).reshape(4, 4))
    predicted = t(np.sort(corners, axis=1).reshape(4, 4)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: image_losses.box_regression(p, truth), (predicted,), eps=1e-7)


def test_box_regression_matches_loops_over_corners() -> None:
    first, second = (np.sort(RNG.random((6, 2, 2)), axis=1).reshape(6, 4) for _ in range(2))
    total = 0.0
    for a, b in zip(first, second, strict=True):
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
        union = sum(areas) - width * height
        hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
        total += sum(abs(a[n] - b[n]) for n in range(4))
        total += 0.4 * (1 - width * height / union + (hull - union) / hull)
    assert float(image_losses.box_regression(t(first), t(second))) == pytest.approx(total / 6, rel=1e-6)
