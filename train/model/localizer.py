"""Region localizer: the 29 boxes of an image, found without any hint."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_retrieve.runtime.anatomy import REGIONS, Region

# Attention can only average cell centres, which never reach the border; a grid a little wider than the
# image lets an edge lie on it.
_OVERREACH = 0.06
# Lungs whose outlines are learnt cell by cell, in the order of the map's channels.
LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)
# No lung is narrower than this share of the square: a tube, a gap between arm and chest, the tip of a recess
# make no edge. Chosen among 3 to 17 of 80 cells on the 51 real X-rays with lung boxes, and a broad optimum.
_NARROWEST = 1 / 12
# What looks like lung further outside the boxes of the side's lung zones than this share of their extent is
# something else: the trachea, gas in the bowel, air beside the body. Chosen among 0.03 to 0.2 on the same.
_MARGIN = 0.1
_ZONES = tuple(
    tuple(Region(f"{lung.laterality.value} {zone} lung zone").position for zone in ("upper", "mid", "lower"))
    for lung in LUNGS
)
# A cell that is lung with p = 0.8 counts as nearly all lung: edges then lie where p is one half.
_SHARPNESS = 4.0


class Located(NamedTuple):
    """What `RegionLocalizer` returns.

    Parameters
    ----------
    boxes : Tensor of shape [B, 29, 4]
        ``x1, y1, x2, y2`` as fractions of the model's square.
    logits : Tensor of shape [B, 29]
        Before the sigmoid: the expected overlap (IoU) of each box with the truth.
    lung_logits : Tensor of shape [B, 2, h, w]
        Before the sigmoid: how surely each cell is right or left lung.
    """

    boxes: Tensor
    logits: Tensor
    lung_logits: Tensor


class RegionLocalizer(nn.Module):
    """Finds each edge of each region's box as the mean position under its own attention map.

    A soft-argmax per edge (integral regression, Sun et al. 2018) moves with the anatomy, where a dense
    layer would have to learn every shift anew. It may still read an edge off others it goes along with: a
    lung's base off its width. The lungs are therefore segmented too, and their boxes are the extents of what
    was segmented, as far as any lung was seen.

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
        self.lung_hidden = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(inplace=True),
        )
        self.lungs = nn.Conv2d(channels // 2, len(LUNGS), 1)
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
        lung_logits = self.lungs(self.lung_hidden(features)).float()
        boxes = _with_lungs(boxes, lung_logits)
        # The score judges what was found and does not bend it.
        looked_at = attention.detach().reshape(attention.shape[0], len(REGIONS), 4, -1).mean(dim=2)
        pooled = torch.matmul(looked_at, hidden.detach().float().flatten(2).transpose(1, 2))
        logits = self.score(pooled).squeeze(-1) + self.score_bias
        return Located(boxes, logits, lung_logits)


def _with_lungs(boxes: Tensor, lung_logits: Tensor) -> Tensor:
    """Return boxes [B, 29, 4] with those of the lungs taken from their maps, as far as these show any."""
    extents, seen = soft_extents(lung_logits, _around_zones(boxes.detach()))
    rows = list(boxes.unbind(dim=1))
    for channel, lung in enumerate(LUNGS):
        share = seen[:, channel, None]
        rows[lung.position] = share * extents[:, channel] + (1 - share) * rows[lung.position]
    return torch.stack(rows, dim=1)


def _around_zones(boxes: Tensor) -> Tensor:
    """Return where each lung may lie, [B, 2, 4], from boxes [B, 29, 4]: around its three zones."""
    around = []
    for zones in _ZONES:
        rows = torch.stack([boxes[:, zone] for zone in zones], dim=1)
        low, high = rows[..., :2].amin(dim=1), rows[..., 2:].amax(dim=1)
        more = _MARGIN * (high - low)
        around.append(torch.cat([low - more, high + more], dim=-1))
    return torch.stack(around, dim=1)


def soft_extents(logits: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far maps reach to each side, and how sure they are that there is anything.

    Along each axis the map's profile is its largest value in each row or column, relative to the largest of
    all. An extent is the mean over positions of the largest value from there outwards: of a mask it is its
    edge, and between masks it moves smoothly.

    Parameters
    ----------
    logits : Tensor of shape [B, K, h, w]
    within : Tensor of shape [B, K, 4]
        ``x1, y1, x2, y2`` as fractions; cells whose centre lies outside count as empty.

    Returns
    -------
    extents : Tensor of shape [B, K, 4]
        ``x1, y1, x2, y2`` as fractions.
    seen : Tensor of shape [B, K]
        0 to 1.
    """
    fine = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
    share = torch.sigmoid(_SHARPNESS * fine)
    across = _inside(within[..., 0::2], share.shape[-1])
    down = _inside(within[..., 1::2], share.shape[-2])
    share = share * across[..., None, :] * down[..., :, None]
    tall, wide = (max(1, round(_NARROWEST * side)) for side in share.shape[-2:])
    columns = F.avg_pool2d(share, (tall, 1), 1).amax(dim=2)
    rows = F.avg_pool2d(share, (1, wide), 1).amax(dim=3)
    seen = columns.amax(dim=-1)
    (x1, x2), (y1, y2) = _reach(columns), _reach(rows)
    return torch.stack([x1, y1, x2, y2], dim=-1), seen


def _inside(span: Tensor, cells: int) -> Tensor:
    """Return 1 for each of the cells' centres inside spans [B, K, 2], 0 outside: [B, K, cells]."""
    centres = (torch.arange(cells, device=span.device) + 0.5) / cells
    return ((centres >= span[..., :1]) & (centres <= span[..., 1:])).to(span.dtype)


def _reach(profile: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and last place that profiles [B, K, n] reach, fractions, each of shape [B, K]."""
    relative = profile / profile.amax(dim=-1, keepdim=True).clamp_min(1e-6)
    length = profile.shape[-1]
    onwards = torch.ones(length, length, device=profile.device).triu()
    spread = relative[..., None, :]
    last = (spread * onwards).amax(dim=-1).mean(dim=-1)
    first = 1 - (spread * onwards.t()).amax(dim=-1).mean(dim=-1)
    return first, last
