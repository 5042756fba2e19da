"""Image tower: a residual network with a top-down path, so that fine features know the whole chest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_retrieve.train.config import ModelConfig

FEATURE_STRIDE = 8


class _Block(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (He et al. 2016, basic block)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        # A block starts as its shortcut, which lets deep stacks learn from the first step.
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


def _local_contrast(x: Tensor) -> Tensor:
    """Return how far each pixel stands out from its surroundings, in their local deviation."""
    surround = F.interpolate(_smoothed(x), scale_factor=8.0, mode="bilinear", align_corners=False)
    detail = x - surround
    energy = F.interpolate(_smoothed(detail.square()), scale_factor=8.0, mode="bilinear", align_corners=False)
    return detail / (energy + 1e-3).sqrt()


def _smoothed(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.avg_pool2d(x, 8), 3, 1, 1, count_include_pad=False)


class ImageTower(nn.Module):
    """Pixels to a feature map of stride 8.

    Parameters
    ----------
    config : ModelConfig
        `widths` are the channels at strides 4, 8, 16 and 32, `depths` the blocks of each.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stem = config.widths[0]
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(2 * 16, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        inputs = stem
        for width, depth in zip(config.widths, config.depths, strict=True):
            blocks = [
                _Block(inputs if b == 0 else width, width, 2 if b == 0 and stages else 1)
                for b in range(depth)
            ]
            stages.append(nn.Sequential(*blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        channels = config.feature_channels
        self.lateral = nn.ModuleList(nn.Conv2d(w, channels, 1) for w in config.widths[1:])
        self.context = nn.Linear(config.widths[-1], channels)
        self.smooth = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 1, H, W] in 0..1 to features [B, C, H/8, W/8].

        Each image is standardised by its own mean and deviation: exposure and window of a file differ
        between sites, and carry no finding.
        """
        mean = pixels.mean(dim=(2, 3), keepdim=True)
        deviation = ((pixels - mean).square().mean(dim=(2, 3), keepdim=True) + 1e-4).sqrt()
        standard = (pixels - mean) / deviation
        x = self.stem(torch.cat([standard, _local_contrast(standard)], dim=1))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        top = self.lateral[-1](levels[-1]) + self.context(levels[-1].mean(dim=(2, 3)))[:, :, None, None]
        for lateral, level in zip(reversed(self.lateral[:-1]), reversed(levels[1:-1]), strict=True):
            top = F.interpolate(top, scale_factor=2.0, mode="nearest") + lateral(level)
        return torch.as_tensor(self.smooth(top))
