"""Lung finder: right and left lung, seen apart from everything else the model looks at.

Findings are learnt from how phantoms look; a lung on a real X-ray may look like none of theirs: white with
disease, dark beside a dense breast, over a bowel full of gas. So this small U-Net (Ronneberger et al. 2015,
arXiv 1505.04597) has weights of its own and is trained on phantoms disguised beyond recognition
(`train.disguise`), from which no finding could be learnt any more.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_retrieve.runtime.anatomy import Region

LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)
"""Whose outlines are found, in the order of the map's channels."""

CELL = 4
"""Pixels a side of a cell of the map."""

# Sides that the three halvings of the map divide.
_STEP = CELL * 8
# No lung is narrower than this share of the square: a tube, a gap between arm and chest make no edge. Of 1 to
# 7 of 80 cells, 2 errs least on disguised phantoms among those that a single cell cannot deceive.
_NARROWEST = 1 / 40
# What looks like lung further outside the boxes of the side's lung zones than this share of their extent is
# something else: the trachea, gas in the bowel, air beside the body. Chosen among 0.03 to 0.2 on the 51 real
# X-rays with lung boxes, and a broad optimum.
_MARGIN = 0.1
_ZONES = tuple(
    tuple(Region(f"{lung.laterality.value} {zone} lung zone").position for zone in ("upper", "mid", "lower"))
    for lung in LUNGS
)
# A cell that is lung with p = 0.8 counts as nearly all lung: edges then lie where p is one half.
_SHARPNESS = 4.0
_BLIND = 20.0  # a logit beyond all doubt
_SURE = 1e-4  # what a lung's score stays away from 0 and 1


class LungFinder(nn.Module):
    """Pixels to a map of the lungs.

    Parameters
    ----------
    widths : tuple of int
        Channels of the map, and of what is half, a quarter and an eighth of its size.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (CELL * CELL, *widths[:-1])
        self.down = nn.ModuleList(_twice(a, b) for a, b in zip(inputs, widths, strict=True))
        self.up = nn.ModuleList(_twice(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.output = nn.Conv2d(widths[0], len(LUNGS), 1)

    def see_nothing(self) -> None:
        """Show no lung anywhere, so that the localizer's boxes stand: for want of masks to learn from."""
        nn.init.zeros_(self.output.weight)
        nn.init.constant_(self.output.bias, -_BLIND)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 1, S, S] in 0..1 to logits [B, 2, S / 4, S / 4]: how surely each cell is lung.

        Where 32 does not divide S, the map is that of the square at the nearest side that it does.
        """
        side = max(_STEP, round(pixels.shape[-1] / _STEP) * _STEP)
        if side != pixels.shape[-1]:
            pixels = F.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
        # The tone itself tells lung from abdomen: a local contrast, as the image tower has it, does not.
        x = F.pixel_unshuffle(2 * pixels - 1, CELL)
        levels: list[Tensor] = []
        for block in self.down:
            x = block(F.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for block, finer in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([finer, x], dim=1))
        return torch.as_tensor(self.output(x)).float()


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def with_lungs(boxes: Tensor, box_logits: Tensor, lung_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Take the lungs' boxes from their maps, as far as these show any near the lung zones.

    Parameters
    ----------
    boxes : Tensor of shape [B, 29, 4]
        Fractions of the square.
    box_logits : Tensor of shape [B, 29]
        Before the sigmoid: the expected overlap (IoU) of each box with the truth.
    lung_logits : Tensor of shape [B, 2, h, w]

    Returns
    -------
    boxes : Tensor of shape [B, 29, 4]
    box_logits : Tensor of shape [B, 29]
        A lung's is the expected overlap of its map with the truth.
    """
    extents, seen = soft_extents(lung_logits, _around_zones(boxes))
    overlap = expected_overlap(lung_logits).clamp(_SURE, 1 - _SURE)
    rows, scores = list(boxes.unbind(dim=1)), list(box_logits.unbind(dim=1))
    for channel, lung in enumerate(LUNGS):
        share = seen[:, channel, None]
        rows[lung.position] = share * extents[:, channel] + (1 - share) * rows[lung.position]
        scores[lung.position] = torch.log(overlap[:, channel] / (1 - overlap[:, channel]))
    return torch.stack(rows, dim=1), torch.stack(scores, dim=1)


def expected_overlap(logits: Tensor) -> Tensor:
    """Return the overlap (IoU) that maps [B, K, h, w] expect of what they take for lung, [B, K].

    What is taken for lung are the cells with p above one half; the truth holds each cell with its p.
    """
    share = torch.sigmoid(logits)
    taken = (share > 0.5).to(share.dtype)
    both = (share * taken).sum(dim=(2, 3))
    either = torch.maximum(share, taken).sum(dim=(2, 3))
    return both / either.clamp_min(1e-6)


def _around_zones(boxes: Tensor) -> Tensor:
    """Return where each lung may lie, [B, 2, 4], from boxes [B, 29, 4]: around its three zones."""
    around = []
    for zones in _ZONES:
        rows = torch.stack([boxes[:, zone] for zone in zones], dim=1)
        low, high = rows[..., :2].amin(dim=1), rows[..., 2:].amax(dim=1)
        more = _MARGIN * (high - low)
        around.append(torch.cat([low - more, high + more], dim=-1))
    return torch.stack(around, dim=1)


def soft_extents(logits: Tensor, within: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return how far maps reach to each side, and how sure they are that there is anything.

    Along each axis the map's profile is its largest value in each row or column, relative to the largest of
    all. An extent is the mean over positions of the largest value from there outwards: of a mask it is its
    edge, and between masks it moves smoothly.

    Parameters
    ----------
    logits : Tensor of shape [B, K, h, w]
    within : Tensor of shape [B, K, 4], optional
        ``x1, y1, x2, y2`` as fractions; cells whose centre lies outside count as empty.

    Returns
    -------
    extents : Tensor of shape [B, K, 4]
        ``x1, y1, x2, y2`` as fractions.
    seen : Tensor of shape [B, K]
        0 to 1.
    """
    share = torch.sigmoid(_SHARPNESS * logits)
    if within is not None:
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
