"""A graph turned to float16 says every type itself, computes the same, and keeps what numbers need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_retrieve.export.float16 import element_types, float32_nodes, to_float16
from edge_retrieve.runtime.bundle import DEMO_BUNDLE
from edge_retrieve.runtime.errors import ExportError

GRAPHS = ("image_encoder", "region_encoder", "text_encoder")


def small_model() -> onnx.ModelProto:
    """pixels -> standardised -> Conv -> relu -> divided by its L2 norm, with a weight only Resize scales."""
    weight = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], name="mean", axes=[2, 3]),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"], name="centre"),
        helper.make_node("Conv", ["centred", "weight"], ["seen"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["seen"], ["positive"], name="relu"),
        helper.make_node("Resize", ["positive", "", "scales"], ["larger"], name="resize", mode="nearest"),
        helper.make_node("ReduceL2", ["larger"], ["length"], name="length", axes=[1]),
        helper.make_node("Add", ["length", "tiny"], ["safe"], name="safe"),
        helper.make_node("Div", ["larger", "safe"], ["unit"], name="divide"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 1, 8, 8])],
        [
            helper.make_tensor_value_info("unit", TensorProto.FLOAT, ["B", 4, 16, 16]),
            helper.make_tensor_value_info("positive", TensorProto.FLOAT, ["B", 4, 8, 8]),
        ],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.asarray([1, 1, 2, 2], np.float32), "scales"),
            numpy_helper.from_array(np.asarray(1e-6, np.float32), "tiny"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_it_computes_nearly_the_same_behind_the_same_inputs_and_outputs() -> None:
    model = small_model()
    before = model.SerializeToString()
    half = to_float16(model)
    assert model.SerializeToString() == before
    pixels = np.random.default_rng(1).random((3, 1, 8, 8), dtype=np.float32)
    for found, expected in zip(run(half, {"pixels": pixels}), run(model, {"pixels": pixels}), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=3e-3)
        assert np.abs(found - expected).max() > 0, "nothing was rounded: this is still float32"


def test_layers_are_float16_and_norms_and_pixels_are_not() -> None:
    half = to_float16(small_model())
    types = element_types(half.graph)
    kind = {node.name: types[node.output[0]] for node in half.graph.node}
    assert kind["conv"] == kind["relu"] == kind["resize"] == TensorProto.FLOAT16
    assert {"mean", "centre", "length", "safe", "divide"} - set(float32_nodes(half)) <= {"safe"}
    (weight,) = (tensor for tensor in half.graph.initializer if tensor.name.startswith("weight"))
    assert weight.data_type == TensorProto.FLOAT16


def test_a_kept_node_computes_in_float32_and_an_unknown_one_is_named() -> None:
    assert "conv" in float32_nodes(to_float16(small_model(), keep=frozenset({"conv"})))
    with pytest.raises(ExportError, match="no node convolution"):
        to_float16(small_model(), keep=frozenset({"convolution"}))


def test_what_float16_cannot_hold_becomes_its_largest() -> None:
    model = small_model()
    lowest = numpy_helper.from_array(np.asarray(np.finfo(np.float32).min), "tiny")
    model.graph.initializer[2].CopyFrom(lowest)
    model.graph.node[6].input[0] = "larger"  # away from the norm: an ordinary sum
    half = to_float16(model)
    stored = next(tensor for tensor in half.graph.initializer if tensor.name.startswith("tiny"))
    assert np.isfinite(numpy_helper.to_array(stored)).all()


@pytest.mark.parametrize("name", GRAPHS)
def test_every_operator_of_the_models_graphs_has_one_float_type(name: str) -> None:
    half = to_float16(onnx.load(str(Path(DEMO_BUNDLE) / f"{name}.onnx")))
    types = element_types(half.graph)
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16}
    for node in half.graph.node:
        if node.op_type in ("Cast", "Resize"):
            continue
        kinds = {types[value] for value in (*node.input, *node.output) if value} & floats
        assert len(kinds) <= 1, f"{node.name} mixes types"
    for value in (*half.graph.input, *half.graph.output):
        assert value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.INT64)
    wide = set(float32_nodes(half))
    for node in half.graph.node:
        if node.op_type in ("Softmax", "LayerNormalization", "ReduceL2", "Exp", "Log"):
            assert node.name in wide
        if node.op_type in ("Conv", "Gemm"):
            assert node.name not in wide


def test_a_norm_stays_whole_so_that_its_result_has_unit_length() -> None:
    rng = np.random.default_rng(2)
    half = to_float16(onnx.load(str(Path(DEMO_BUNDLE) / "text_encoder.onnx")))
    ids = rng.integers(1, 400, (3, 12))
    _, text = run(half, {"token_ids": ids, "mask": np.ones_like(ids)})
    np.testing.assert_allclose(np.linalg.norm(text, axis=-1), 1.0, atol=1e-5)
