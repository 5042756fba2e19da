"""OpenVINO computes what ONNX Runtime computes, in the arithmetic the graph was made for."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_retrieve.runtime.backends import Backend, open_graphs
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner
from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner
from edge_retrieve.runtime.bundle import Graph
from edge_retrieve.runtime.errors import BackendError, MissingExtraError

pytest.importorskip("openvino")

WEIGHTS = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
FEEDS = {
    Graph.IMAGE_ENCODER: {"pixels": np.random.default_rng(2).random((2, 1, 64, 64), np.float32)},
    Graph.REGION_ENCODER: {
        "features": np.random.default_rng(3).random((1, 8, 8, 8), np.float32),
        "boxes": np.asarray([[[0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1]]], np.float32),
    },
    Graph.TEXT_ENCODER: {"token_ids": np.asarray([[3, 4, 0]]), "mask": np.asarray([[1, 1, 0]])},
}


def product(path, precision):
    """Write one matrix product as float32, as float16, or with its operands quantised to int8."""
    kind = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    weights = WEIGHTS.astype(np.float16) if precision == "fp16" else WEIGHTS
    node, stored = helper.make_node, {"w": weights}
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    if precision == "int8":
        scale = np.abs(WEIGHTS).max(axis=0) / np.float32(127)
        stored = {
            "w8": np.rint(WEIGHTS / scale).astype(np.int8),
            "w_scale": scale,
            "w_zero": np.zeros(32, np.int8),
            "x_scale": np.float32(8 / 255),
            "x_zero": np.uint8(128),
        }
        nodes = [
            node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x8"]),
            node("DequantizeLinear", ["x8", "x_scale", "x_zero"], ["xd"]),
            node("DequantizeLinear", ["w8", "w_scale", "w_zero"], ["wd"], axis=1),
            node("MatMul", ["xd", "wd"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", kind, ["rows", 64])],
        [helper.make_tensor_value_info("y", kind, ["rows", 32])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def able():
    import openvino

    return openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize("graph", list(Graph), ids=lambda graph: graph.value)
def test_outputs_are_those_of_onnxruntime(toy, graph):
    path = toy.bundle.file(f"{graph.value}.onnx")
    direct = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with OpenVinoRunner(path, threads=1) as runner, OnnxRuntimeRunner(path, Backend.CPU, threads=1) as other:
        assert runner.inputs == other.inputs
        ours = runner.run(FEEDS[graph])
    assert list(ours) == [item.name for item in direct.get_outputs()]
    for value, expected in zip(ours.values(), direct.run(None, FEEDS[graph]), strict=True):
        assert value.dtype == expected.dtype
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_one_image_and_several_give_the_same_numbers(toy):
    pixels = np.random.default_rng(4).random((3, 1, 64, 64), np.float32)
    with OpenVinoRunner(toy.bundle.file("image_encoder.onnx"), threads=1) as runner:
        assert runner.inputs[0].shape[0] is None
        each = [runner.run({"pixels": pixels[number : number + 1]}) for number in range(3)]
        together = runner.run({"pixels": pixels})
    for name, values in together.items():
        alone = np.concatenate([answer[name] for answer in each])
        np.testing.assert_allclose(values, alone, rtol=1e-5, atol=1e-6)


def test_float32_stays_float32_where_the_processor_could_do_less(tmp_path):
    with OpenVinoRunner(product(tmp_path / "a.onnx", "fp32"), threads=1) as runner:
        assert runner.arithmetic == "f32"
        # bfloat16 has 8 bits: it would be wrong in the third digit.
        np.testing.assert_allclose(runner.run({"x": ROWS})["y"], ROWS @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_a_quantised_graph_computes_its_rest_in_bfloat16_where_that_exists(tmp_path):
    with OpenVinoRunner(product(tmp_path / "a.onnx", "int8"), threads=1) as runner:
        assert runner.arithmetic == ("bf16" if "BF16" in able() else "f32")
        ours, exact = runner.run({"x": ROWS})["y"], ROWS @ WEIGHTS
    error = np.linalg.norm(ours - exact) / np.linalg.norm(exact)
    assert 1e-4 < error < 0.02  # quantised it was, and no worse than that


def test_a_float16_graph_never_computes_in_less_than_float16(tmp_path):
    with OpenVinoRunner(product(tmp_path / "a.onnx", "fp16"), threads=1) as runner:
        assert runner.arithmetic == ("f16" if "FP16" in able() else "f32")
        ours = runner.run({"x": ROWS.astype(np.float16)})["y"]
    assert ours.dtype == np.float16
    np.testing.assert_allclose(ours, ROWS @ WEIGHTS, rtol=5e-3, atol=2e-2)


def test_a_bundle_opens_in_it_by_name_and_does_not_count_as_a_gpu(toy):
    with open_graphs(toy.bundle, Backend.OPENVINO, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.OPENVINO
        assert graphs.runners[Graph.TEXT_ENCODER].name == "OpenVINO cpu: text_encoder.onnx"
    with pytest.raises(BackendError, match="a GPU is required"):
        open_graphs(toy.bundle, Backend.OPENVINO, require_gpu=True)


def test_results_outlive_the_next_run_and_a_closed_runner_says_so(toy):
    runner = OpenVinoRunner(toy.bundle.file("text_encoder.onnx"), threads=1)
    first = runner.run({"token_ids": np.asarray([[3, 4]]), "mask": np.ones((1, 2), np.int64)})["text"]
    kept = first.copy()
    runner.run({"token_ids": np.asarray([[5, 6]]), "mask": np.ones((1, 2), np.int64)})
    np.testing.assert_array_equal(first, kept)
    runner.close()
    runner.close()
    with pytest.raises(BackendError, match="the runner is closed"):
        runner.run({})


def test_what_does_not_fit_or_does_not_read_is_named(toy, tmp_path):
    broken = tmp_path / "image_encoder.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(BackendError, match=r"image_encoder\.onnx: the graph cannot be loaded"):
        OpenVinoRunner(broken)
    with (
        OpenVinoRunner(toy.bundle.file("text_encoder.onnx"), threads=1) as runner,
        pytest.raises(BackendError, match="element type int32, the graph wants int64"),
    ):
        runner.run({"token_ids": np.zeros((1, 2), np.int32), "mask": np.zeros((1, 2), np.int64)})


def test_without_it_the_extra_is_named(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"edge-retrieve\[openvino\]"):
        OpenVinoRunner(toy.bundle.file("text_encoder.onnx"))


def test_the_part_of_it_that_reports_use_over_the_network_is_never_loaded(toy):
    code = (
        "import sys; from pathlib import Path;"
        "from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner;"
        "OpenVinoRunner(Path(sys.argv[1]), threads=1);"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    graph = str(toy.bundle.file("text_encoder.onnx"))
    assert subprocess.check_output([sys.executable, "-c", code, graph], text=True).strip() == "[]"
