"""When a step happens and how large it is: learning rate, order of batches, averaging of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from edge_retrieve.train.batches import Batch, make_batch, order_studies
from edge_retrieve.train.config import LossWeights, StageConfig, TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.distributed import ALONE, Processes
from edge_retrieve.train.objective import needs
from edge_retrieve.train.text_bank import TextBank


def learning_rate(stage: StageConfig, step: int, steps: int, warmup: int) -> float:
    """Return the rate of a step: linear warm-up, then a cosine down to 2 % of the peak.

    Parameters
    ----------
    stage : StageConfig
    step, steps : int
        Batches of the stage done, and in all.
    warmup : int
        Batches of warm-up.
    """
    if step < warmup:
        return stage.learning_rate * (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return stage.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))


def steps_per_epoch(studies: int, batch: int) -> int:
    """Return how many batches an epoch has; a rest too small for one is left for another epoch."""
    return max(1, studies // batch)


@dataclass(frozen=True)
class EpochPlace:
    """Where a process stands in an epoch.

    Parameters
    ----------
    epoch : int
    first : int
        Batches of the epoch that are done already.
    processes : Processes
        The joint batch is cut into as many parts of consecutive studies.
    """

    epoch: int
    first: int = 0
    processes: Processes = ALONE


def iterate_steps(
    corpus: Corpus,
    tokenizer: Tokenizer,
    bank: TextBank,
    config: TrainConfig,
    place: EpochPlace,
    weights: LossWeights,
) -> Iterator[Batch]:
    """Yield this process's part of each batch of an epoch; the next is made while the current one is used.

    Every batch depends on the seed, the epoch and its place in it alone, which is what lets a run go on in
    the middle of an epoch as if it had never stopped.

    Parameters
    ----------
    corpus : Corpus
    tokenizer : Tokenizer
    bank : TextBank
    config : TrainConfig
    place : EpochPlace
    weights : LossWeights
        Of the stage: what they leave out is not prepared.
    """
    epoch, processes = place.epoch, place.processes
    wanted = needs(config.objective, weights)
    order = order_studies(corpus.patients, np.random.default_rng((config.seed, epoch)))
    size = config.batch // processes.world
    limit = config.model.max_text_tokens
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Batch] | None = None
        for step in range(place.first, steps_per_epoch(len(order), config.batch)):
            start = step * config.batch + processes.rank * size
            seed = (config.seed, epoch, step, *([processes.rank] if processes.rank else []))
            rows = order[start : start + size]
            following = pool.submit(
                make_batch,
                *(corpus, rows, tokenizer, limit, seed, bank),
                images=wanted.image,
                lungs=wanted.lungs,
            )
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def step_generator(config: TrainConfig, epoch: int, step: int, rank: int) -> torch.Generator:
    """Return the random numbers that a step draws besides its batch."""
    seeds = np.random.SeedSequence([config.seed, epoch, step, rank, 0x57E9]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(seeds[0] >> np.uint64(1)))


@torch.no_grad()
def average_weights(averaged: nn.Module, current: nn.Module, step: int, decay: float) -> None:
    """Move averaged weights a little towards the current ones, faster while training is young.

    Parameters
    ----------
    averaged, current : torch.nn.Module
    step : int
        Moves done before, of the whole run.
    decay : float
        Share of the average that a move keeps, later on.
    """
    decay = min(decay, (1.0 + step) / (10.0 + step))
    kept: list[Tensor] = list(averaged.parameters())
    torch._foreach_lerp_(kept, list(current.parameters()), 1.0 - decay)
    # Batch statistics are averages already, of batches seen through moving weights: they follow likewise.
    for old, new in zip(averaged.buffers(), current.buffers(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1.0 - decay)
        else:
            old.copy_(new)
