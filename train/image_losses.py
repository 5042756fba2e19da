"""Losses of single images, each a pure function: boxes, findings by cell and by region."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def box_regression(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return the mean L1 distance plus generalised IoU loss of boxes.

    Generalised IoU: Rezatofighi et al. 2019, ``1 - IoU + |C - U| / |C|`` with ``C`` the smallest box
    around both.

    Parameters
    ----------
    predicted, truth : Tensor of shape [..., 4]
        ``x1, y1, x2, y2`` as fractions.
    """
    distance = (predicted - truth).abs().sum(dim=-1)
    overlap, union = _intersection_union(predicted, truth)
    hull_low = torch.minimum(predicted[..., :2], truth[..., :2])
    hull_high = torch.maximum(predicted[..., 2:], truth[..., 2:])
    hull = (hull_high - hull_low).clamp_min(0).prod(dim=-1).clamp_min(1e-6)
    generalised = 1 - overlap / union + (hull - union) / hull
    return (distance + 0.4 * generalised).mean()


def finding_map(logits: Tensor, share: Tensor, *, focus: float = 2.0, covered: float = 0.1) -> Tensor:
    """Return the focal loss of a per-cell classification of findings, each finding counting alike.

    ``-(1 - p)^g log p`` over covered cells and ``-p^g log(1 - p)`` over the others (Lin et al. 2017, eq. 4,
    without class weights), divided finding by finding by its number of covered cells: a nodule of three
    cells then weighs as much as an enlarged heart of two hundred.

    Parameters
    ----------
    logits : Tensor of shape [B, L, h, w]
    share : Tensor of shape [B, L, h, w]
        Share of each cell that the finding covers, 0 to 1.
    focus : float
        ``g``.
    covered : float
        A cell counts as covered from this share on.
    """
    truth = (share >= covered).to(logits.dtype)
    return _focal_by_finding(logits, truth, focus, (0, 2, 3))


def lung_map(logits: Tensor, share: Tensor) -> Tensor:
    """Return the loss of a per-cell segmentation of the lungs: cross-entropy and 1 - soft Dice.

    Dice is that of V-Net (Milletari et al. 2016, arXiv 1606.04797, eq. of section 3), one cell added above
    and below, so that a lung outside of the image asks for none.

    Parameters
    ----------
    logits : Tensor of shape [B, 2, h, w]
    share : Tensor of shape [B, 2, H, W]
        Share of each cell that the lung covers, 0 to 1; brought to the map's grid bilinearly.
    """
    truth = F.interpolate(share, size=logits.shape[-2:], mode="bilinear", align_corners=False)
    chance = torch.sigmoid(logits)
    both, each = (chance * truth).sum(dim=(2, 3)), (chance + truth).sum(dim=(2, 3))
    dice = (2 * both + 1) / (each + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - dice.mean()


def region_finding(logits: Tensor, labels: Tensor, *, focus: float = 2.0) -> Tensor:
    """Return the focal loss of the findings of each region against what the report states.

    The same form as `finding_map`, per region in place of per cell.

    Parameters
    ----------
    logits : Tensor of shape [B, R, L]
    labels : Tensor of shape [B, R, L]
        Multi-hot findings present in each region.
    focus : float
        ``g``.
    """
    return _focal_by_finding(logits, labels, focus, (0, 1))


def _focal_by_finding(logits: Tensor, truth: Tensor, focus: float, over: tuple[int, ...]) -> Tensor:
    """Return the mean over the findings present of their focal losses, each over its own number of places."""
    signed = logits * (2.0 * truth - 1.0)
    losses = (-signed).sigmoid().pow(focus) * F.softplus(-signed)
    places = truth.sum(dim=over)
    by_finding = losses.sum(dim=over) / places.clamp_min(1.0)
    return by_finding.sum() / (places > 0).sum().clamp_min(1)


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the elementwise intersection over union of boxes [..., 4]."""
    overlap, union = _intersection_union(first, second)
    return overlap / union


def _intersection_union(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    overlap = (high - low).clamp_min(0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp_min(0).prod(dim=-1) for box in (first, second)]
    return overlap, (areas[0] + areas[1] - overlap).clamp_min(1e-6)
