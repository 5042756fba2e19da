"""Region localizer: the 29 boxes of an image, found without any hint."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from edge_retrieve.runtime.anatomy import REGIONS

# Attention can only average cell centres, which never reach the border; a grid a little wider than the
# image lets an edge lie on it.
_OVERREACH = 0.06


class Located(NamedTuple):
    """What `RegionLocalizer` returns.

    Parameters
    ----------
    boxes : Tensor of shape [B, 29, 4]
        ``x1, y1, x2, y2`` as fractions of the model's square.
    logits : Tensor of shape [B, 29]
        Before the sigmoid: the expected overlap (IoU) of each box with the truth.
    """

    boxes: Tensor
    logits: Tensor


class RegionLocalizer(nn.Module):
    """Finds each edge of each region's box as the mean position under its own attention map.

    A soft-argmax per edge (integral regression, Sun et al. 2018) moves with the anatomy, where a dense
    layer would have to learn every shift anew. It may still read an edge off others it goes along with: a
    lung's base off its width. The lungs' boxes are therefore found otherwise (`lungs.with_lungs`), and the
    attention's stand in where no lung is seen.

    Parameters
    ----------
    channels : int
        Channels of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 2, dilation=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.edges = nn.Conv2d(channels, 4 * len(REGIONS), 1)
        self.score = nn.Linear(channels, 1)
        self.score_bias = nn.Parameter(torch.zeros(len(REGIONS)))

    def forward(self, features: Tensor) -> Located:
        """Locate the regions on features [B, C, h, w]."""
        height, width = features.shape[-2], features.shape[-1]
        hidden = self.hidden(features)
        attention = self.edges(hidden).flatten(2).float().softmax(dim=-1)
        across = torch.linspace(-_OVERREACH, 1 + _OVERREACH, width, device=features.device)
        down = torch.linspace(-_OVERREACH, 1 + _OVERREACH, height, device=features.device)
        # One product gives both coordinates of every edge; each edge then keeps the one it is about.
        grid = torch.stack([across.repeat(height), down.repeat_interleave(width)], dim=1)
        points = torch.matmul(attention, grid).reshape(attention.shape[0], len(REGIONS), 4, 2)
        edges = [points[..., 0, 0], points[..., 1, 1], points[..., 2, 0], points[..., 3, 1]]
        boxes = torch.stack(edges, dim=-1).clamp(0.0, 1.0)
        # The score judges what was found and does not bend it.
        looked_at = attention.detach().reshape(attention.shape[0], len(REGIONS), 4, -1).mean(dim=2)
        pooled = torch.matmul(looked_at, hidden.detach().float().flatten(2).transpose(1, 2))
        logits = self.score(pooled).squeeze(-1) + self.score_bias
        return Located(boxes, logits)
