"""Products that share their input become one, and compute the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_retrieve.export.int8 import quantisable, to_int8
from edge_retrieve.export.joining import joined
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.bundle import DEMO_BUNDLE

WIDTHS = (6, 6, 10)


def attention_like(shared_reader: bool = False) -> onnx.ModelProto:
    """Three products of one input with a bias each, whose results meet again."""
    random = np.random.default_rng(0)
    # The first layer: what stands before it is never quantised.
    tensors = [numpy_helper.from_array(random.normal(size=(8, 8)).astype(np.float32), "first")]
    nodes = [helper.make_node("MatMul", ["x", "first"], ["h"], "begin")]
    for n, width in enumerate(WIDTHS):
        tensors += [
            numpy_helper.from_array(random.normal(size=(8, width)).astype(np.float32), f"w{n}"),
            numpy_helper.from_array(random.normal(size=width).astype(np.float32), f"b{n}"),
        ]
        # The bias may stand on either side.
        order = [f"p{n}", f"b{n}"] if n else [f"b{n}", f"p{n}"]
        nodes += [
            helper.make_node("MatMul", ["h", f"w{n}"], [f"p{n}"], f"product{n}"),
            helper.make_node("Add", order, [f"s{n}"], f"sum{n}"),
        ]
    nodes.append(helper.make_node("Concat", ["s0", "s1", "s2"], ["y"], "end", axis=-1))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5, sum(WIDTHS)])]
    if shared_reader:
        outputs.append(helper.make_tensor_value_info("p1", TensorProto.FLOAT, ["n", 5, WIDTHS[1]]))
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5, 8])]
    graph = helper.make_graph(nodes, "attention", given, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, x: np.ndarray, *, optimised: bool = True) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(["y"], {"x": x})[0]


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)


def test_three_products_are_one_that_computes_the_same(x: np.ndarray) -> None:
    before = attention_like()
    after = joined(before)
    onnx.checker.check_model(after, full_check=True)
    assert [node.op_type for node in after.graph.node] == ["MatMul", "MatMul", "Add", "Split", "Concat"]
    np.testing.assert_allclose(run(after, x), run(before, x), atol=1e-6)
    assert len(before.graph.node) == 8  # left as it is
    # All the weights are there once.
    sizes = [
        len(tensor.raw_data) for tensor in after.graph.initializer if tensor.data_type == TensorProto.FLOAT
    ]
    assert sum(sizes) == 4 * (8 * 8 + 9 * 22)


def test_a_product_that_something_else_reads_stays(x: np.ndarray) -> None:
    model = attention_like(shared_reader=True)
    assert joined(model) == model


def test_in_int8_the_one_product_is_near_the_three_in_float32(x: np.ndarray) -> None:
    exact = onnx.shape_inference.infer_shapes(joined(attention_like()))
    assert len(quantisable(exact)) == 1
    int8 = to_int8(exact, [{"x": x}])
    ours, expected = run(int8, x), run(exact, x)
    assert 0 < np.abs(ours - expected).max() <= 0.03 * np.abs(expected).max()


def test_the_text_encoder_s_queries_keys_and_values_are_one_product_a_layer() -> None:
    stored = onnx.load(str(DEMO_BUNDLE / "text_encoder.onnx"))
    before = onnx.shape_inference.infer_shapes(widened(stored))
    after = onnx.shape_inference.infer_shapes(joined(before))
    assert len(quantisable(before)) - len(quantisable(after)) == 2 * 2  # two of three, in two layers
    ids = np.random.default_rng(2).integers(1, 400, (2, 9))
    feeds = {"token_ids": ids, "mask": np.ones_like(ids)}
    found = []
    for model in (before, after):
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        found.append(session.run(["words", "text"], feeds))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
