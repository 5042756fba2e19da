"""Batches: which studies go together, and the tensors made of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from edge_retrieve.train.augment import augment
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.text_bank import BankEntry, TextBank
from edge_retrieve.train.tokenizer import tokenize


@dataclass(frozen=True)
class Batch:
    """One step's tensors.

    Parameters
    ----------
    pixels : Tensor of shape [B, 1, S, S]
    boxes : Tensor of shape [B, 29, 4]
    labels : Tensor of shape [B, 29, L]
    patients : Tensor of shape [B]
    token_ids, mask : Tensor of shape [B, T]
        Whole reports.
    region_token_ids, region_mask : Tensor of shape [N, T']
        What reports say of single regions.
    text_regions, text_patients : Tensor of shape [N]
        Region each of those is about, and the patient it was written of.
    text_labels : Tensor of shape [N, L]
        Findings the report states there.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor
    patients: Tensor
    token_ids: Tensor
    mask: Tensor
    region_token_ids: Tensor
    region_mask: Tensor
    text_regions: Tensor
    text_patients: Tensor
    text_labels: Tensor


def order_studies(patients: npt.NDArray[np.int64], generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return a random order that keeps each patient's studies together.

    A patient's studies differ in one finding, one place or one side: side by side in a batch they are the
    hard negatives of each other.
    """
    rank = generator.permutation(int(patients.max()) + 1)
    shuffled = generator.permutation(len(patients))
    return shuffled[np.argsort(rank[patients[shuffled]], kind="stable")]


def make_batch(
    corpus: Corpus,
    rows: npt.NDArray[np.int64],
    tokenizer: Tokenizer,
    limit: int,
    seed: tuple[int, ...] | None,
    bank: TextBank | None = None,
) -> Batch:
    """Build one batch.

    Parameters
    ----------
    corpus : Corpus
    rows : int64 array of shape [B]
    tokenizer : Tokenizer
    limit : int
        Tokens at most.
    seed : tuple of int or None
        Draws the augmentation and the bank's sentences; None leaves the images as they are.
    bank : TextBank, optional
        Adds its sentences to those of the batch's own reports.
    """
    generator = np.random.default_rng(seed if seed is not None else 0)
    images, boxes = [], []
    for row in rows:
        if seed is None:
            image, placed = corpus.pixels[row].astype(np.float32) / 255.0, corpus.boxes[row]
        else:
            image, placed = augment(corpus.pixels[row], corpus.boxes[row], generator)
        images.append(image)
        boxes.append(placed)
    ids, mask = tokenize(tokenizer, [corpus.reports[row] for row in rows], limit)
    chosen = [
        BankEntry(int(row), entry.region, entry.text)
        for row in rows
        for entry in corpus.region_texts[row]
        if entry.abnormal
    ]
    if bank is not None:
        chosen += bank.sample(generator)
    if not chosen:  # a batch of normal studies, and no bank
        chosen = [BankEntry(int(rows[0]), 0, corpus.reports[rows[0]])]
    region_ids, region_mask = tokenize(tokenizer, [entry.text for entry in chosen], limit)
    studies = np.array([entry.study for entry in chosen])
    regions = np.array([entry.region for entry in chosen])
    return Batch(
        pixels=torch.from_numpy(np.stack(images))[:, None],
        boxes=torch.from_numpy(np.stack(boxes)),
        labels=torch.from_numpy(corpus.labels[rows]),
        patients=torch.from_numpy(corpus.patients[rows]),
        token_ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        region_token_ids=torch.from_numpy(region_ids),
        region_mask=torch.from_numpy(region_mask),
        text_regions=torch.from_numpy(regions),
        text_patients=torch.from_numpy(corpus.patients[studies]),
        text_labels=torch.from_numpy(corpus.labels[studies, regions]),
    )


def iterate_epoch(
    corpus: Corpus, tokenizer: Tokenizer, bank: TextBank, *, batch: int, limit: int, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """Yield the augmented batches of one epoch; the next one is made while the current one is used.

    Equal seeds give equal batches, which is what makes a resumed run equal an uninterrupted one.
    """
    order = order_studies(corpus.patients, np.random.default_rng(seed))
    starts = range(0, len(order) - batch + 1, batch) if len(order) >= batch else range(0, 1)
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Batch] | None = None
        for step, start in enumerate(starts):
            rows = order[start : start + batch]
            following = pool.submit(make_batch, corpus, rows, tokenizer, limit, (*seed, step), bank)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
