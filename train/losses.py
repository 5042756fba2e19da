"""The alignment losses of the RRA-VL objective, each a pure function.

The paper (arXiv 2503.07456) names a semantic global-level loss, a region-/word-level loss and a
location-conditioned contrastive loss; its equations were not obtainable, so these are reconstructions,
each with the published template it follows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_MINUS_INFINITY = -1e9


def soft_cross_entropy(
    logits: Tensor, targets: Tensor, allowed: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy of rows against soft targets.

    Parameters
    ----------
    logits : Tensor of shape [N, M]
    targets : Tensor of shape [N, M]
        Non-negative; each row is normalised to sum 1. Rows of zeros are left out of the mean.
    allowed : bool Tensor of shape [N, M], optional
        Candidates that take part in each row's softmax; all by default.
    weights : Tensor of shape [N], optional
        Of the rows in the mean; equal by default.

    Returns
    -------
    Tensor
        Scalar; 0 where no row has a target.
    """
    if allowed is not None:
        logits = logits.masked_fill(~allowed, _MINUS_INFINITY)
        targets = targets * allowed
    mass = targets.sum(dim=1)
    rows = mass > 0
    log_probability = logits.log_softmax(dim=1)
    losses = -(targets * log_probability).sum(dim=1) / mass.clamp_min(1e-9)
    if weights is not None:
        weights = weights * rows
        return (
            weights * torch.where(rows, losses, torch.zeros_like(losses))
        ).sum() / weights.sum().clamp_min(1e-6)
    return torch.where(rows, losses, torch.zeros_like(losses)).sum() / rows.sum().clamp_min(1)


def semantic_global(
    image: Tensor, text: Tensor, similarity: Tensor, scale: Tensor, sharpness: float = 10.0
) -> Tensor:
    """Return the symmetric image-text loss with soft targets from label similarity.

    ``1/2 [CE(softmax(g Y), s V T^t) + CE(softmax(g Y^t), s T V^t)]``
    (template: MedCLIP, Wang et al. 2022, eq. 3-5).

    Parameters
    ----------
    image, text : Tensor of shape [B, D]
        Unit embeddings ``V`` and ``T``.
    similarity : Tensor of shape [B, B]
        Label similarity ``Y`` of the studies, 0 to 1.
    scale : Tensor
        Inverse temperature ``s``.
    sharpness : float
        ``g``; large values approach one target a row.
    """
    logits = scale * image @ text.t()
    forward = soft_cross_entropy(logits, (sharpness * similarity).softmax(dim=1))
    return 0.5 * (forward + soft_cross_entropy(logits.t(), (sharpness * similarity.t()).softmax(dim=1)))


def region_word(
    regions: Tensor,
    words: Tensor,
    mask: Tensor,
    *,
    attention: float = 5.0,
    pooling: float = 5.0,
    scale: float = 10.0,
) -> Tensor:
    """Return the contrast between the regions of images and the words of reports.

    For image i and report j, word m attends over regions k: ``a = softmax_k(t1 w_m r_k)``,
    ``c_m = sum_k a_k r_k``, ``Z_ij = (1/t2) log mean_m exp(t2 cos(c_m, w_m))``; InfoNCE over ``Z`` both ways
    (template: GLoRIA, Huang et al. 2021, eq. 2-6, with 29 anatomical regions in place of patches).

    Parameters
    ----------
    regions : Tensor of shape [B, R, D]
        Unit embeddings.
    words : Tensor of shape [B, T, D]
        Unit embeddings.
    mask : Tensor of shape [B, T]
        1 for a word, 0 for padding.
    attention, pooling, scale : float
        ``t1``, ``t2`` and the inverse temperature of the final contrast.
    """
    match = torch.einsum("jtd,ird->ijtr", words, regions)
    weights = (attention * match).softmax(dim=-1)
    # cos(c, w) without forming c for every pair: w.c from the matches, |c| from the regions' Gram matrix.
    aligned = (weights * match).sum(dim=-1)
    gram = regions @ regions.transpose(1, 2)
    norm = (torch.einsum("ijtr,irs->ijts", weights, gram) * weights).sum(dim=-1).clamp_min(1e-6).sqrt()
    cosine = aligned / norm
    present = mask.to(cosine.dtype)[None]
    pooled = torch.logsumexp(pooling * cosine + (present.clamp_min(1e-9)).log(), dim=-1)
    scores = scale * (pooled - present.sum(dim=-1).clamp_min(1.0).log()) / pooling
    diagonal = torch.arange(len(scores), device=scores.device)
    return 0.5 * (F.cross_entropy(scores, diagonal) + F.cross_entropy(scores.t(), diagonal))


