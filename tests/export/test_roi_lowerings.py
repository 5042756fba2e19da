"""The region encoder with RoI pooling in each of its three forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edge_retrieve.export.graphs import Graph, build_graphs
from edge_retrieve.export.roi_lowerings import lowered
from edge_retrieve.export.to_onnx import write_graph
from edge_retrieve.runtime.backends.plugins.definition import PLUGIN_NAME, PLUGIN_NAMESPACE, RoiMeanFields
from edge_retrieve.runtime.bundle.manifest import RoiAlign
from edge_retrieve.train.config import parse_config
from edge_retrieve.train.model import RraVl, roi_align, rra_vl

BOUND = 1e-4
STORED_BOUND = 2e-3  # graphs hold their weights in float16
CONFIG = parse_config(
    {
        "out": "unused",
        "stages": [{"name": "a", "epochs": 1, "learning_rate": 0.001}],
        "model": {
            "image_size": 64, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "feature_channels": 16,
            "salience_heads": 4, "projection_width": 32, "embedding_dim": 24, "text_width": 32,
            "text_layers": 1, "text_heads": 2, "max_text_tokens": 32,
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def region_encoder() -> Graph:
    torch.manual_seed(0)
    model = RraVl(CONFIG.model, 100).eval()
    with torch.no_grad():
        features = model.encode_image(torch.rand(2, 1, 64, 64)).features
    graph = build_graphs(model)[1]
    return replace(graph, example=(features, graph.example[1]))


@pytest.fixture(scope="module")
def graphs(region_encoder: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[RoiAlign, Path]:
    paths = {form: tmp_path_factory.mktemp("graphs") / f"{form.value}.onnx" for form in RoiAlign}
    for form, path in paths.items():
        with lowered(form):
            write_graph(region_encoder, path)
    return paths


def operators(path: Path) -> list[tuple[str, str]]:
    return [(node.domain, node.op_type) for node in onnx.load(path).graph.node]


def test_each_form_is_what_its_name_says(graphs: dict[RoiAlign, Path]) -> None:
    pooling = {("", "RoiAlign"), (PLUGIN_NAMESPACE, PLUGIN_NAME)}
    assert not pooling & set(operators(graphs[RoiAlign.MATMUL]))
    assert operators(graphs[RoiAlign.ONNX]).count(("", "RoiAlign")) == 1
    assert operators(graphs[RoiAlign.PLUGIN]).count((PLUGIN_NAMESPACE, PLUGIN_NAME)) == 1


@pytest.mark.parametrize(("batch", "regions"), [(1, 1), (1, 29), (3, 7)])
def test_onnx_and_matmul_give_equal_embeddings(
    graphs: dict[RoiAlign, Path], region_encoder: Graph, batch: int, regions: int
) -> None:
    generator = np.random.default_rng(batch)
    features = generator.random((batch, *region_encoder.example[0].shape[1:]), dtype=np.float32)
    boxes = np.sort(generator.random((batch, regions, 2, 2)), axis=2).reshape(batch, regions, 4)
    # Whole image, no area, across the border, outside, swapped edges.
    odd = np.array(
        [[0, 0, 1, 1], [0.4, 0.4, 0.4, 0.4], [-0.3, 0.8, 1.4, 1.2], [2, 2, 3, 3], [0.9, 0.8, 0.3, 0.2]]
    )
    boxes[:, : len(odd)] = odd[:regions]
    feeds = {"features": features, "boxes": boxes.astype(np.float32)}
    outputs = [
        np.asarray(
            onnxruntime.InferenceSession(graphs[form], providers=["CPUExecutionProvider"]).run(None, feeds)[0]
        )
        for form in (RoiAlign.ONNX, RoiAlign.MATMUL)
    ]
    assert outputs[0].shape == (batch, regions, 24)
    assert np.abs(outputs[0] - outputs[1]).max() <= BOUND
    eager = region_encoder.module(torch.from_numpy(features), torch.from_numpy(feeds["boxes"]))
    assert np.abs(outputs[0] - eager.detach().numpy()).max() <= STORED_BOUND


def test_the_plugin_node_says_all_that_its_creator_needs(graphs: dict[RoiAlign, Path]) -> None:
    model = onnx.load(graphs[RoiAlign.PLUGIN])
    onnx.checker.check_model(model, full_check=True)
    (node,) = (node for node in model.graph.node if node.op_type == PLUGIN_NAME)
    values = {it.name: onnx.helper.get_attribute_value(it) for it in node.attribute}
    assert values.pop("plugin_version") == b"1"
    assert values.pop("plugin_namespace") == PLUGIN_NAMESPACE.encode()
    assert values == dict(RoiMeanFields().items())
    assert RoiMeanFields.parse(values) == RoiMeanFields()
    # Nothing stands between the graph's inputs and the node, so it sees the boxes as they were drawn.
    assert list(node.input) == ["features", "boxes"]
    opsets = {it.domain: it.version for it in model.opset_import}
    assert opsets[PLUGIN_NAMESPACE] == 1


@pytest.mark.parametrize("form", list(RoiAlign))
def test_the_model_pools_as_before_once_the_graphs_are_traced(form: RoiAlign) -> None:
    original = rra_vl.roi_mean

    def fail() -> None:
        with lowered(form):
            assert (rra_vl.roi_mean is original) == (form is RoiAlign.MATMUL)
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert rra_vl.roi_mean is roi_align.roi_mean is original
