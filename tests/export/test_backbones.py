"""Models on pretrained towers become graphs that compute the same, at any batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from edge_retrieve.export.graphs import build_graphs
from edge_retrieve.export.to_onnx import trace_graph
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.image_backbone import ImageBackboneSpec
from edge_retrieve.train.model.pixel_scaling import PixelScaling
from edge_retrieve.train.model.towers import StoredBackbones

TRANSFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "mlp_ratio": 2,
}
STAGES = {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}
VISION: dict[str, dict[str, Any]] = {
    "vit": {**TRANSFORMER, "patch_size": 8},
    "dinov2": {**TRANSFORMER, "patch_size": 14},
    "convnext": STAGES,
    "resnet": {**STAGES, "embedding_size": 8, "layer_type": "basic"},
    "swin": {
        **{"patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1, 1]},
        **{"num_heads": [1, 1, 2, 2], "window_size": 2},
    },
}
TEXT = {**TRANSFORMER, "vocab_size": 60, "max_position_embeddings": 40, "pad_token_id": 1}


def model_of(vision: str, text: str) -> RraVl:
    size = 56 if vision == "dinov2" else 64
    config = ModelConfig(
        image_size=size,
        feature_channels=16,
        salience_heads=4,
        projection_width=16,
        embedding_dim=16,
        max_text_tokens=32,
        image_backbone="elsewhere",
        text_backbone="elsewhere",
    )
    spec = ImageBackboneSpec(
        json.dumps({"model_type": vision, "image_size": size, **VISION[vision]}),
        PixelScaling((0.5, 0.4, 0.3), (0.2, 0.3, 0.25)),
        size,
    )
    torch.manual_seed(0)
    stored = StoredBackbones(spec, json.dumps({"model_type": text, **TEXT}))
    model = RraVl(config, 60, stored).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(value.half().float())  # as graphs store them, so that nothing else may differ
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vision", "text", "graphs"),
    [
        ("vit", "bert", ("image_encoder", "region_encoder", "text_encoder")),
        ("dinov2", "roberta", ("image_encoder", "region_encoder", "text_encoder")),
        ("convnext", "bert", ("image_encoder",)),
        ("resnet", "bert", ("image_encoder",)),
        ("swin", "bert", ("image_encoder",)),
    ],
)
def test_graphs_compute_what_the_model_does(
    tmp_path: Path, vision: str, text: str, graphs: tuple[str, ...]
) -> None:
    for graph in build_graphs(model_of(vision, text)):
        if graph.name not in graphs:
            continue
        path = tmp_path / f"{graph.name}.onnx"
        path.write_bytes(trace_graph(graph).SerializeToString())
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for batch in (1, 2, 3):
            inputs = [fresh(*entry, batch) for entry in zip(graph.inputs, graph.example, strict=True)]
            with torch.no_grad():
                expected = graph.module(*inputs)
            expected = expected if isinstance(expected, tuple) else (expected,)
            fed = {name: value.numpy() for name, value in zip(graph.inputs, inputs, strict=True)}
            for found, wanted in zip(session.run(None, fed), expected, strict=True):
                np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-3, atol=2e-4)


def fresh(name: str, example: torch.Tensor, batch: int) -> torch.Tensor:
    """Return another input of this name, for a batch of any size; texts have 5 + batch tokens."""
    generator = torch.Generator().manual_seed(batch)
    if name == "mask":
        return (torch.arange(5 + batch) < torch.arange(3, 3 + batch)[:, None]).long()
    if name == "token_ids":
        return torch.randint(2, 60, (batch, 5 + batch), generator=generator)
    return torch.rand(batch, *example.shape[1:], generator=generator)