def label_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return the Jaccard overlap of finding sets; two empty sets (both normal) overlap fully.

    Parameters
    ----------
    first : Tensor of shape [..., N, L]
        Multi-hot finding sets.
    second : Tensor of shape [..., M, L]

    Returns
    -------
    Tensor of shape [..., N, M]
    """
    shared = first @ second.transpose(-1, -2)
    sizes = first.sum(dim=-1)[..., :, None] + second.sum(dim=-1)[..., None, :]
    union = sizes - shared
    return torch.where(union > 0, shared / union.clamp_min(1e-9), torch.ones_like(shared))


def location_image_image(
    regions: Tensor,
    labels: Tensor,
    patients: Tensor,
    mirror: Tensor,
    scale: Tensor,
    *,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the location-conditioned contrast between images.

    Per region k and image i with a finding there: ``CE(Y^k_i, s r_ik . r_jk)`` over the batch's other
    patients, ``Y`` the overlap of their findings in k. The mirrored regions of all images stand among the
    candidates as negatives, so that a side is never confused with its twin (arXiv 2503.07456: "cross-pair
    contrast between the same region of different patients").

    Parameters
    ----------
    regions : Tensor of shape [B, R, D]
        Unit embeddings.
    labels : Tensor of shape [B, R, L]
        Multi-hot findings present in each region.
    patients : Tensor of shape [B]
        Patient of each image; positives come from other patients.
    mirror : Tensor of shape [R]
        Index of each region's mirror image, its own for midline regions.
    scale : Tensor
        Inverse temperature ``s``.
    weights : Tensor of shape [B, R], optional
        How sure each label is, 0 to 1: ``w_ik`` weighs row (i, k) in the mean, ``w_jk`` the positive j in it.
    """
    batch, count, _ = regions.shape
    by_region = regions.transpose(0, 1)
    same = scale * by_region @ by_region.transpose(1, 2)
    crossed = scale * by_region @ by_region[mirror].transpose(1, 2)
    marks = labels.transpose(0, 1)
    overlap = label_overlap(marks, marks)
    other = patients[:, None] != patients[None, :]
    eye = torch.eye(batch, dtype=torch.bool, device=regions.device)
    has_mirror = (mirror != torch.arange(count, device=mirror.device))[:, None, None]
    logits = torch.cat([same, crossed], dim=2).flatten(0, 1)
    abnormal = marks.sum(dim=-1) > 0
    positives = overlap * other * abnormal[:, :, None]
    rows = None
    if weights is not None:
        positives, rows = positives * weights.t()[:, None, :], weights.t().flatten()
    targets = torch.cat([positives, torch.zeros_like(overlap)], dim=2)
    allowed = torch.cat([(~eye).expand(count, -1, -1), has_mirror.expand(count, batch, batch)], dim=2)
    return soft_cross_entropy(logits, targets.flatten(0, 1), allowed.flatten(0, 1), rows)


