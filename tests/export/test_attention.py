"""Attention is traced in plain operators, and a model trains on with what it had."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from transformers import ViTConfig, ViTModel

from edge_retrieve.export.attention import PLAIN, plain_attention
from edge_retrieve.export.graphs import Graph
from edge_retrieve.export.to_onnx import trace_graph

LAYERS = 2


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        config = ViTConfig(
            hidden_size=16,
            num_hidden_layers=LAYERS,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            attn_implementation="sdpa",
        )
        self.model = ViTModel(config, add_pooling_layer=False)

    def forward(self, pixels):
        return (self.model(pixel_values=pixels).last_hidden_state,)


@pytest.fixture
def tokens():
    return Tokens().eval()


def test_no_guard_follows_the_softmax_and_the_numbers_are_the_same(tokens):
    pixels = torch.rand(2, 3, 32, 32)
    batch = torch.export.Dim("batch")
    model = trace_graph(Graph("vit", tokens, (pixels,), ("pixels",), ("tokens",), ({0: batch},)))
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Softmax"] == LAYERS
    assert not kinds["IsNaN"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = tokens(pixels[:1])[0].numpy()
    np.testing.assert_allclose(
        session.run(None, {"pixels": pixels[:1].numpy()})[0], expected, rtol=1e-4, atol=1e-5
    )


def test_afterwards_the_model_computes_attention_as_before(tokens):
    with plain_attention(tokens):
        assert tokens.model.config._attn_implementation == PLAIN
    assert tokens.model.config._attn_implementation == "sdpa"
