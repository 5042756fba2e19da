"""Which parameters Muon moves, how far, and that a saved optimiser goes on as if never stopped."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edge_retrieve.train.config import ModelConfig, OptimiserKind
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.optimiser import Muon, Optimisers, build_optimiser, orthogonalise


def moved(model: RraVl, optimiser: Optimisers) -> dict[str, float]:
    """Return how far, at root mean square, one step at learning rate 1 moves each parameter."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for group in optimiser.param_groups:
        group["lr"], group["weight_decay"] = 1.0, 0.0
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()
    after = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return {name: float((after[name] - old).square().mean().sqrt()) for name, old in before.items()}


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_orthogonalised_matrices_keep_their_directions(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(3).standard_normal(shape)
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    result = orthogonalise(torch.from_numpy(matrix)).double().numpy()
    # Singular values near 1, and the matrix nearest to U V^t in angle.
    assert np.all(np.abs(np.linalg.svd(result, compute_uv=False) - 1.0) < 0.4)
    target = left @ right
    cosine = (result * target).sum() / np.linalg.norm(result) / np.linalg.norm(target)
    assert cosine > 0.97


def test_the_size_of_a_gradient_does_not_matter() -> None:
    steps = []
    for factor in (1.0, 1024.0):
        weight = nn.Parameter(torch.zeros(8, 24))
        weight.grad = factor * torch.randn(8, 24, generator=torch.Generator().manual_seed(0))
        Muon([weight], lr=0.01, weight_decay=0.0).step()
        steps.append(weight.detach())
    assert float((steps[0] - steps[1]).norm() / steps[0].norm()) < 0.01
    # As large as a step of AdamW tends to be, whatever the shape.
    assert float(steps[0].square().mean().sqrt()) == pytest.approx(0.01 * 0.2, rel=0.2)


def test_muon_has_the_hidden_matrices_and_adamw_the_rest(tiny_model: ModelConfig) -> None:
    torch.manual_seed(0)
    model = RraVl(tiny_model, 50)
    parts = build_optimiser(model, OptimiserKind.MUON, 0.0)
    far = moved(model, parts)
    assert all(distance > 0 for distance in far.values())
    hidden = {name for name, distance in far.items() if distance < 0.5}  # AdamW's first step is 1 everywhere
    assert "image_tower.stem.1.weight" in hidden
    assert "region_head.hidden.weight" in hidden
    read_outs = {"finding_head.weight", "region_findings.weight", "localizer.edges.weight", "logit_scale"}
    assert not hidden & read_outs
    assert not any("embeddings" in name or name.endswith("bias") for name in hidden)
    adamw = moved(model, build_optimiser(model, OptimiserKind.ADAMW, 0.0))
    assert min(adamw.values()) > 0.9


def test_what_is_frozen_stays(tiny_model: ModelConfig) -> None:
    model = RraVl(tiny_model, 50)
    for parameter in model.text_tower.parameters():
        parameter.requires_grad_(False)
    far = moved(model, build_optimiser(model, OptimiserKind.MUON, 0.0))
    assert {name for name, distance in far.items() if distance == 0} == {
        f"text_tower.{name}" for name, _ in model.text_tower.named_parameters()
    }


def test_a_restored_optimiser_takes_the_same_steps(tiny_model: ModelConfig) -> None:
    torch.manual_seed(0)
    model = RraVl(tiny_model, 50)
    optimiser = build_optimiser(model, OptimiserKind.MUON, 0.01)

    def step(target: RraVl, with_: Optimisers, number: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(number)
        for group in with_.param_groups:
            group["lr"] = 0.01
        for parameter in target.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        with_.step()
        return [parameter.detach().clone() for parameter in target.parameters()]

    step(model, optimiser, 1)
    twin = copy.deepcopy(model)
    resumed = build_optimiser(twin, OptimiserKind.MUON, 0.01)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for mine, theirs in zip(step(model, optimiser, 2), step(twin, resumed, 2), strict=True):
        assert torch.equal(mine, theirs)
    optimiser.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())
