"""The model's parts against naive computations, and that training reads what queries read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.localizer import RegionLocalizer


@pytest.fixture(scope="module")
def model(tiny_model: ModelConfig) -> RraVl:
    torch.manual_seed(1)
    made = RraVl(tiny_model, 50).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
    return made


@torch.no_grad()
def test_training_reads_what_a_query_reads(model: RraVl) -> None:
    pixels, boxes = torch.rand(2, 1, 64, 64), torch.rand(2, 29, 4).sort(dim=-1).values[..., [0, 1, 2, 3]]
    image, sight = model.encode_image(pixels), model.see(pixels)
    reading = model.read(sight.features, boxes)
    torch.testing.assert_close(reading.global_embedding, image.global_embedding)
    torch.testing.assert_close(reading.regions, model.encode_regions(image.features, boxes))
    torch.testing.assert_close(sight.boxes, image.boxes)


@torch.no_grad()
def test_exposure_does_not_change_what_is_seen(model: RraVl) -> None:
    pixels = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(
        model.see(0.2 + 0.5 * pixels).features, model.see(pixels).features, rtol=0.02, atol=0.02
    )


@torch.no_grad()
def test_evidence_of_a_box_lies_between_its_mean_and_its_maximum(model: RraVl) -> None:
    sight = model.see(torch.rand(1, 1, 64, 64))
    seen: list[torch.Tensor] = []
    handle = model.region_head.hidden.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model.encode_regions(sight.features, torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]))
    handle.remove()
    first = 2 * model.config.feature_channels
    evidence = seen[0][0, 0, first : first + len(Finding)].numpy()
    bounded = 4.0 * np.tanh(sight.finding_logits[0].flatten(1).numpy() / 4.0)
    assert np.all(evidence <= bounded.max(axis=1) + 1e-4)
    assert np.all(evidence >= bounded.min(axis=1) - 1e-4)
    assert evidence.mean() == pytest.approx(np.log(np.exp(bounded).mean(axis=1)).mean(), abs=0.05)


@torch.no_grad()
def test_edges_are_mean_positions_under_their_own_attention() -> None:
    torch.manual_seed(0)
    localizer = RegionLocalizer(8).eval()
    features = torch.randn(2, 8, 5, 7)
    boxes, logits = localizer(features)
    hidden = localizer.hidden(features)
    maps = localizer.edges(hidden).numpy().astype(np.float64).reshape(2, 29, 4, 5, 7)
    across, down = np.linspace(-0.06, 1.06, 7), np.linspace(-0.06, 1.06, 5)
    pooled = np.zeros((2, 29, 8))
    for b in range(2):
        for r in range(29):
            weights = [np.exp(m - m.max()) / np.exp(m - m.max()).sum() for m in maps[b, r]]
            expected = [
                (weights[0].sum(axis=0) * across).sum(),
                (weights[1].sum(axis=1) * down).sum(),
                (weights[2].sum(axis=0) * across).sum(),
                (weights[3].sum(axis=1) * down).sum(),
            ]
            np.testing.assert_allclose(boxes[b, r].numpy(), np.clip(expected, 0, 1), atol=1e-5)
            pooled[b, r] = (np.mean(weights, axis=0) * hidden[b].numpy()).sum(axis=(1, 2))
    expected_logits = pooled @ localizer.score.weight[0].numpy() + localizer.score.bias.numpy()
    np.testing.assert_allclose(logits.numpy(), expected_logits + localizer.score_bias.numpy(), atol=1e-4)
