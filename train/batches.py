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
from edge_retrieve.train.tokenizer import tokenize

NORMAL_TEXTS_PER_STUDY = 2


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
    text_rows, text_regions : Tensor of shape [N]
        Study (row of the batch) and region of each of those.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor
    patients: Tensor
    token_ids: Tensor
    mask: Tensor
    region_token_ids: Tensor
    region_mask: Tensor
    text_rows: Tensor
    text_regions: Tensor


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
        Draws the augmentation; None leaves the images as they are.
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
    chosen: list[tuple[int, int, str]] = []
    for position, row in enumerate(rows):
        texts = corpus.region_texts[row]
        chosen += [(position, entry.region, entry.text) for entry in texts if entry.abnormal]
        normal = [entry for entry in texts if not entry.abnormal]
        for pick in generator.permutation(len(normal))[:NORMAL_TEXTS_PER_STUDY]:
            chosen.append((position, normal[pick].region, normal[pick].text))
    if not chosen:
        chosen = [(0, 0, corpus.reports[rows[0]])]
    region_ids, region_mask = tokenize(tokenizer, [text for _, _, text in chosen], limit)
    return Batch(
        pixels=torch.from_numpy(np.stack(images))[:, None],
        boxes=torch.from_numpy(np.stack(boxes)),
        labels=torch.from_numpy(corpus.labels[rows]),
        patients=torch.from_numpy(corpus.patients[rows]),
        token_ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        region_token_ids=torch.from_numpy(region_ids),
        region_mask=torch.from_numpy(region_mask),
        text_rows=torch.tensor([position for position, _, _ in chosen]),
        text_regions=torch.tensor([region for _, region, _ in chosen]),
    )


def iterate_epoch(
    corpus: Corpus, tokenizer: Tokenizer, *, batch: int, limit: int, seed: tuple[int, ...]
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
            following = pool.submit(make_batch, corpus, rows, tokenizer, limit, (*seed, step))
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
