"""Opening the three graphs of a bundle in one engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np

from edge_retrieve.runtime.backends.base import Array, Backend, Runner
from edge_retrieve.runtime.backends.cpu_choice import (
    asked_cosine,
    noise_image,
    offers_int8,
    require_faster,
    require_int8_products,
    require_near,
)
from edge_retrieve.runtime.backends.engine_files import EngineFile, find_engine
from edge_retrieve.runtime.backends.gpu import find_gpu
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner, require_cuda_build
from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt
from edge_retrieve.runtime.backends.resolution import Resolution, resolve
from edge_retrieve.runtime.backends.tensorrt_rtx_runner import LIBRARY as TENSORRT_RTX
from edge_retrieve.runtime.backends.tensorrt_rtx_runner import open_tensorrt_rtx
from edge_retrieve.runtime.backends.tensorrt_runner import LIBRARY as TENSORRT
from edge_retrieve.runtime.backends.tensorrt_runner import open_tensorrt
from edge_retrieve.runtime.bundle import Bundle, Graph, Manifest, Precision, PrecisionChoice, form_file


@dataclass(frozen=True)
class BundleGraphs:
    """The three graphs, loaded, and how the engine was chosen. Use it as a context manager.

    Parameters
    ----------
    runners : mapping of Graph to Runner
    resolution : Resolution
    """

    runners: Mapping[Graph, Runner]
    resolution: Resolution
    _stack: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    def close(self) -> None:
        """Free the engines; closing twice is allowed."""
        self._stack.close()

    def __enter__(self) -> BundleGraphs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_graphs(
    bundle: Bundle,
    backend: Backend = Backend.AUTO,
    *,
    require_gpu: bool = False,
    threads: int | None = None,
    engines: Path | None = None,
    precision: PrecisionChoice = PrecisionChoice.AUTO,
) -> BundleGraphs:
    """Load the graphs of a bundle, all into one engine.

    Parameters
    ----------
    bundle : Bundle
    backend : Backend
        `Backend.AUTO` takes the best that really works: a GPU counts once all three graphs ran on it,
        OpenVINO once its int8 graphs were faster than ONNX Runtime on an image.
    require_gpu : bool
        Fail rather than compute on the CPU.
    threads : int, optional
        CPU threads inside one operator; the engine's choice where None.
    engines : Path, optional
        Folder of the engines of TensorRT and TensorRT for RTX, as for `engines_folder`.
    precision : PrecisionChoice
        Form of the graphs in ONNX Runtime and OpenVINO; engines have the one they were built in.

    Raises
    ------
    BackendError
        The engine asked for does not work, or none does; says why.
    BundleError
        The bundle has no form of the precision asked for.
    MissingExtraError
        The engine asked for is not installed.
    """

    def all_graphs(open_one: Callable[[Graph], Runner], trial: bool) -> tuple[dict[Graph, Runner], ExitStack]:
        with ExitStack() as stack:
            runners = {graph: stack.enter_context(open_one(graph)) for graph in Graph}
            if trial:
                for graph, runner in runners.items():
                    runner.run(smallest_inputs(graph, runner, bundle.manifest))
            return runners, stack.pop_all()

    def onnx_file(graph: Graph, suits: Precision | None = None) -> Path:
        return bundle.file(form_file(bundle.manifest, graph, precision, suits=suits))

    @cache
    def engine(library: str, module: str, graph: Graph) -> EngineFile:
        gpu = find_gpu()
        version = str(import_tensorrt(module).__version__)
        return find_engine(bundle, graph, library, version, gpu, engines)

    def on_cuda() -> tuple[dict[Graph, Runner], ExitStack]:
        require_cuda_build("backend cuda")
        find_gpu()
        return all_graphs(
            lambda graph: OnnxRuntimeRunner(onnx_file(graph, Precision.FP16), Backend.CUDA, threads=threads),
            trial=True,
        )

    def on_cpu(graph: Graph, suits: Precision | None = None) -> Runner:
        # Boxes are little work: to wake a second thread takes as long as it saves.
        boxes = graph is Graph.REGION_ENCODER
        return OnnxRuntimeRunner(
            onnx_file(graph, suits), Backend.CPU, threads=1 if boxes else threads, arena=not boxes
        )

    def in_openvino(graph: Graph, suits: Precision | None) -> Runner:
        # Dozens of small steps: what ONNX Runtime spends between two is half of what OpenVINO does.
        if graph is Graph.REGION_ENCODER:
            return on_cpu(graph, suits)
        return OpenVinoRunner(onnx_file(graph, suits), threads=threads)

    def on_openvino() -> tuple[dict[Graph, Runner], ExitStack]:
        """Open what is asked for by name as it is; of itself the choice falls on int8 that is faster."""
        if backend is Backend.AUTO:
            require_int8_products()
        form = Precision.INT8 if backend is Backend.AUTO else None
        runners, stack = all_graphs(lambda graph: in_openvino(graph, form), trial=False)
        if backend is Backend.AUTO:
            with ExitStack() as opened, on_cpu(Graph.IMAGE_ENCODER) as other:
                opened.push(stack)
                ours, inputs = runners[Graph.IMAGE_ENCODER], noise_image(bundle.manifest)
                require_near(ours, other, inputs, asked_cosine(bundle.manifest))
                require_faster(ours, other, inputs)
                opened.pop_all()
        return runners, stack

    openers = {
        Backend.TENSORRT: lambda: all_graphs(
            lambda graph: open_tensorrt(engine(TENSORRT, "tensorrt", graph)), trial=True
        ),
        Backend.TENSORRT_RTX: lambda: all_graphs(
            lambda graph: open_tensorrt_rtx(engine(TENSORRT_RTX, "tensorrt_rtx", graph)), trial=True
        ),
        Backend.CUDA: on_cuda,
        Backend.OPENVINO: on_openvino,
        Backend.CPU: lambda: all_graphs(on_cpu, trial=False),
    }
    if backend is Backend.AUTO and not offers_int8(bundle.manifest, precision):
        del openers[Backend.OPENVINO]
    (runners, stack), resolution = resolve(backend, openers, require_gpu=require_gpu)
    return BundleGraphs(runners, resolution, stack)


def smallest_inputs(graph: Graph, runner: Runner, manifest: Manifest) -> dict[str, Array]:
    """Return inputs of one image, box or word: to see that a graph runs, and to have it ready.

    Parameters
    ----------
    graph : Graph
    runner : Runner
        Its element types are followed.
    manifest : Manifest
    """
    size, side = manifest.image_size, manifest.image_size // manifest.feature_stride
    values: dict[str, Array] = {
        "pixels": np.full((1, 1, size, size), 0.5),
        "features": np.full((1, manifest.feature_channels, side, side), 0.5),
        "boxes": np.asarray([[[0.0, 0.0, 1.0, 1.0]]]),
        "token_ids": np.ones((1, 1)),
        "mask": np.ones((1, 1)),
    }
    return {spec.name: values[spec.name].astype(spec.dtype) for spec in runner.inputs if spec.name in values}