def location_image_text(
    regions: Tensor,
    labels: Tensor,
    texts: Tensor,
    text_labels: Tensor,
    text_regions: Tensor,
    mirror: Tensor,
    scale: Tensor,
    *,
    weights: Tensor | None = None,
    text_weights: Tensor | None = None,
) -> Tensor:
    """Return the location-conditioned contrast between region embeddings and region sentences.

    For a text n about region k: ``CE(Y_n, s t_n . r_jk)`` over the batch's images j; for region k of an
    image: the same over the texts about that region, those about its mirror image as negatives. Regions
    with and without a finding count equally.

    Parameters
    ----------
    regions : Tensor of shape [B, R, D]
        Unit embeddings.
    labels : Tensor of shape [B, R, L]
        Multi-hot findings present in each region.
    texts : Tensor of shape [N, D]
        Unit embeddings of what reports say of one region each.
    text_labels : Tensor of shape [N, L]
    text_regions : Tensor of shape [N]
        Index of the region each text is about.
    mirror : Tensor of shape [R]
    scale : Tensor
        Inverse temperature ``s``.
    weights : Tensor of shape [B, R], optional
        How sure the labels of each image's regions are, 0 to 1; given together with `text_weights`.
    text_weights : Tensor of shape [N], optional
        How sure each text is. A row weighs as much in the mean as what asks is sure, a positive as it is.
    """
    by_region = regions.transpose(0, 1)
    marks = labels.transpose(0, 1)
    # text -> image: every image's embedding of the region the text is about, and of its mirror image.
    near, far = by_region[text_regions], by_region[mirror[text_regions]]
    near_logits = scale * torch.einsum("nd,nbd->nb", texts, near)
    far_logits = scale * torch.einsum("nd,nbd->nb", texts, far)
    overlap = label_overlap(text_labels[:, None], marks[text_regions])[:, 0]
    far_overlap = label_overlap(text_labels[:, None], marks[mirror[text_regions]])[:, 0]
    abnormal_text = text_labels.sum(dim=1) > 0
    far_allowed = ((mirror[text_regions] != text_regions) & abnormal_text)[:, None] & (far_overlap < 1)
    positives = overlap if weights is None else overlap * weights.t()[text_regions]
    text_to_image = soft_cross_entropy(
        torch.cat([near_logits, far_logits], dim=1),
        torch.cat([positives, torch.zeros_like(overlap)], dim=1),
        torch.cat([torch.ones_like(far_allowed), far_allowed], dim=1),
        text_weights,
    )
    # image -> text: every region of every image asks. Normal ones are twenty times as many, and telling
    # them from abnormal ones is most of what a search needs: both kinds get the same say.
    asking = regions.flatten(0, 1)
    places = torch.arange(regions.shape[1], device=regions.device).repeat(regions.shape[0])
    asked = labels.flatten(0, 1)
    about = text_regions[None, :] == places[:, None]
    about_mirror = text_regions[None, :] == mirror[places][:, None]
    logits = scale * asking @ texts.t()
    targets = label_overlap(asked, text_labels) * about
    if text_weights is not None:
        targets = targets * text_weights
    rows = None if weights is None else weights.flatten()
    abnormal = asked.sum(dim=-1) > 0
    candidates = about | about_mirror
    image_to_text = [
        soft_cross_entropy(logits, targets * kind[:, None], candidates, rows)
        for kind in (abnormal, ~abnormal)
    ]
    return 0.5 * text_to_image + 0.25 * (image_to_text[0] + image_to_text[1])


def location_text_text(
    texts: Tensor,
    text_labels: Tensor,
    text_regions: Tensor,
    patients: Tensor,
    mirror: Tensor,
    scale: Tensor,
    *,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the location-conditioned contrast between sentences about one region.

    Parameters
    ----------
    texts : Tensor of shape [N, D]
        Unit embeddings.
    text_labels : Tensor of shape [N, L]
    text_regions : Tensor of shape [N]
    patients : Tensor of shape [N]
        Patient of each text; positives come from other patients.
    mirror : Tensor of shape [R]
    scale : Tensor
        Inverse temperature.
    weights : Tensor of shape [N], optional
        How sure each text is, 0 to 1: of its row in the mean, and of it as a positive.
    """
    logits = scale * texts @ texts.t()
    same = text_regions[:, None] == text_regions[None, :]
    crossed = mirror[text_regions][:, None] == text_regions[None, :]
    eye = torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    other = patients[:, None] != patients[None, :]
    targets = label_overlap(text_labels, text_labels) * same * other
    if weights is not None:
        targets = targets * weights
    return soft_cross_entropy(logits, targets, (same | crossed) & ~eye, weights)
