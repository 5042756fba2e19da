"""Engines of the shipped demo bundle, really built by TensorRT for RTX, with no GPU."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from edge_retrieve.edge_app.cli import main
from edge_retrieve.export.engines.bundle_engines import engine_graph
from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.export.engines.tensorrt_rtx import RtxBuilder
from edge_retrieve.runtime.backends.engine_files import find_engine
from edge_retrieve.runtime.backends.gpu import Gpu
from edge_retrieve.runtime.backends.profiles import InputProfile
from edge_retrieve.runtime.bundle import DEMO_BUNDLE, Graph, Precision, RoiAlign, load_bundle
from edge_retrieve.runtime.errors import BackendError, ConfigError, ExportError


@pytest.fixture(autouse=True, scope="module")
def library() -> None:
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("tensorrt_rtx is not installed (extra rtx; there are wheels for x86-64)")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def told(library: None, out: Path) -> dict:
    """What the command prints when it builds all three graphs; the bundle beside it stays as it is."""
    words = ("export", "tensorrt-rtx", str(DEMO_BUNDLE), "--out", str(out), "--capability", "8.9", "--json")
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_all_three_graphs_of_the_demo_bundle_are_built(told: dict, out: Path) -> None:
    bundle = load_bundle()
    assert told["bundle_id"] == bundle.bundle_id
    assert [item["graph"] for item in told["engines"]] == [graph.value for graph in Graph]
    for item in told["engines"]:
        path = Path(item["path"])
        assert path.parent == out / bundle.bundle_id
        assert path.stat().st_size == item["bytes"] > 100_000
        assert item["precision"] == "fp16"
        assert item["library"] == "tensorrt-rtx"
        assert item["compute_capabilities"] == ["8.9"]
        assert item["gpu"] is None


def test_they_are_found_by_the_runtime_for_the_card_they_are_for(told: dict, out: Path) -> None:
    bundle, version = load_bundle(), told["engines"][0]["library_version"]
    for item in told["engines"]:
        found = find_engine(
            bundle, Graph(item["graph"]), "tensorrt-rtx", version, Gpu("RTX 4090", (8, 9)), out
        )
        assert hashlib.sha256(found.read()).hexdigest() == found.record.sha256
    with pytest.raises(BackendError, match=r"compute capability 8\.9, RTX 5090 has 12\.0"):
        find_engine(bundle, Graph.IMAGE_ENCODER, "tensorrt-rtx", version, Gpu("RTX 5090", (12, 0)), out)


@pytest.mark.parametrize("graph", list(Graph))
def test_the_graph_that_is_built_computes_what_the_bundle_does(graph: Graph) -> None:
    """Up to float16, seen in ONNX Runtime: what goes into the library is right."""
    bundle = load_bundle()
    manifest = bundle.manifest
    side = manifest.image_size // manifest.feature_stride
    generator = np.random.default_rng(0)
    feeds = {
        Graph.IMAGE_ENCODER: {"pixels": generator.random((1, 1, *[manifest.image_size] * 2), np.float32)},
        Graph.REGION_ENCODER: {
            "features": generator.random((1, manifest.feature_channels, side, side), np.float32),
            "boxes": np.asarray([[[0.1, 0.2, 0.6, 0.7], [0, 0, 1, 1]]], np.float32),
        },
        Graph.TEXT_ENCODER: {"token_ids": np.asarray([[5, 9, 2]]), "mask": np.ones((1, 3), np.int64)},
    }[graph]
    output = {"image_encoder": "global", "region_encoder": "regions", "text_encoder": "text"}[graph.value]
    model = engine_graph(bundle, graph, Precision.FP16, RoiAlign.MATMUL)
    assert any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)
    assert all(value.type.tensor_type.elem_type != TensorProto.FLOAT16 for value in model.graph.output)
    results = []
    for content in (
        model.SerializeToString(),
        bundle.file(getattr(manifest, graph.value)).read_bytes(),
    ):
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        results.append(np.asarray(session.run([output], feeds)[0]))
    assert (results[0] * results[1]).sum(axis=-1).min() >= 0.9995


def little_model(kind: str = "Relu") -> bytes:
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], name="only")],
        "little",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", 8])],
    )
    opsets = [helper.make_opsetid("", 18)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return model.SerializeToString()


PROFILE = (InputProfile("x", (1, 8), (2, 8), (4, 8)),)


def build(model: bytes, profile=PROFILE, tell=lambda done, total, phase: None, **options) -> bytes:
    chosen = EngineOptions(capabilities=((8, 9), (12, 0)), **options)
    return RtxBuilder().build(model, profile, chosen, where="little", tell=tell)


def test_progress_counts_up_and_names_phases() -> None:
    calls: list[tuple[int, int, str]] = []
    assert build(little_model(), tell=lambda *call: calls.append(call), workspace_mib=64)
    assert {phase for _, _, phase in calls} >= {"Building engine"}
    assert len({phase for _, _, phase in calls}) > 1
    whole = [(done, total) for done, total, _ in calls if total == calls[0][1]]
    assert all(0 <= done <= total for done, total, _ in calls)
    assert [done for done, _ in whole] == sorted(done for done, _ in whole)


def test_what_a_listener_raises_ends_the_build() -> None:
    def interrupted(done: int, total: int, phase: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(little_model(), tell=interrupted)


def test_a_graph_or_profile_that_does_not_fit_is_told() -> None:
    with pytest.raises(ExportError, match=r"little: tensorrt-rtx .* does not take the graph"):
        build(b"no graph")
    with pytest.raises(ExportError, match=r"does not take the graph \(Imaginary only: .*Plugin not found"):
        build(little_model("Imaginary"))
    with pytest.raises(ExportError, match=r"the graph has inputs \['x'\], there are profiles of \['z'\]"):
        build(little_model(), (InputProfile("z", (1,), (1,), (1,)),))


def test_capabilities_that_it_lacks_are_refused_with_those_it_has() -> None:
    builder = RtxBuilder()
    with pytest.raises(ConfigError, match=r"compute capability 8\.7.*8\.9.*export tensorrt"):
        builder.targets(EngineOptions(capabilities=((8, 7),)))
    assert builder.targets(EngineOptions()).capabilities == ("8.6", "8.9", "12.0")
    wrong = CliRunner().invoke(
        main, ["export", "tensorrt-rtx", str(DEMO_BUNDLE), "--out", "x", "--capability", "sm_89"]
    )
    assert (wrong.exit_code, "no compute capability" in wrong.output) == (2, True)
