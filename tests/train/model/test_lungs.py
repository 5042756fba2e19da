"""Lung maps, and the boxes that are their extents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.train.model.lungs import LUNGS, LungFinder, expected_overlap, soft_extents, with_lungs


def logits_of(mask: np.ndarray) -> torch.Tensor:
    """Logits that are sure of every cell: [1, 1, h, w]."""
    return torch.from_numpy(np.where(mask, 20.0, -20.0).astype(np.float32))[None, None]


ANYWHERE = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4)


def naive_extents(logits: np.ndarray) -> tuple[list[float], float]:
    """As `soft_extents` of one map [h, w], in loops."""
    share = 1 / (1 + np.exp(-4.0 * logits.astype(np.float64)))
    height, width = share.shape
    tall, wide = max(1, round(height / 40)), max(1, round(width / 40))
    columns = [max(share[y : y + tall, x].mean() for y in range(height - tall + 1)) for x in range(width)]
    rows = [max(share[y, x : x + wide].mean() for x in range(width - wide + 1)) for y in range(height)]

    def reach(profile: list[float]) -> tuple[float, float]:
        top = max(profile)
        last = np.mean([max(profile[i:]) / top for i in range(len(profile))])
        first = 1 - np.mean([max(profile[: i + 1]) / top for i in range(len(profile))])
        return float(first), float(last)

    (x1, x2), (y1, y2) = reach(columns), reach(rows)
    return [x1, y1, x2, y2], max(columns)


def test_the_extents_of_a_mask_are_its_edges() -> None:
    mask = np.zeros((80, 80), dtype=bool)
    mask[16:60, 20:44] = True
    mask[68, 60] = True
    extents, seen = soft_extents(logits_of(mask), ANYWHERE)
    # The lone cell, in a window of two, moves an edge half the way that a plain extent would go.
    alone = np.array([0.0, 0.0, 17 / 80, 9 / 80]) / 2
    expected = np.array([20 / 80, 16 / 80, 44 / 80, 60 / 80]) + alone
    np.testing.assert_allclose(extents[0, 0], expected, atol=1e-3)
    assert float(seen) == pytest.approx(1.0, abs=1e-3)


def test_a_gap_within_a_lung_moves_no_edge() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[5:30, 8:20] = True
    whole, _ = soft_extents(logits_of(mask), ANYWHERE)
    mask[12:20, :] = False
    np.testing.assert_allclose(soft_extents(logits_of(mask), ANYWHERE)[0], whole, atol=1e-4)


def test_soft_maps_match_a_naive_loop() -> None:
    logits = np.random.default_rng(0).normal(0, 0.6, (2, 2, 12, 18)).astype(np.float32)
    extents, seen = soft_extents(torch.from_numpy(logits), ANYWHERE.expand(2, 2, 4))
    for b in range(2):
        for k in range(2):
            expected, peak = naive_extents(logits[b, k])
            np.testing.assert_allclose(extents[b, k].numpy(), expected, atol=1e-5)
            assert float(seen[b, k]) == pytest.approx(peak, abs=1e-5)


@torch.no_grad()
def test_a_lung_box_follows_its_map_near_its_zones_and_the_other_boxes_do_not() -> None:
    boxes = torch.tensor([0.25, 0.25, 0.75, 0.75]).expand(1, 29, 4)
    logits = torch.zeros(1, 29)
    maps = torch.full((1, 2, 80, 80), -20.0)
    found, scores = with_lungs(boxes, logits, maps)
    # Where no lung is seen, the localizer's box stands in, and its score says that nothing is known.
    np.testing.assert_allclose(found, boxes, atol=1e-6)
    right, left = (lung.position for lung in LUNGS)
    assert (LUNGS[0], LUNGS[1]) == (Region.RIGHT_LUNG, Region.LEFT_LUNG)
    assert float(torch.sigmoid(scores[0, right])) < 0.01
    maps[0, 0] = 20.0
    found, scores = with_lungs(boxes, logits, maps)
    # All is lung: its box ends a tenth of the zones' extent outside them.
    np.testing.assert_allclose(found[0, right], [0.2, 0.2, 0.8, 0.8], atol=1 / 80)
    assert float(torch.sigmoid(scores[0, right])) > 0.99
    kept = [position for position in range(29) if position != right]
    np.testing.assert_allclose(found[0, kept], boxes[0, kept], atol=1e-6)
    others = [position for position in range(29) if position not in (right, left)]
    assert float(scores[0, others].abs().max()) == 0.0


def test_the_overlap_expected_is_that_of_a_naive_loop() -> None:
    logits = np.random.default_rng(4).normal(0, 2, (2, 2, 9, 7))
    found = expected_overlap(torch.from_numpy(logits)).numpy()
    chance = 1 / (1 + np.exp(-logits))
    for b in range(2):
        for k in range(2):
            cells = chance[b, k].ravel()
            both = sum(p for p in cells if p > 0.5)
            either = sum(1.0 if p > 0.5 else p for p in cells)
            assert found[b, k] == pytest.approx(both / either, rel=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("side", [32, 64, 224, 266, 320])
def test_a_map_has_a_cell_for_every_four_pixels_of_the_nearest_side_that_fits(side: int) -> None:
    finder = LungFinder((4, 5, 6, 7)).eval()
    cells = round(side / 32) * 8
    assert finder(torch.rand(2, 1, side, side)).shape == (2, 2, cells, cells)


@torch.no_grad()
def test_a_finder_says_the_same_of_an_image_alone_and_among_others() -> None:
    torch.manual_seed(1)
    finder = LungFinder((4, 5, 6, 7)).eval()
    pixels = torch.rand(3, 1, 64, 64)
    np.testing.assert_allclose(finder(pixels)[1:2], finder(pixels[1:2]), atol=1e-5)


def test_what_lies_outside_counts_as_empty() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[8:30, 10:20] = mask[2:38, 30:38] = True
    within = torch.tensor([0.2, 0.1, 0.7, 0.9]).expand(1, 1, 4)
    extents, _ = soft_extents(logits_of(mask), within)
    np.testing.assert_allclose(extents[0, 0], [10 / 40, 8 / 40, 20 / 40, 30 / 40], atol=2e-3)


def test_extents_teach_the_map() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 1, 5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: torch.cat([t.flatten() for t in soft_extents(z, ANYWHERE)]), (logits,)
    )
