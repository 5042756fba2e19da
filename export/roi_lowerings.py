"""RoI pooling in an exported graph, in three forms that compute the same.

``matmul`` is what training runs: two small matrix products and nothing that an engine could lack.
``onnx`` is the standard ``RoiAlign`` followed by the mean over its cells. ``plugin`` is one node of this
project's own domain, which TensorRT hands to the plugin of
`edge_retrieve.runtime.backends.plugins`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from edge_retrieve.runtime.backends.plugins.definition import (
    PLUGIN_NAME,
    PLUGIN_NAMESPACE,
    PLUGIN_VERSION,
    RoiMeanFields,
)
from edge_retrieve.runtime.bundle.manifest import RoiAlign
from edge_retrieve.train.model import roi_align

_MODELS = "edge_retrieve.train.model"
# The opset in which RoiAlign learned `half_pixel`.
_ROI_ALIGN_SINCE = 16


def roi_mean_as_onnx(features: Tensor, boxes: Tensor) -> Tensor:
    """Return `roi_align.roi_mean` through ONNX ``RoiAlign``. For tracing only: eager, it gives zeros.

    Parameters
    ----------
    features : Tensor of shape [B, C, h, w]
    boxes : Tensor of shape [B, R, 4]
        Fractions of the map.

    Returns
    -------
    Tensor of shape [B, R, C]
    """
    batch, channels, height, width = features.shape
    regions = boxes.shape[1]
    scale = boxes.new_tensor([width, height, width, height])
    images = torch.arange(batch, device=boxes.device)[:, None].expand(batch, regions)
    cells = torch.onnx.ops.symbolic(
        "RoiAlign",
        (features, (boxes * scale).reshape(-1, 4), images.reshape(-1)),
        attrs={
            "coordinate_transformation_mode": "half_pixel",
            "mode": "avg",
            "output_height": roi_align.CELLS,
            "output_width": roi_align.CELLS,
            "sampling_ratio": roi_align.SAMPLES,
            "spatial_scale": 1.0,
        },
        dtype=features.dtype,
        shape=(batch * regions, channels, roi_align.CELLS, roi_align.CELLS),
        version=_ROI_ALIGN_SINCE,
    )
    return cells.mean(dim=(-2, -1)).reshape(batch, regions, channels)


def roi_mean_as_plugin(features: Tensor, boxes: Tensor) -> Tensor:
    """Return `roi_align.roi_mean` as the plugin's node. For tracing only: eager, it gives zeros.

    Boxes are float32 whatever the features are: float16 would move an edge by up to a part in 4,096.

    Parameters
    ----------
    features : Tensor of shape [B, C, h, w]
    boxes : Tensor of shape [B, R, 4]

    Returns
    -------
    Tensor of shape [B, R, C]
    """
    return torch.onnx.ops.symbolic(
        f"{PLUGIN_NAMESPACE}::{PLUGIN_NAME}",
        (features, boxes.float()),
        attrs={
            **dict(RoiMeanFields(roi_align.CELLS, roi_align.CELLS, roi_align.SAMPLES).items()),
            # TensorRT's parser looks the creator up by these two.
            "plugin_version": PLUGIN_VERSION,
            "plugin_namespace": PLUGIN_NAMESPACE,
        },
        dtype=features.dtype,
        shape=(features.shape[0], boxes.shape[1], features.shape[1]),
        version=1,
    )


@contextmanager
def lowered(lowering: RoiAlign) -> Iterator[None]:
    """Have models pool regions in a chosen form, for the graphs that are traced inside.

    Every module of the model that imported `roi_align.roi_mean` gets the other form for the time being, so
    what is traced takes exactly the arguments that the model gives, wherever in the model it pools.

    Parameters
    ----------
    lowering : RoiAlign
    """
    forms = {RoiAlign.ONNX: roi_mean_as_onnx, RoiAlign.PLUGIN: roi_mean_as_plugin}
    original = roi_align.roi_mean
    changed = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(_MODELS) and getattr(module, "roi_mean", None) is original
    ]
    try:
        for module in changed:
            vars(module)["roi_mean"] = forms.get(lowering, original)
        yield
    finally:
        for module in changed:
            vars(module)["roi_mean"] = original
