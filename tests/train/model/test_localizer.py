"""Lung boxes from lung maps: the extents of what was segmented."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.train.model.localizer import LUNGS, RegionLocalizer, soft_extents


def logits_of(mask: np.ndarray) -> torch.Tensor:
    """Logits that are sure of every cell: [1, 1, h, w]."""
    return torch.from_numpy(np.where(mask, 20.0, -20.0).astype(np.float32))[None, None]


ANYWHERE = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4)


def naive_extents(logits: np.ndarray) -> tuple[list[float], float]:
    """As `soft_extents` of one map [h, w], in loops on the enlarged map."""
    fine = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], scale_factor=2.0, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    share = 1 / (1 + np.exp(-4.0 * fine.astype(np.float64)))
    height, width = share.shape
    tall, wide = round(height / 12), round(width / 12)
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
    mask = np.zeros((40, 40), dtype=bool)
    mask[8:30, 10:22] = True
    mask[34, 30] = True
    extents, seen = soft_extents(logits_of(mask), ANYWHERE)
    # The logit crosses zero on the border between two cells. The lone cell, two wide in a window of seven,
    # moves an edge by two sevenths of its distance where a plain extent would go all the way.
    alone = np.array([0.0, 0.0, 9 / 40, 5 / 40]) * 2 / 7
    expected = np.array([10 / 40, 8 / 40, 22 / 40, 30 / 40]) + alone
    np.testing.assert_allclose(extents[0, 0], expected, atol=1e-2)
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
    torch.manual_seed(0)
    localizer = RegionLocalizer(8).eval()
    features = torch.randn(1, 8, 8, 8)
    # Every box, those of the zones too, reaches from a quarter to three quarters of the square.
    localizer.edges.weight.zero_()
    spread = torch.linspace(-0.06, 1.06, 8)
    low, high = (torch.softmax(-200 * (spread - at) ** 2, dim=0) for at in (0.25, 0.75))
    assert float((low * spread).sum()) == pytest.approx(0.25, abs=0.03)
    maps = torch.stack(
        [low.repeat(8, 1), low[:, None].repeat(1, 8), high.repeat(8, 1), high[:, None].repeat(1, 8)]
    )
    logits = torch.log(maps + 1e-12).repeat(29, 1, 1)
    localizer.edges.forward = lambda hidden: logits[None]  # type: ignore[method-assign]
    localizer.lungs.weight.zero_()
    localizer.lungs.bias.copy_(torch.tensor([-20.0, -20.0]))
    without = localizer(features).boxes[0]
    localizer.lungs.bias.copy_(torch.tensor([20.0, -20.0]))
    found = localizer(features).boxes[0]
    assert LUNGS == (Region.RIGHT_LUNG, Region.LEFT_LUNG)
    right = Region.RIGHT_LUNG.position
    # All is lung: its box ends a tenth of the zones' extent outside them, give or take a cell of 16.
    np.testing.assert_allclose(found[right], [0.2, 0.2, 0.8, 0.8], atol=1 / 16)
    assert float((found[right][2:] - found[right][:2]).min()) > float(without[right][2] - without[right][0])
    kept = [position for position in range(29) if position != right]
    np.testing.assert_allclose(found[kept], without[kept], atol=1e-6)


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
