"""The shipped region encoder with its pooling rewritten into each form, and back."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_retrieve.export.roi_nodes import pooling_nodes
from edge_retrieve.export.roi_rewrite import find_poolings, pool_as, pooled_mean
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.backends.plugins.definition import PLUGIN_NAME, PLUGIN_NAMESPACE
from edge_retrieve.runtime.bundle import DEMO_BUNDLE, RoiAlign
from edge_retrieve.runtime.errors import ExportError

BOUND = 1e-4
# None puts a sample exactly where sampling ends: there rounding decides, not the definition.
EDGE_BOXES = [
    [0, 0, 1, 1], [0.4, 0.4, 0.4, 0.4], [-0.31, 0.79, 1.4, 1.23], [2, 2, 3, 3], [0.9, 0.8, 0.3, 0.2],
]  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> onnx.ModelProto:
    return widened(onnx.load(DEMO_BUNDLE / "region_encoder.onnx"))


@pytest.fixture(scope="module")
def feeds(shipped: onnx.ModelProto) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    shape = [extent.dim_value for extent in shipped.graph.input[0].type.tensor_type.shape.dim[1:]]
    boxes = generator.uniform(0, 1, (2, 12, 4))
    boxes[:, :5] = EDGE_BOXES
    return {
        "features": generator.random((2, *shape), dtype=np.float32),
        "boxes": boxes.astype(np.float32),
    }


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def kinds(model: onnx.ModelProto) -> list[tuple[str, str]]:
    return [(node.domain, node.op_type) for node in model.graph.node]


def test_the_shipped_graph_computes_the_same_with_the_standard_operator(
    shipped: onnx.ModelProto, feeds: dict[str, np.ndarray]
) -> None:
    (found,) = find_poolings(onnx.shape_inference.infer_shapes(shipped))
    assert (found.form, found.features, found.boxes) == (RoiAlign.MATMUL, "features", "boxes")
    standard = pool_as(shipped, RoiAlign.ONNX)
    onnx.checker.check_model(standard, full_check=True)
    assert kinds(standard).count(("", "RoiAlign")) == 1
    assert ("", "LessOrEqual") not in kinds(standard)  # nothing of the old pooling is left
    assert np.abs(run(standard, feeds) - run(shipped, feeds)).max() <= BOUND


@pytest.mark.parametrize(("one", "other"), list(permutations(RoiAlign, 2)), ids=str)
def test_there_and_back_computes_the_same(
    shipped: onnx.ModelProto, feeds: dict[str, np.ndarray], one: RoiAlign, other: RoiAlign
) -> None:
    turned = pool_as(pool_as(shipped, one), other)
    (found,) = find_poolings(onnx.shape_inference.infer_shapes(turned))
    assert (found.form, found.boxes) == (other, "boxes")
    back = pool_as(turned, RoiAlign.MATMUL)
    assert not {("", "RoiAlign"), (PLUGIN_NAMESPACE, PLUGIN_NAME)} & set(kinds(back))
    assert np.abs(run(back, feeds) - run(shipped, feeds)).max() <= BOUND


def test_the_plugin_is_one_node_with_all_its_creator_needs(shipped: onnx.ModelProto) -> None:
    turned = pool_as(shipped, RoiAlign.PLUGIN)
    onnx.checker.check_model(turned)
    (node,) = [node for node in turned.graph.node if node.op_type == PLUGIN_NAME]
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    assert given == {
        "output_height": 7, "output_width": 7, "sampling_ratio": 2, "plugin_version": b"1",
        "plugin_namespace": b"edge_retrieve",
    }  # fmt: skip
    assert list(node.input) == ["features", "boxes"]


@pytest.mark.parametrize("form", [RoiAlign.ONNX, RoiAlign.MATMUL])
@pytest.mark.parametrize("shape", [(5, 7, 11), (1, 1, 1), (3, 16, 4)])
def test_made_nodes_equal_the_definition_in_numpy(form: RoiAlign, shape: tuple[int, int, int]) -> None:
    nodes, constants = pooling_nodes(
        form, features="features", boxes="boxes", pooled="pooled", shape=shape, prefix="p"
    )
    graph = helper.make_graph(
        nodes,
        "pooling",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", *shape]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["B", "R", 4]),
        ],
        [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["B", "R", shape[0]])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    generator = np.random.default_rng(1)
    features = generator.uniform(-1, 1, (3, *shape)).astype(np.float32)
    boxes = generator.uniform(-0.3, 1.3, (3, 40, 4)).astype(np.float32)
    boxes[0, :5] = EDGE_BOXES
    got = run(model, {"features": features, "boxes": boxes})
    assert np.abs(got - pooled_mean(features, boxes)).max() <= BOUND


def test_products_that_only_look_like_pooling_are_left_alone(shipped: onnx.ModelProto) -> None:
    """Structure proposes, numbers decide: another sampling has the same nodes."""
    other = onnx.ModelProto()
    other.CopyFrom(shipped)
    for tensor in other.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.shape == (14,):  # the places of the samples within a box
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.sqrt(values), tensor.name))
    assert find_poolings(onnx.shape_inference.infer_shapes(other)) == ()
    assert kinds(pool_as(other, RoiAlign.ONNX)) == kinds(other)


def test_a_roi_align_of_another_definition_is_refused(shipped: onnx.ModelProto) -> None:
    standard = pool_as(shipped, RoiAlign.ONNX)
    (node,) = [node for node in standard.graph.node if node.op_type == "RoiAlign"]
    next(item for item in node.attribute if item.name == "sampling_ratio").i = 4
    with pytest.raises(ExportError, match="RoiAlign is not followed by the mean"):
        pool_as(standard, RoiAlign.MATMUL)


def test_a_graph_without_pooling_comes_back_as_it_is() -> None:
    text = widened(onnx.load(DEMO_BUNDLE / "text_encoder.onnx"))
    assert kinds(pool_as(text, RoiAlign.PLUGIN)) == kinds(text)
