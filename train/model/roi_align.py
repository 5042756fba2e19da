"""RoI-align as two small matrix products.

One definition for every lowering: ONNX ``RoiAlign`` with ``coordinate_transformation_mode=half_pixel``
(torchvision ``aligned=True``), 7 x 7 cells, ``sampling_ratio=2``, average. Bilinear sampling is separable,
so the samples of one box form ``Wy F Wx^T``: `axis_weights` builds ``Wy`` and ``Wx``, whose rows average
the two sample positions of a cell. The mean over all cells is then a rank-one weighting of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor

CELLS = 7
SAMPLES = 2


def axis_weights(low: Tensor, high: Tensor, length: int) -> Tensor:
    """Return the sampling weights of boxes along one axis.

    Parameters
    ----------
    low, high : Tensor of shape [...]
        Box edges in units of feature cells, where cell ``c`` spans ``[c, c + 1)``.
    length : int
        Number of feature cells on this axis.

    Returns
    -------
    Tensor of shape [..., 7, length]
        Row ``b`` averages the two bilinear samples of cell ``b``. A sample further than one cell outside
        the map contributes nothing; one up to a cell outside reads the border (as ONNX ``RoiAlign`` does).
    """
    steps = CELLS * SAMPLES
    fractions = (torch.arange(steps, device=low.device, dtype=low.dtype) + 0.5) / steps
    start = low - 0.5
    positions = start[..., None] + (high - low)[..., None] * fractions
    inside = (positions >= -1.0) & (positions <= float(length))
    clamped = positions.clamp(0.0, float(length - 1))
    cells = torch.arange(length, device=low.device, dtype=low.dtype)
    # The tent 1 - |p - c| is bilinear interpolation between the two neighbouring cells.
    tents = (1.0 - (clamped[..., None] - cells).abs()).clamp_min(0.0) * inside[..., None].to(low.dtype)
    return tents.reshape(*low.shape, CELLS, SAMPLES, length).mean(dim=-2)


def _weights(features: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    height, width = features.shape[-2], features.shape[-1]
    along_y = axis_weights(boxes[..., 1] * height, boxes[..., 3] * height, height)
    along_x = axis_weights(boxes[..., 0] * width, boxes[..., 2] * width, width)
    return along_y, along_x


def roi_align(features: Tensor, boxes: Tensor) -> Tensor:
    """Sample every box of every image on a 7 x 7 grid.

    Parameters
    ----------
    features : Tensor of shape [B, C, h, w]
    boxes : Tensor of shape [B, R, 4]
        ``x1, y1, x2, y2`` as fractions of the feature map, may reach outside 0 to 1.

    Returns
    -------
    Tensor of shape [B, R, C, 7, 7]
    """
    along_y, along_x = _weights(features, boxes)
    return torch.einsum("bryh,bchw,brxw->brcyx", along_y, features, along_x)


def roi_mean(features: Tensor, boxes: Tensor) -> Tensor:
    """Return the mean of `roi_align` over its 49 cells as one matrix product per image.

    Parameters
    ----------
    features : Tensor of shape [B, C, h, w]
    boxes : Tensor of shape [B, R, 4]
        As for `roi_align`.

    Returns
    -------
    Tensor of shape [B, R, C]
    """
    along_y, along_x = _weights(features, boxes)
    weights = along_y.mean(dim=-2)[..., :, None] * along_x.mean(dim=-2)[..., None, :]
    # In training the map may be bfloat16: half the memory traffic, and the sum is still kept in float32.
    weights = weights.flatten(2).to(features.dtype)
    return torch.matmul(weights, features.flatten(2).transpose(1, 2)).to(boxes.dtype)
