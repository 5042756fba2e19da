"""The alignment losses of published methods, in the terms of this trainer.

They stand here to be compared with: same data, towers, steps and box losses, another loss. Each is the
method's contrast without its own towers and augmentation. RegionMIR and ConVIRT know no report regions,
MedCLIP no places of findings, GLoRIA no labels at all, and none is given any here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edge_retrieve.train.losses import region_word, soft_cross_entropy

# GLoRIA (Huang et al. 2021), temperatures of its released configuration.
_ATTENTION, _POOLING, _SCALE = 4.0, 5.0, 10.0


def global_infonce(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric InfoNCE between images and their reports.

    ``1/2 [CE(I, s V T^t) + CE(I, s T V^t)]`` (CLIP: Radford et al. 2021, fig. 3; ConVIRT: Zhang et al. 2020,
    eq. 2-4 with lambda = 1/2).

    Parameters
    ----------
    image, text : Tensor of shape [B, D]
        Unit embeddings ``V`` and ``T``; row i of both is study i.
    scale : Tensor
        Inverse temperature ``s``.
    """
    logits = scale * image @ text.t()
    own = torch.arange(len(logits), device=logits.device)
    return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.t(), own))


def semantic_soft(image: Tensor, text: Tensor, findings: Tensor, scale: Tensor) -> Tensor:
    """Return the semantic matching loss: soft targets from the findings of whole studies.

    ``y_ij = softmax_j cos(l_i, l_j)``, ``1/2 [CE(Y, s V T^t) + CE(Y^t, s T V^t)]``
    (MedCLIP: Wang et al. 2022, eq. 2-6). "No finding" is a label of its own there, and here.

    Parameters
    ----------
    image, text : Tensor of shape [B, D]
        Unit embeddings ``V`` and ``T``.
    findings : Tensor of shape [B, L]
        Multi-hot findings of each study, wherever they are.
    scale : Tensor
        Inverse temperature ``s``.
    """
    nothing = (findings.sum(dim=1, keepdim=True) == 0).to(findings.dtype)
    marks = F.normalize(torch.cat([findings, nothing], dim=1), dim=1)
    targets = (marks @ marks.t()).softmax(dim=1)
    logits = scale * image @ text.t()
    return 0.5 * (soft_cross_entropy(logits, targets) + soft_cross_entropy(logits.t(), targets))


def word_region(
    image: Tensor, text: Tensor, regions: Tensor, words: Tensor, mask: Tensor, scale: Tensor
) -> Tensor:
    """Return the mean of the global contrast and the one of words that attend over regions.

    ``1/2 [L_global + L_local]`` (GLoRIA: Huang et al. 2021, eq. 2-8, which adds the two), with the 29 regions
    in place of its patches and its temperatures 4, 5 and 10.

    Parameters
    ----------
    image, text : Tensor of shape [B, D]
        Unit embeddings.
    regions : Tensor of shape [B, R, D]
        Unit embeddings.
    words : Tensor of shape [B, T, D]
        Unit embeddings.
    mask : Tensor of shape [B, T]
        1 for a word, 0 for padding.
    scale : Tensor
        Inverse temperature of the global contrast.
    """
    local = region_word(regions, words, mask, attention=_ATTENTION, pooling=_POOLING, scale=_SCALE)
    return 0.5 * (global_infonce(image, text, scale) + local)


def region_crops(first: Tensor, second: Tensor, scale: Tensor) -> Tensor:
    """Return the contrast between two views of the same region of the same image.

    For region k of image i: ``CE(1, s a_ik . b)`` over ``b`` of the same region in every image and of the
    other regions of the same image, the positive being ``b_ik``; both ways (the normalised cross-entropy of
    SimCLR, Chen et al. 2020, eq. 1, over region crops as in RegionMIR, arXiv 2305.05598).

    Parameters
    ----------
    first, second : Tensor of shape [B, R, D]
        Unit embeddings ``a`` and ``b`` of the two views.
    scale : Tensor
        Inverse temperature ``s``.
    """
    return 0.5 * (_one_way(first, second, scale) + _one_way(second, first, scale))


def _one_way(asking: Tensor, answering: Tensor, scale: Tensor) -> Tensor:
    batch, count, _ = asking.shape
    across = scale * torch.einsum("ikd,jkd->ikj", asking, answering)
    within = scale * torch.einsum("ikd,imd->ikm", asking, answering)
    # The positive stands in `across` already.
    itself = torch.eye(count, dtype=torch.bool, device=asking.device)
    logits = torch.cat([across, within.masked_fill(itself, float("-inf"))], dim=2)
    own = torch.arange(batch, device=asking.device)[:, None].expand(batch, count)
    return F.cross_entropy(logits.flatten(0, 1), own.flatten())
