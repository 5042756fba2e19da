"""The graphs in the oldest engines: ONNX Runtime 1.18, really; TensorRT 10.3, by what it is said to read.

ONNX Runtime 1.18 is fetched once from the package index into a cache folder, and runs in a process of its
own.
TensorRT itself cannot be installed where these tests run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from edge_retrieve.export.engines.bundle_engines import engine_graph
from edge_retrieve.export.float16 import to_float16
from edge_retrieve.export.int8 import to_int8
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.bundle import Graph, Precision, RoiAlign, inspect_bundle

OLDEST = "1.18.1"
FORMS = [(graph, precision) for graph in Graph for precision in Precision]
Arrays = Mapping[str, np.ndarray]

# Opens every graph of a folder, runs it on the inputs beside it, and writes its outputs there.
CHILD = """
import pathlib, sys, numpy, onnxruntime
print(onnxruntime.__version__)
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    found = session.run(None, dict(numpy.load(file.with_suffix(".in.npz"))))
    names = [output.name for output in session.get_outputs()]
    numpy.savez(file.with_suffix(".out.npz"), **dict(zip(names, found)))
"""


@pytest.fixture(scope="module")
def oldest() -> Path:
    """Return a folder that holds ONNX Runtime 1.18 and a NumPy of its time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = cache / "edge-retrieve-tests" / f"onnxruntime-{OLDEST}-python{python}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        wanted = [f"onnxruntime=={OLDEST}", "numpy>=1.26,<2"]
        options = [
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--retries=0",
            "--timeout=5",
            f"--target={making}",
        ]
        command = [sys.executable, "-m", "pip", "install", *options, *wanted]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"ONNX Runtime {OLDEST} cannot be had for Python {python}: {reason}")
        making.rename(folder)
    return folder


@pytest.fixture(scope="module")
def models() -> dict[tuple[Graph, Precision], onnx.ModelProto]:
    """The demo bundle's graphs in every form, int8 calibrated on one input: enough to be run."""
    bundle = inspect_bundle()
    made = {}
    for graph in Graph:
        exact = onnx.shape_inference.infer_shapes(
            widened(onnx.load(str(bundle.file(getattr(bundle.manifest, graph.value)))))
        )
        made[graph, Precision.FP32] = exact
        made[graph, Precision.FP16] = to_float16(exact)
        made[graph, Precision.INT8] = to_int8(exact, [inputs(graph)])
    return made


def inputs(graph: Graph) -> Arrays:
    manifest = inspect_bundle().manifest
    random = np.random.default_rng(5)
    side = manifest.image_size // manifest.feature_stride
    if graph is Graph.IMAGE_ENCODER:
        return {"pixels": random.random((1, 1, manifest.image_size, manifest.image_size), np.float32)}
    if graph is Graph.REGION_ENCODER:
        corners = np.sort(random.random((1, 7, 2, 2), np.float32), axis=2).reshape(1, 7, 4)
        return {
            "features": random.random((1, manifest.feature_channels, side, side), np.float32),
            "boxes": corners,
        }
    return {"token_ids": random.integers(1, 400, (2, 12)), "mask": np.ones((2, 12), np.int64)}


@pytest.fixture(scope="module")
def found(
    oldest: Path, models, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[Graph, Precision], Arrays]:
    folder = tmp_path_factory.mktemp("oldest")
    for (graph, precision), model in models.items():
        file = folder / f"{graph.value}-{precision.value}.onnx"
        file.write_bytes(model.SerializeToString())
        np.savez(file.with_suffix(".in.npz"), **inputs(graph))
    # -S: nothing that is installed for this Python is seen, so what is imported is what was fetched.
    ran = subprocess.run(
        [sys.executable, "-S", "-c", CHILD, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(oldest), "PATH": os.environ["PATH"]},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == OLDEST
    return {
        (graph, precision): dict(np.load(folder / f"{graph.value}-{precision.value}.out.npz"))
        for graph, precision in models
    }


@pytest.mark.parametrize(("graph", "precision"), FORMS)
def test_onnx_runtime_1_18_computes_what_today_s_does(
    graph: Graph, precision: Precision, models, found
) -> None:
    session = onnxruntime.InferenceSession(
        models[graph, precision].SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(None, dict(inputs(graph))), strict=True))
    old = found[graph, precision]
    assert old.keys() == expected.keys()
    bound = {Precision.FP32: 1e-4, Precision.FP16: 5e-3, Precision.INT8: 5e-2}[precision]
    for name, value in expected.items():
        scale = max(1.0, float(np.abs(value).max()))
        assert np.abs(old[name] - value).max() <= bound * scale, name


