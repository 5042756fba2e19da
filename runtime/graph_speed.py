"""How fast this machine runs the graphs of a bundle: every form, every engine, taking turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.backends.base import Array, Backend, Runner
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner
from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.bundle.manifest import Graph, GraphForm, Precision, RoiAlign
from edge_retrieve.runtime.errors import BackendError, MissingExtraError
from edge_retrieve.runtime.timing import take_turns

# Those that open an ONNX file as it is; engines built ahead of time are timed where they were built.
ENGINES = (Backend.CPU, Backend.OPENVINO, Backend.CUDA)
_TOKENS = 32  # a sentence of a report
_EMBEDDING = {Graph.IMAGE_ENCODER: "global", Graph.REGION_ENCODER: "regions", Graph.TEXT_ENCODER: "text"}
_WHOLE_MODEL = 29  # boxes of an image that is encoded for the store

Inputs = dict[str, Array]


@dataclass(frozen=True)
class Row:
    """How long one form of a graph takes in one engine.

    Parameters
    ----------
    method : str
        Begins with ``edge-retrieve``.
    graph, precision, backend : str
    batch : int
        Images or texts a run.
    boxes : int
        Boxes an image, of a region encoder; else 0.
    p50_ms, p99_ms, cpu_ms : float
        Of a run of the whole batch; see `Timing`.
    runs : int
    cosine : float
        Smallest cosine of an embedding with that of the first row of the same graph and batch, on
        made-up input.
    of_image_encode : float, optional
        The median as a share of that of encoding one image in the same form and engine; only for regions.
    """

    method: str
    graph: str
    precision: str
    backend: str
    batch: int
    boxes: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    runs: int
    cosine: float
    of_image_encode: float | None = None


@dataclass(frozen=True)
class Speed:
    """What a comparison came to.

    Parameters
    ----------
    rows : tuple of Row
    refused : tuple of str
        Why an engine or a form is not among them, a sentence each.
    """

    rows: tuple[Row, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class _Case:
    form: GraphForm
    backend: Backend
    runner: Runner
    inputs: Inputs

    @property
    def graph(self) -> Graph:
        return self.form.graph

    @property
    def precision(self) -> Precision:
        return self.form.precision

    @property
    def batch(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def boxes(self) -> int:
        return self.inputs["boxes"].shape[1] if "boxes" in self.inputs else 0

    @property
    def kind(self) -> tuple[Graph, int, int]:
        return self.graph, self.batch, self.boxes

    @property
    def method(self) -> str:
        probed = f", {self.boxes} box{'es' if self.boxes > 1 else ''}" if self.boxes else ""
        pooling = f" ({self.form.roi_align.value})" if self.form.roi_align else ""
        of = f"{self.graph.value} {self.precision.value}{pooling}, {self.backend.value}"
        return f"edge-retrieve {of}, batch {self.batch}{probed}"

    def run(self) -> dict[str, Array]:
        return self.runner.run(self.inputs)


def encode_speed(
    bundle: Bundle,
    backends: Sequence[Backend] = (),
    *,
    batches: Sequence[int] = (1, 16),
    runs: int = 30,
    threads: int | None = None,
    advance: Callable[[int, int], object] = lambda done, total: None,
) -> Speed:
    """Time the image and the text encoder of a bundle.

    Parameters
    ----------
    bundle : Bundle
    backends : sequence of Backend
        Of `ENGINES`; every one that works here where empty.
    batches : sequence of int
    runs : int
    threads : int, optional
        CPU threads; the engine's choice where None.
    advance : callable, optional
        As for `take_turns`.

    Raises
    ------
    BackendError
        No engine runs, or one asked for does not.
    """
    wanted = {graph: _inputs(bundle, graph, batches) for graph in (Graph.IMAGE_ENCODER, Graph.TEXT_ENCODER)}
    return _measure(bundle, backends, wanted, runs, threads, advance)


def region_speed(
    bundle: Bundle,
    backends: Sequence[Backend] = (),
    *,
    batches: Sequence[int] = (1, 16),
    runs: int = 30,
    threads: int | None = None,
    advance: Callable[[int, int], object] = lambda done, total: None,
) -> Speed:
    """Time the region encoder, for one drawn box and for all 29 regions, beside encoding one image.

    Parameters are those of `encode_speed`.

    Raises
    ------
    BackendError
        No engine runs, or one asked for does not.
    """
    wanted = {
        Graph.IMAGE_ENCODER: _inputs(bundle, Graph.IMAGE_ENCODER, [1]),
        Graph.REGION_ENCODER: _inputs(bundle, Graph.REGION_ENCODER, batches),
    }
    return _measure(bundle, backends, wanted, runs, threads, advance)


def _measure(
    bundle: Bundle,
    backends: Sequence[Backend],
    wanted: dict[Graph, list[Inputs]],
    runs: int,
    threads: int | None,
    advance: Callable[[int, int], object],
) -> Speed:
    with ExitStack() as stack:
        cases: list[_Case] = []
        refused: list[str] = []
        for backend in backends or ENGINES:
            for form in _forms(bundle, wanted):
                try:
                    runner = stack.enter_context(_open(bundle.file(form.file), backend, threads))
                except (BackendError, MissingExtraError) as error:
                    if backends:
                        raise
                    reason = f"{backend.value}: {error}"
                    refused += [reason] if reason not in refused else []
                    continue
                cases += [_Case(form, backend, runner, inputs) for inputs in wanted[form.graph]]
        if not cases:
            raise BackendError(
                f"no engine runs the graphs here ({' '.join(refused)})",
                where=str(bundle.path),
                remedy='Install one, such as: pip install "edge-retrieve[cpu]"',
            )
        return Speed(tuple(_rows(cases, runs, advance)), tuple(refused))


def _rows(cases: list[_Case], runs: int, advance: Callable[[int, int], object]) -> Iterator[Row]:
    embeddings = [case.run()[_EMBEDDING[case.graph]].astype(np.float64) for case in cases]
    first: dict[object, npt.NDArray[np.float64]] = {}
    for case, embedding in zip(cases, embeddings, strict=True):
        first.setdefault(case.kind, embedding)
    taken = take_turns({case.method: case.run for case in cases}, runs, advance=advance)
    whole = {
        (case.precision, case.backend): taken[case.method].p50_ms
        for case in cases
        if case.graph is Graph.IMAGE_ENCODER and case.batch == 1
    }
    for case, embedding in zip(cases, embeddings, strict=True):
        took = taken[case.method]
        image = whole.get((case.precision, case.backend)) if case.boxes else None
        yield Row(
            method=case.method,
            graph=case.graph.value,
            precision=case.precision.value,
            backend=case.backend.value,
            batch=case.batch,
            boxes=case.boxes,
            p50_ms=took.p50_ms,
            p99_ms=took.p99_ms,
            cpu_ms=took.cpu_ms,
            runs=took.runs,
            # Embeddings have unit length, and so does the product of two of them at most.
            cosine=round(float((embedding * first[case.kind]).sum(axis=-1).min()), 6),
            of_image_encode=None if image is None else round(took.p50_ms / image, 5),
        )


def _forms(bundle: Bundle, graphs: dict[Graph, list[Inputs]]) -> Iterator[GraphForm]:
    """Return the forms of the graphs, the one in use first; of a bundle that lists none, that one.

    The spelling of RoI-align as our TensorRT plugin is left out: none of `ENGINES` reads it.
    """
    manifest = bundle.manifest
    for graph in graphs:
        used = getattr(manifest, graph.value)
        listed = [
            form for form in manifest.forms if form.graph is graph and form.roi_align is not RoiAlign.PLUGIN
        ]
        yield from sorted(listed, key=lambda form: form.file != used)
        if not listed:
            yield GraphForm(graph, manifest.precision, used, opset=0)


def _open(graph: Path, backend: Backend, threads: int | None) -> Runner:
    openers: dict[Backend, Callable[[Path], Runner]] = {
        Backend.CPU: partial(OnnxRuntimeRunner, backend=Backend.CPU, threads=threads),
        Backend.CUDA: partial(OnnxRuntimeRunner, backend=Backend.CUDA, threads=threads),
        Backend.OPENVINO: partial(OpenVinoRunner, threads=threads),
    }
    return openers[backend](graph)


def _inputs(bundle: Bundle, graph: Graph, batches: Sequence[int]) -> list[Inputs]:
    """Return made-up inputs of a graph: what an engine takes does not depend on what is in them."""
    manifest = bundle.manifest
    random = np.random.default_rng(0)
    size, side = manifest.image_size, manifest.image_size // manifest.feature_stride
    found: list[Inputs] = []
    for batch in batches:
        if graph is Graph.IMAGE_ENCODER:
            found.append({"pixels": random.random((batch, 1, size, size), np.float32)})
        elif graph is Graph.TEXT_ENCODER:
            tokens = (batch, min(_TOKENS, manifest.max_text_tokens))
            found.append({"token_ids": np.full(tokens, 5, np.int64), "mask": np.ones(tokens, np.int64)})
        else:
            features = random.random((batch, manifest.feature_channels, side, side), np.float32)
            for boxes in (1, _WHOLE_MODEL):
                corners = np.sort(random.random((batch, boxes, 2, 2), np.float32), axis=2)
                found.append({"features": features, "boxes": corners.reshape(batch, boxes, 4)})
    return found
