"""Batches: which studies go together, and the tensors made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from edge_retrieve.train.augment import Pose, draw_pose, process
from edge_retrieve.train.datasets.corpus import FINDINGS, MASK_SIDE, Corpus, LesionMasks
from edge_retrieve.train.disguise import disguise
from edge_retrieve.train.text_bank import BankEntry, TextBank
from edge_retrieve.train.tokenizer import tokenize


@dataclass(frozen=True)
class Batch:
    """One step's tensors.

    Parameters
    ----------
    pixels : Tensor of shape [B, 1, S, S]
    boxes : Tensor of shape [B, 29, 4]
    has_boxes : bool Tensor of shape [B, 29] or None
        Which boxes are known; None where all are.
    finding_map : Tensor of shape [B, L, 64, 64] or None
        Share of each cell that a finding covers, 0 to 1; None without augmentation or without masks.
    lung_pixels : Tensor of shape [B, 1, S, S] or None
        The images in disguise, for the lung finder alone; None where it is not asked for, or without masks.
    lung_map : Tensor of shape [B, 2, M, M] or None
        Share of each cell of those that the right and the left lung cover, 0 to 1.
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
    label_weights : Tensor of shape [B, 29] or None
        How sure those of each region are, 0 to 1; None where all are.
    text_weights : Tensor of shape [N] or None
        The same of the single regions' texts.
    """

    pixels: Tensor
    boxes: Tensor
    has_boxes: Tensor | None
    finding_map: Tensor | None
    lung_pixels: Tensor | None
    lung_map: Tensor | None
    labels: Tensor
    patients: Tensor
    token_ids: Tensor
    mask: Tensor
    region_token_ids: Tensor
    region_mask: Tensor
    text_regions: Tensor
    text_patients: Tensor
    text_labels: Tensor
    label_weights: Tensor | None = None
    text_weights: Tensor | None = None


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
    *,
    images: bool = True,
    lungs: bool = False,
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
    images, lungs : bool
        What is learnt from: the images, augmented, or disguised for the lung finder, or both.
    """
    generator = np.random.default_rng(seed if seed is not None else 0)
    shown, boxes, finding_maps = [], [], []
    for row in rows:
        if seed is None or not images:
            shown.append(corpus.pixels[row].astype(np.float32) / np.float32(255.0))
            boxes.append(corpus.boxes[row])
        else:
            pose = draw_pose(generator)
            shown.append(process(pose.move_image(corpus.pixels[row]), generator))
            boxes.append(pose.move_boxes(corpus.boxes[row]))
            if len(corpus.lesions.studies):  # else no mask means that nobody drew one
                finding_maps.append(_finding_map(corpus.lesions, int(row), pose))
    disguised = _disguised(corpus, rows, generator) if lungs and seed is not None else None
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
    sure = corpus.label_weights
    return Batch(
        pixels=torch.from_numpy(np.stack(shown))[:, None],
        boxes=torch.from_numpy(np.stack(boxes)),
        has_boxes=None if corpus.has_boxes is None else torch.from_numpy(corpus.has_boxes[rows]),
        finding_map=torch.from_numpy(np.stack(finding_maps)) if finding_maps else None,
        lung_pixels=None if disguised is None else disguised[0],
        lung_map=None if disguised is None else disguised[1],
        labels=torch.from_numpy(corpus.labels[rows]),
        patients=torch.from_numpy(corpus.patients[rows]),
        token_ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        region_token_ids=torch.from_numpy(region_ids),
        region_mask=torch.from_numpy(region_mask),
        text_regions=torch.from_numpy(regions),
        text_patients=torch.from_numpy(corpus.patients[studies]),
        text_labels=torch.from_numpy(corpus.labels[studies, regions]),
        label_weights=None if sure is None else torch.from_numpy(sure[rows]),
        text_weights=None if sure is None else torch.from_numpy(sure[studies, regions]),
    )


def _disguised(
    corpus: Corpus, rows: npt.NDArray[np.int64], generator: np.random.Generator
) -> tuple[Tensor, Tensor] | None:
    if corpus.lungs is None:
        return None
    pairs = [disguise(corpus.pixels[row], corpus.lungs[row], generator) for row in rows]
    images, lungs = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
    return images[:, None], lungs


def _finding_map(lesions: LesionMasks, study: int, pose: Pose) -> npt.NDArray[np.float32]:
    """Return the share of each cell of a coarse grid that each finding covers after a motion."""
    cells = np.zeros((len(FINDINGS), MASK_SIDE, MASK_SIDE), dtype=np.float32)
    rows = lesions.of(study)
    for finding, mask in zip(lesions.findings[rows], lesions.masks[rows], strict=True):
        cells[finding] = np.maximum(cells[finding], pose.move_image(mask) * np.float32(1 / 255))
    return cells
