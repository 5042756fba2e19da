"""The three graphs of RRA-VL as modules with the input and output names the runtime depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import Dim

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.model import RraVl


@dataclass(frozen=True)
class Graph:
    """One graph to export.

    Parameters
    ----------
    name : str
        File name without its ending.
    module : torch.nn.Module
    example : tuple of Tensor
        Inputs to trace with.
    inputs, outputs : tuple of str
    dynamic : tuple of mapping
        Per input: axis number to its symbolic size.
    """

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dynamic: tuple[Mapping[int, object], ...]


class _ImageEncoder(nn.Module):
    def __init__(self, model: RraVl) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image = self.model.encode_image(pixels)
        return image.features, image.global_embedding, image.boxes, image.box_logits.sigmoid()


class _RegionEncoder(nn.Module):
    def __init__(self, model: RraVl) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        return self.model.encode_regions(features, boxes)


class _TextEncoder(nn.Module):
    def __init__(self, model: RraVl) -> None:
        super().__init__()
        self.model = model

    def forward(self, token_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self.model.encode_text(token_ids, mask)
        return encoded.words, encoded.text


def feature_channels(model: RraVl) -> int:
    """Return the channels of the exported feature map: values, weighted values, saliences and findings."""
    return 2 * model.config.feature_channels + model.config.salience_heads + len(Finding)


def build_graphs(model: RraVl) -> tuple[Graph, Graph, Graph]:
    """Return the image, region and text encoder of a model, ready to trace."""
    size = model.config.image_size
    side = size // model.feature_stride
    batch, regions = Dim("batch"), Dim("regions")
    tokens = Dim("tokens", max=model.config.max_text_tokens)
    # Sizes 2, 5 and 12 stand for "any": the tracer treats 0 and 1 as special.
    boxes = torch.tensor([0.2, 0.2, 0.7, 0.8]).expand(2, 5, 4).contiguous()
    return (
        Graph(
            "image_encoder",
            _ImageEncoder(model).eval(),
            (torch.rand(2, 1, size, size),),
            ("pixels",),
            ("features", "global", "boxes", "box_scores"),
            ({0: batch},),
        ),
        Graph(
            "region_encoder",
            _RegionEncoder(model).eval(),
            (torch.rand(2, feature_channels(model), side, side), boxes),
            ("features", "boxes"),
            ("regions",),
            ({0: batch}, {0: batch, 1: regions}),
        ),
        Graph(
            "text_encoder",
            _TextEncoder(model).eval(),
            (torch.ones(2, 12, dtype=torch.int64), torch.ones(2, 12, dtype=torch.int64)),
            ("token_ids", "mask"),
            ("words", "text"),
            ({0: batch, 1: tokens}, {0: batch, 1: tokens}),
        ),
    )
