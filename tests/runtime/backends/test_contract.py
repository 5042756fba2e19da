"""What every backend does alike, whatever runs underneath: one test for all of them.

``made`` ones run our runner over a made library and a stand-in driver. Those that need a GPU run where there
is one, and skip with the reason elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edge_retrieve.export.engines.bundle_engines import build_engines
from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.export.engines.tensorrt import TensorRtBuilder
from edge_retrieve.export.engines.tensorrt_rtx import RtxBuilder
from edge_retrieve.runtime.backends import Backend, Runner, open_graphs
from edge_retrieve.runtime.backends.gpu import find_gpu
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner
from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner
from edge_retrieve.runtime.backends.tensorrt_rtx_runner import open_tensorrt_rtx
from edge_retrieve.runtime.backends.tensorrt_runner import open_tensorrt
from edge_retrieve.runtime.bundle import Bundle, Graph
from edge_retrieve.runtime.errors import BackendError, EdgeRetrieveError

Open = Callable[[Graph], Runner]
TEXT = Graph.TEXT_ENCODER
KINDS = ("cpu", "openvino", "made tensorrt", "made tensorrt-rtx", "cuda", "tensorrt", "tensorrt-rtx")
GPU_KINDS = KINDS[-3:]


class GpuEngines:
    """Engines of the demo bundle for the card of this machine, built once."""

    def __init__(self, bundle: Bundle, root: Path) -> None:
        self.bundle, self.root = bundle, root
        self.built: set[str] = set()

    def build(self, kind: str) -> None:
        if kind in self.built or kind == "cuda":
            return
        gpu = find_gpu()
        if kind == "tensorrt":
            build_engines(self.bundle, TensorRtBuilder(gpu=gpu), EngineOptions(), root=self.root)
        else:
            options = EngineOptions(capabilities=(gpu.capability,))
            build_engines(self.bundle, RtxBuilder(), options, root=self.root)
        self.built.add(kind)


@pytest.fixture(scope="session")
def gpu_engines(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> GpuEngines:
    return GpuEngines(bundle, tmp_path_factory.mktemp("engines"))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_one(
    kind: str, bundle: Bundle, gpu_engines: GpuEngines, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    def file(graph: Graph) -> Path:
        return bundle.file(getattr(bundle.manifest, graph.value))

    with ExitStack() as stack:
        if kind == "cpu":
            yield lambda graph: stack.enter_context(OnnxRuntimeRunner(file(graph), Backend.CPU, threads=1))
        elif kind == "openvino":
            pytest.importorskip("openvino")
            yield lambda graph: stack.enter_context(OpenVinoRunner(file(graph), threads=1))
        elif kind in GPU_KINDS:
            try:
                gpu_engines.build(kind)
                graphs = stack.enter_context(open_graphs(bundle, Backend(kind), engines=gpu_engines.root))
            except EdgeRetrieveError as error:
                pytest.skip(str(error))
            yield lambda graph: graphs.runners[graph]
        else:
            request.getfixturevalue("libraries")
            write = request.getfixturevalue("write_plan")
            library = kind.removeprefix("made ")
            opener = {"tensorrt": open_tensorrt, "tensorrt-rtx": open_tensorrt_rtx}[library]
            yield lambda graph: stack.enter_context(opener(write(tmp_path, graph, library)))


def texts(batch: int, tokens: int, seed: int = 0) -> dict[str, np.ndarray]:
    ids = np.random.default_rng(seed).integers(1, 60, (batch, tokens))
    mask = np.ones_like(ids)
    mask[:, 3:] = ids[:, 3:] % 2
    return {"token_ids": ids, "mask": mask}


@pytest.fixture(scope="module")
def oracle(bundle: Bundle) -> onnxruntime.InferenceSession:
    path = bundle.file(bundle.manifest.text_encoder)
    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


WRONG = [
    (lambda feeds: {"mask": feeds["mask"]}, r"has inputs \['mask', 'token_ids'\], it was given \['mask'\]"),
    (lambda feeds: {**feeds, "extra": feeds["mask"]}, "it was given"),
    (lambda feeds: {**feeds, "mask": feeds["mask"].astype(np.float32)}, "element type float32"),
    (lambda feeds: {**feeds, "mask": feeds["mask"][0]}, "has shape 6, the graph wants any x any"),
]


def test_a_backend_keeps_the_contract(open_one: Open, oracle, kind: str) -> None:
    runner = open_one(TEXT)
    assert {spec.name for spec in runner.inputs} == {"token_ids", "mask"}
    assert [spec.shape for spec in runner.inputs] == [(None, None)] * 2
    # A GPU computes in float16; the others in the graph's float32, in another order.
    bound = 0.999 if kind in GPU_KINDS else 0.99999
    # The same shapes again and again, and others in between: with recorded launches too.
    results = []
    for seed, (batch, tokens) in enumerate([(1, 5), (1, 5), (1, 5), (3, 9), (1, 5), (1, 5), (4, 24), (1, 1)]):
        feeds = texts(batch, tokens, seed)
        ours = runner.run(feeds)
        expected = dict(zip(("words", "text"), oracle.run(["words", "text"], feeds), strict=True))
        assert {name: value.shape for name, value in ours.items()} == {
            name: value.shape for name, value in expected.items()
        }
        assert (ours["text"] * expected["text"]).sum(axis=-1).min() >= bound
        results.append((ours["text"], ours["text"].copy()))
    for given, kept in results:
        np.testing.assert_array_equal(given, kept)  # later runs leave earlier results alone

    feeds = texts(2, 6)
    before = runner.run(feeds)["text"]
    for change, message in WRONG:
        with pytest.raises(BackendError, match=message):
            runner.run(change(feeds))
        turned = {name: np.asfortranarray(value) for name, value in feeds.items()}
        np.testing.assert_allclose(runner.run(turned)["text"], before, atol=1e-3)

    runner.close()
    runner.close()
    with pytest.raises(BackendError, match="closed"):
        runner.run(feeds)


def test_the_region_encoder_takes_any_number_of_boxes(open_one: Open, bundle: Bundle, kind: str) -> None:
    runner = open_one(Graph.REGION_ENCODER)
    manifest = bundle.manifest
    side = manifest.image_size // manifest.feature_stride
    generator = np.random.default_rng(0)
    features = generator.random((1, manifest.feature_channels, side, side), dtype=np.float32)
    boxes = np.sort(generator.random((1, 29, 2, 2), dtype=np.float32), axis=2).reshape(1, 29, 4)
    together = runner.run({"features": features, "boxes": boxes})["regions"]
    assert together.shape == (1, 29, manifest.embedding_dim)
    assert np.allclose(np.linalg.norm(together, axis=-1), 1, atol=1e-2)
    alone = runner.run({"features": features, "boxes": boxes[:, 4:5]})["regions"]
    assert (alone[0, 0] * together[0, 4]).sum() >= (0.999 if kind in GPU_KINDS else 0.99999)