# Of the operators that our graphs have, those of the ONNX parser's list (onnx-tensorrt, docs/operators.md of
# its release 10.1, the newest before 10.3 that could be had; it states opset 9 to 20). Later ones add to it.
_READ = """Abs Add And AveragePool Cast Clip Concat Conv Div Erf Exp Expand Gather GatherElements Gemm Greater
    GreaterOrEqual LayerNormalization LessOrEqual Log MatMul Max MaxPool Mul Pow ReduceL2 ReduceMax ReduceMean
    ReduceMin ReduceSum Relu Reshape Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tanh Transpose
    Unsqueeze"""
READ_BY_TENSORRT = frozenset(_READ.split())
TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16}
# Operators that are read for floating point alone, and those whose axes must be known.
OF_FLOATS = {
    "AveragePool",
    "Clip",
    "Conv",
    "Erf",
    "Exp",
    "LayerNormalization",
    "MatMul",
    "MaxPool",
    "Pow",
    "Softmax",
    "Sqrt",
}
AXES = {
    **dict.fromkeys(("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), 1),
    **{"Slice": 3, "Squeeze": 1, "Unsqueeze": 1},
}


@pytest.mark.parametrize("graph", list(Graph))
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_the_parser_of_tensorrt_10_3_is_said_to_read_every_node(graph: Graph, precision: Precision) -> None:
    model = onnx.shape_inference.infer_shapes(
        engine_graph(inspect_bundle(), graph, precision, RoiAlign.MATMUL)
    )
    (opset,) = model.opset_import
    assert (opset.domain, 9 <= opset.version <= 20, model.ir_version <= 10) == ("", True, True)
    constants = {tensor.name for tensor in model.graph.initializer}
    types = dict(kinds(model.graph))
    for node in model.graph.node:
        assert node.op_type in READ_BY_TENSORRT, node.name
        given = {types[name] for name in node.input if name}
        assert given <= TYPES, node.name
        if node.op_type in OF_FLOATS:
            assert given <= FLOATS, node.name
        if node.op_type in AXES and len(node.input) > AXES[node.op_type]:
            assert node.input[AXES[node.op_type]] in constants, node.name
        if node.op_type in ("LayerNormalization", "MaxPool"):  # no statistics, no indices
            assert len(node.output) == 1
        if node.op_type in ("AveragePool", "MaxPool"):
            [dilations] = [list(a.ints) for a in node.attribute if a.name == "dilations"] or [[1]]
            assert set(dilations) == {1}, node.name
        if node.op_type == "Resize":
            chosen = {
                attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
            }
            assert chosen["mode"] in (b"nearest", b"linear")
            assert chosen["coordinate_transformation_mode"] in (
                b"half_pixel",
                b"pytorch_half_pixel",
                b"asymmetric",
            )


def kinds(graph: onnx.GraphProto) -> Iterator[tuple[str, int]]:
    for value in (*graph.input, *graph.value_info, *graph.output):
        yield value.name, value.type.tensor_type.elem_type
    for tensor in graph.initializer:
        yield tensor.name, tensor.data_type


@pytest.mark.parametrize("graph", list(Graph))
def test_int8_has_the_zero_points_that_tensorrt_asks_for(graph: Graph, models) -> None:
    model = models[graph, Precision.INT8]
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    quantising = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert quantising
    for node in quantising:
        zero = values[node.input[2]]
        assert zero.dtype in (np.int8, np.int32), node.name
        assert not zero.any(), node.name
