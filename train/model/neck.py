"""Neck: the maps of a backbone, of whatever sizes, as one feature map fine enough to pool regions from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer norm over the channels of a map [B, C, h, w], cell by cell.

    It keeps no statistics of a batch, so equal images give equal features however they are batched.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a map [B, C, h, w]."""
        return torch.as_tensor(self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class FeatureNeck(nn.Module):
    """Feature pyramid (Lin et al. 2017, arXiv 1612.03144) that ends in one map.

    From the coarsest map down, each is projected, enlarged to the next finer one and added to it. A
    transformer's maps all have one size, and are then simply projected and added. What is still coarser
    than wanted is enlarged by interpolation and convolution (as the simple pyramid of Li et al. 2022, arXiv
    2203.16527, which uses strided deconvolutions).

    Parameters
    ----------
    inputs : sequence of int
        Channels of the backbone's maps, the finest first.
    channels : int
        Channels of the result.
    doublings : int
        How often the finest map is enlarged twofold.
    """

    def __init__(self, inputs: Sequence[int], channels: int, doublings: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(ChannelNorm(width), nn.Conv2d(width, channels, 1)) for width in inputs
        )
        self.context = nn.Linear(channels, channels)
        self.enlarge = nn.ModuleList(_smoothing(channels) for _ in range(doublings))
        self.smooth = _smoothing(channels)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge maps [B, C_i, h_i, w_i], the finest first, into [B, C, h, w]."""
        top = self.lateral[-1](levels[-1])
        # The mean of the whole image tells every cell of the chest it is part of.
        top = top + self.context(top.mean(dim=(2, 3)))[:, :, None, None]
        for lateral, level in zip(reversed(self.lateral[:-1]), reversed(levels[:-1]), strict=True):
            size = (level.shape[-2], level.shape[-1])
            if top.shape[-2:] != size:
                top = F.interpolate(top, size=size, mode="nearest")
            top = top + lateral(level)
        for smoothing in self.enlarge:
            top = smoothing(F.interpolate(top, scale_factor=2.0, mode="nearest"))
        return torch.as_tensor(self.smooth(top))


def _smoothing(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, 1, 1, bias=False), ChannelNorm(channels), nn.ReLU(inplace=True)
    )
