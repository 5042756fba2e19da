import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.backends.bound_session import MOST_RECORDED, BoundSession, run_bound
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner
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
    assert "cpu: ONNX Runtime is not installed" in run.stderr
    assert 'pip install "edge-retrieve[cpu]"' in run.stderr


class _Recorded:
    """A session that counts its runs and notes which recorded graph each asks for."""

    def __init__(self, session, refuses=()):
        self._session, self._refuses, self.graphs = session, refuses, []

    def io_binding(self):
        return self._session.io_binding()

    def run_with_iobinding(self, binding, options):
        graph = options.get_run_config_entry("gpu_graph_id")
        self.graphs.append(graph)
        if graph in self._refuses:
            raise RuntimeError("operation not permitted when stream is capturing")
        self._session.run_with_iobinding(binding, options)


def numbered_feeds(tokens, seed):
    ids = np.random.default_rng(seed).integers(1, 5, (1, tokens))
    return {"token_ids": ids, "mask": np.ones_like(ids)}


def recorded_session(text_graph, refuses=()):
    plain = onnxruntime.InferenceSession(str(text_graph), providers=["CPUExecutionProvider"])
    session = _Recorded(plain, refuses)
    bound = BoundSession(onnxruntime, session, ["text", "words"], "cpu", recording=True)
    return plain, session, bound


def test_shapes_that_come_again_are_recorded_and_replayed_over_the_same_memory(text_graph):
    """On host memory, where a recorded run is a run: what CUDA itself does is not seen here."""
    plain, session, bound = recorded_session(text_graph)
    results = []
    for seed, tokens in enumerate([3, 3, 3, 5, 3, 5, 5]):
        feeds = numbered_feeds(tokens, seed)
        results.append((bound.run(feeds), plain.run(["text", "words"], feeds)))
    for ours, expected in results:  # all of them at the end: a later run must leave earlier results alone
        for one, other in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    # A first run as it is; before shapes are recorded one more, which tells how large the outputs are.
    assert session.graphs == ["-1", "-1", "1", "1", "-1", "1", "-1", "2", "2"]


def test_no_more_shapes_are_recorded_than_memory_is_kept_for(text_graph):
    _, session, bound = recorded_session(text_graph)
    for tokens in range(1, MOST_RECORDED + 3):
        for _ in range(3):
            bound.run(numbered_feeds(tokens, 0))
    assert {int(graph) for graph in session.graphs} == {-1, *range(1, MOST_RECORDED + 1)}


def test_what_cannot_be_recorded_runs_as_it_is(text_graph):
    plain, session, bound = recorded_session(text_graph, refuses=("1",))
    feeds = numbered_feeds(4, 0)
    for _ in range(4):
        ours = bound.run(feeds)
        for one, other in zip(ours, plain.run(["text", "words"], feeds), strict=True):
            np.testing.assert_array_equal(one, other)
    assert session.graphs == ["-1", "-1", "1", "-1", "-1", "-1"]
