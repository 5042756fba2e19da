"""Validation between epochs: box overlap and conditioned retrieval on studies of other patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from edge_retrieve.train.batches import make_batch
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.image_losses import box_iou
from edge_retrieve.train.metrics import precision_at
from edge_retrieve.train.model import RraVl

_BATCH = 50


@dataclass(frozen=True)
class EncodedStudies:
    """A validation corpus as the model sees it; row n of each array is study n.

    Parameters
    ----------
    regions : float32 array of shape [N, 29, D]
        Unit embeddings, pooled from the boxes the model found.
    whole : float32 array of shape [N, D]
        Unit embeddings.
    boxes : float32 array of shape [N, 29, 4]
        As found, fractions.
    overlaps : float32 array of shape [M]
        IoU of every box that is known.
    """

    regions: npt.NDArray[np.float32]
    whole: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    overlaps: npt.NDArray[np.float32]


@torch.no_grad()
def encode_studies(model: RraVl, tokenizer: Tokenizer, corpus: Corpus, limit: int) -> EncodedStudies:
    """Encode every study of a corpus.

    Parameters
    ----------
    model : RraVl
        Put into evaluation mode.
    tokenizer : Tokenizer
    corpus : Corpus
    limit : int
        Tokens at most.
    """
    model.eval()
    regions, whole, boxes, overlaps = [], [], [], []
    for start in range(0, len(corpus), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(corpus)))
        batch = make_batch(corpus, rows, tokenizer, limit, None)
        image = model.encode_image(batch.pixels.to(model.logit_scale.device))
        regions.append(model.encode_regions(image.features, image.boxes).cpu().numpy())
        whole.append(image.global_embedding.cpu().numpy())
        boxes.append(image.boxes.cpu().numpy())
        overlap = box_iou(image.boxes.cpu(), batch.boxes)
        overlaps.append((overlap if batch.has_boxes is None else overlap[batch.has_boxes]).flatten().numpy())
    return EncodedStudies(*(np.concatenate(parts) for parts in (regions, whole, boxes, overlaps)))


def validate(corpus: Corpus, encoded: EncodedStudies) -> dict[str, float]:
    """Return mean box IoU and P@5 of image-to-image retrieval with and without conditioning.

    The mean is over known boxes; without any, it is left out.

    Parameters
    ----------
    corpus : Corpus
        Candidates and queries alike; a query's own patient is left out.
    encoded : EncodedStudies
        Of the same studies.
    """
    by_region, by_study = encoded.regions, encoded.whole
    conditioned: list[float] = []
    unconditioned: list[float] = []
    for study, region, finding in np.argwhere(corpus.labels > 0):
        relevant = corpus.labels[:, region, finding] > 0
        others = corpus.patients != corpus.patients[study]
        if (relevant & others).sum() < 5:
            continue
        for scores, into in (
            (by_region[:, region] @ by_region[study, region], conditioned),
            (by_study @ by_study[study], unconditioned),
        ):
            into.append(_ranked_precision(scores, relevant, others))
    known = len(encoded.overlaps) > 0
    figures = {"box_iou": float(encoded.overlaps.mean())} if known else {}
    if conditioned:
        figures["p_at_5_conditioned"] = float(np.mean(conditioned))
        figures["p_at_5_unconditioned"] = float(np.mean(unconditioned))
    return figures


def _ranked_precision(
    scores: npt.NDArray[np.float32], relevant: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]
) -> float:
    order = np.argsort(-scores[others], kind="stable")
    return float(precision_at(relevant[others][order][None], 5)[0])
