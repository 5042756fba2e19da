"""Encoding in chunks: the gradient of the plain step, the same random numbers, statistics counted once."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from edge_retrieve.train.batches import Batch, make_batch
from edge_retrieve.train.config import LossWeights, Objective, TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.gradcache import Side, backward
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.step import StepPlan, work_through
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.tokenizer import train_tokenizer

EVERYTHING = LossWeights(1.0, 0.5, 1.0, 1.0, 0.5, 5.0, 0.5, 1.0, 1.0)


@pytest.fixture
def batch(corpus: Corpus) -> Batch:
    tokenizer = train_tokenizer(corpus.reports, 200)
    return make_batch(corpus, np.arange(10), tokenizer, 48, (3, 1), TextBank(corpus), lungs=True)


@pytest.fixture
def model(config: TrainConfig) -> RraVl:
    torch.manual_seed(0)
    made = RraVl(config.model, 200)
    with torch.no_grad():  # some weights start at zero, behind which no gradient would show
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def gradients(model: RraVl, batch: Batch, plan: StepPlan) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    predicted = torch.arange(len(batch.pixels)) % 2 == 0
    model.zero_grad()
    parts = work_through(model, batch, plan, predicted, torch.Generator().manual_seed(4))
    named = model.named_parameters()
    return parts, {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("objective", list(Objective))
def test_chunks_give_the_gradient_of_the_whole_batch(
    model: RraVl, batch: Batch, objective: Objective
) -> None:
    model.eval()  # frozen statistics
    whole, expected = gradients(model, batch, StepPlan(objective, EVERYTHING))
    parts, found = gradients(model, batch, StepPlan(objective, EVERYTHING, chunk=3))
    assert parts == pytest.approx(whole, rel=1e-5)
    assert set(found) == set(expected)
    assert sum(float(grad.abs().sum()) > 0 for grad in expected.values()) > 10
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-5)


def test_running_statistics_move_once_a_chunk(model: RraVl, batch: Batch) -> None:
    model.train()
    once = copy.deepcopy(model)
    with torch.no_grad():
        for start in range(0, 10, 4):
            once.see(batch.pixels[start : start + 4])
            once.lungs(batch.lung_pixels[start : start + 4])
    gradients(model, batch, StepPlan(Objective.RRA_VL, EVERYTHING, chunk=4))
    for found, expected in zip(model.buffers(), once.buffers(), strict=True):
        torch.testing.assert_close(found, expected)


def test_both_passes_draw_the_same_dropout() -> None:
    torch.manual_seed(1)
    layer, inputs, seen = torch.nn.Linear(4, 3), torch.randn(6, 4), []

    def encode(rows: slice) -> tuple[torch.Tensor]:
        seen.append(torch.nn.functional.dropout(layer(inputs[rows]), 0.5))
        return (seen[-1],)

    backward(layer, [Side(6, encode)], lambda outputs: {"sum": outputs[0][0].square().sum()}, chunk=2)
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    torch.testing.assert_close(second, first)
    layer.zero_grad(set_to_none=True)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    assert not torch.equal(after, torch.get_rng_state())


def test_accumulated_batches_add_their_shares(model: RraVl, batch: Batch) -> None:
    model.eval()
    plan = StepPlan(Objective.RRA_VL, EVERYTHING)
    other = replace(batch, pixels=batch.pixels.flip(0))
    _, first = gradients(model, batch, plan)
    _, second = gradients(model, other, plan)
    model.zero_grad()
    predicted = torch.arange(len(batch.pixels)) % 2 == 0
    for each in (batch, other):
        work_through(model, each, replace(plan, share=0.5), predicted, torch.Generator())
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(
                parameter.grad, 0.5 * (first[name] + second[name]), rtol=1e-4, atol=1e-6
            )
