"""All engines of a bundle, from its own graphs: no checkpoint and no PyTorch is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import onnx

from edge_retrieve.export.engines.builder import EngineBuilder
from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.export.float16 import to_float16
from edge_retrieve.export.roi_rewrite import pool_as
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.backends.engine_files import (
    SUFFIX,
    EngineFile,
    EngineRecord,
    engines_folder,
    write_engine,
)
from edge_retrieve.runtime.backends.tensorrt_runner import kernels_folder
from edge_retrieve.runtime.bundle import Bundle, Engine, Graph, Precision, RoiAlign
from edge_retrieve.runtime.errors import ExportError

Progress = Callable[[Graph, int, int, str], None]
_UNKNOWN_DIGEST = "0" * 64


def build_engines(
    bundle: Bundle,
    builder: EngineBuilder,
    options: EngineOptions,
    *,
    root: Path | None = None,
    progress: Progress = lambda graph, done, total, phase: None,
) -> tuple[EngineFile, ...]:
    """Build the engines of all three graphs and put them where the backends look.

    Parameters
    ----------
    bundle : Bundle
    builder : EngineBuilder
    options : EngineOptions
    root : Path, optional
        Folder of the engines of all bundles, as for `engines_folder`.
    progress : callable
        Called as ``progress(graph, done, total, phase)``.

    Raises
    ------
    ExportError
        A graph is not understood, or the library does not build it.
    ConfigError
        The library does not build for what was asked.
    BackendError
        The folder cannot be written.
    """
    targets = builder.targets(options)
    profiles = options.limits.profiles(bundle.manifest)
    folder = engines_folder(bundle, root)
    if options.kernels is not None:
        _copy_kernels(options.kernels, kernels_folder(folder))
    form = builder.roi_align(options)
    written = []
    for graph in Graph:

        def tell(done: int, total: int, phase: str, graph: Graph = graph) -> None:
            progress(graph, done, total, phase)

        model = engine_graph(bundle, graph, options.precision, form)
        plan = builder.build(
            model.SerializeToString(), profiles[graph], options, where=graph.value, tell=tell
        )
        cards = "-".join(f"sm{capability.replace('.', '')}" for capability in targets.capabilities)
        engine = Engine(
            file=f"{graph.value}.{options.precision.value}.{builder.library}.{cards}{SUFFIX}",
            graph=graph,
            precision=options.precision,
            library=builder.library,
            library_version=builder.version,
            compute_capabilities=targets.capabilities,
            gpu_name=targets.gpu_name,
        )
        record = EngineRecord(
            bundle.bundle_id,
            engine,
            _UNKNOWN_DIGEST,
            options.hardware_compatibility,
            options.version_compatible,
        )
        written.append(write_engine(folder, plan, record))
    return tuple(written)


def engine_graph(bundle: Bundle, graph: Graph, precision: Precision, form: RoiAlign) -> onnx.ModelProto:
    """Return a bundle's graph as an engine is built from it: plain weights, types written out, one pooling.

    Parameters
    ----------
    bundle : Bundle
    graph : Graph
    precision : Precision
        ``fp32`` or ``fp16``.
    form : RoiAlign
        How regions are pooled.

    Raises
    ------
    ExportError
        The graph does not read, or is not understood.
    """
    path = bundle.file(getattr(bundle.manifest, graph.value))
    try:
        model = onnx.load_from_string(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ExportError(f"the graph does not read ({error})", where=str(path)) from error
    model = pool_as(widened(model), form)
    return to_float16(model) if precision is Precision.FP16 else model


def _copy_kernels(source: Path, target: Path) -> None:
    """Put the plugin's kernels beside the engines that need them."""
    if source.resolve() == target.resolve():
        return
    files = [path for path in sorted(source.glob("*")) if path.suffix in (".cubin", ".ptx")]
    if not files:
        raise ExportError(
            "holds no kernels",
            where=str(source),
            remedy="Compile them with: edge-retrieve export plugins --out DIR",
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copyfile(path, target / path.name)
    except OSError as error:
        raise ExportError(f"the kernels cannot be copied ({error.strerror})", where=str(target)) from error
