import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner, run_bound
from edge_retrieve.runtime.errors import BackendError


@pytest.fixture
def text_graph(toy):
    return toy.bundle.file("text_encoder.onnx")


def test_outputs_equal_onnxruntime_called_directly(text_graph):
    feeds = {"token_ids": np.asarray([[3, 4, 0]]), "mask": np.asarray([[1, 1, 0]])}
    direct = onnxruntime.InferenceSession(str(text_graph), providers=["CPUExecutionProvider"])
    with OnnxRuntimeRunner(text_graph, Backend.CPU, threads=1) as runner:
        ours = runner.run(feeds)
    for name, value in zip(("words", "text"), direct.run(["words", "text"], feeds), strict=True):
        np.testing.assert_array_equal(ours[name], value)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"token_ids": np.zeros((1, 2), np.int64)}, r"has inputs \['mask', 'token_ids'\], it was given"),
        (
            {"token_ids": np.zeros((1, 2), np.int32), "mask": np.zeros((1, 2), np.int64)},
            "element type int32, the graph wants int64",
        ),
        (
            {"token_ids": np.zeros((2,), np.int64), "mask": np.zeros((1, 2), np.int64)},
            "has shape 2, the graph wants any x any",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(text_graph, feeds, message):
    with (
        OnnxRuntimeRunner(text_graph, Backend.CPU, threads=1) as runner,
        pytest.raises(BackendError, match=message),
    ):
        runner.run(feeds)


def test_a_failing_operator_is_an_error_of_ours(text_graph):
    feeds = {"token_ids": np.asarray([[999]]), "mask": np.asarray([[1]])}
    with (
        OnnxRuntimeRunner(text_graph, Backend.CPU, threads=1) as runner,
        pytest.raises(BackendError, match="the engine failed"),
    ):
        runner.run(feeds)


def test_a_broken_graph_is_named(tmp_path):
    graph = tmp_path / "image_encoder.onnx"
    graph.write_bytes(b"not a graph")
    with pytest.raises(BackendError, match=r"image_encoder\.onnx: the graph cannot be loaded"):
        OnnxRuntimeRunner(graph, Backend.CPU)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime has CUDA"
)
def test_without_cuda_the_extra_is_named(text_graph):
    with pytest.raises(BackendError, match=r"edge-retrieve\[gpu\]"):
        OnnxRuntimeRunner(text_graph, Backend.CUDA)


def test_bound_inputs_and_outputs_give_what_a_plain_run_gives(text_graph):
    """The way the CUDA backend runs a session, on the only device that is everywhere."""
    session = onnxruntime.InferenceSession(str(text_graph), providers=["CPUExecutionProvider"])
    feeds = {"token_ids": np.asarray([[3, 4, 0]])[:, ::-1], "mask": np.asarray([[0, 1, 1]])}
    bound = run_bound(onnxruntime, session, feeds, ["text", "words"], "cpu")
    for ours, plain in zip(bound, session.run(["text", "words"], feeds), strict=True):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("backend", ["cpu", "auto"])
def test_without_onnxruntime_the_extra_is_named(backend):
    script = f"""
import sys
sys.modules["onnxruntime"] = None
from edge_retrieve.runtime.backends import Backend, open_graphs
from edge_retrieve.runtime.bundle import load_bundle
open_graphs(load_bundle(), Backend({backend!r}))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "backend cpu: ONNX Runtime is not installed" in run.stderr
    assert 'pip install "edge-retrieve[cpu]"' in run.stderr
