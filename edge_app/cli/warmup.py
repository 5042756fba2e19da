"""``edge-retrieve warmup``: what would cost the first query its time is done before it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.engines import build_with_bar, engine_json
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import MODEL_SETTINGS, bundle_option, json_option, setting_options
from edge_retrieve.edge_app.readiness import run_once
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.backends.engine_files import EngineFile, engines_folder, find_engine
from edge_retrieve.runtime.backends.gpu import Gpu, find_gpu
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt
from edge_retrieve.runtime.backends.tensorrt_runner import kernels_folder
from edge_retrieve.runtime.bundle import Bundle, Graph, PrecisionChoice, load_bundle, read_trust
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import BackendError, EdgeRetrieveError, MissingExtraError

_MODULES = {Backend.TENSORRT: "tensorrt", Backend.TENSORRT_RTX: "tensorrt_rtx"}


@click.command()
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def warmup(
    bundle_path: Path | None,
    backend: str,
    precision: str,
    require_gpu: bool,
    engines: str,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Build the engines that are missing or do not fit, and run the model once.

    Without a GPU there is nothing to build: it says which backend will be used, and why not the others.
    """
    began = time.perf_counter()
    bundle = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    root = Path(engines) if engines else None
    built = _build_missing(bundle, Backend(backend), root)
    with Encoder(
        bundle, Backend(backend), require_gpu, engines=root, precision=PrecisionChoice(precision)
    ) as encoder:
        run_once(encoder)
        engine, resolution = encoder.engine, encoder.resolution
    seconds = time.perf_counter() - began
    if as_json:
        print_json(
            {
                "backend": resolution.chosen.value,
                "engine": engine,
                "refused": [{"backend": it.backend.value, "reason": it.reason} for it in resolution.refused],
                "built": [engine_json(file) for file in built],
                "seconds": round(seconds, 3),
            }
        )
        return
    console = answers()
    console.print(f"Ready on {engine}, after {seconds:.1f} s.", soft_wrap=True)
    for sentence in resolution.sentences()[1:]:
        console.print(f"  {sentence}", soft_wrap=True)


def _build_missing(bundle: Bundle, backend: Backend, root: Path | None) -> tuple[EngineFile, ...]:
    """Build the engines that the backend, or the best one of the automatic choice, lacks."""
    if backend in _MODULES:
        return _build_for(bundle, backend, root)
    if backend is not Backend.AUTO:
        return ()
    for candidate in _MODULES:
        try:
            find_gpu()
            import_tensorrt(_MODULES[candidate])
        except (BackendError, MissingExtraError):
            continue  # the choice that follows says so
        try:
            return _build_for(bundle, candidate, root)
        except EdgeRetrieveError as error:
            say(f"The {candidate.value} engines are not built: {error}")
    return ()


def _build_for(bundle: Bundle, backend: Backend, root: Path | None) -> tuple[EngineFile, ...]:
    gpu = find_gpu()
    trt = import_tensorrt(_MODULES[backend])
    try:
        for graph in Graph:
            find_engine(bundle, graph, backend.value, str(trt.__version__), gpu, root).read()
        return ()
    except BackendError as error:
        say(str(error))
    return _build(bundle, backend, gpu, root)


def _build(bundle: Bundle, backend: Backend, gpu: Gpu, root: Path | None) -> tuple[EngineFile, ...]:
    if backend is Backend.TENSORRT_RTX:
        with named_extras("rtx"):
            from edge_retrieve.export.engines.options import EngineOptions
            from edge_retrieve.export.engines.tensorrt_rtx import RtxBuilder

        return build_with_bar(bundle, RtxBuilder(), EngineOptions(capabilities=(gpu.capability,)), root)
    with named_extras("tensorrt"):
        from edge_retrieve.export.engines.options import EngineOptions
        from edge_retrieve.export.engines.tensorrt import TensorRtBuilder

    folder = engines_folder(bundle, root)
    kernels = kernels_folder(folder)
    options = EngineOptions(
        timing_cache=folder / "timing.cache", kernels=kernels if kernels.is_dir() else None
    )
    return build_with_bar(bundle, TensorRtBuilder(gpu=gpu), options, root)
