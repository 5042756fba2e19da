"""Choosing the engine that runs a graph."""

from __future__ import annotations

from pathlib import Path

from edge_retrieve.runtime.backends.base import Backend, Runner
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner, cuda_available
from edge_retrieve.runtime.errors import BackendError


def open_runner(
    graph_path: Path, backend: Backend, *, require_gpu: bool = False, threads: int | None = None
) -> Runner:
    """Load a graph into an engine.

    Parameters
    ----------
    graph_path : Path
        The ``.onnx`` file.
    backend : Backend
    require_gpu : bool
        Fail rather than compute on the CPU.
    threads : int, optional
        CPU threads inside one operator; the engine's choice where None.

    Raises
    ------
    BackendError
        Where the engine is missing, has no GPU though one is required, or refuses the graph.
    """
    resolved = resolve_backend(backend, require_gpu=require_gpu)
    try:
        return OnnxRuntimeRunner(graph_path, resolved, threads=threads)
    except BackendError:
        # A CUDA build on a machine without a working driver: the automatic choice moves on, and
        # the runner's name says where it ended. Whoever asked for CUDA gets the error.
        if backend is not Backend.AUTO or resolved is Backend.CPU or require_gpu:
            raise
        return OnnxRuntimeRunner(graph_path, Backend.CPU, threads=threads)


def resolve_backend(backend: Backend, *, require_gpu: bool = False) -> Backend:
    """Return the engine that `backend` means on this machine: CPU or CUDA.

    Raises
    ------
    BackendError
        Where it has no engine in this version, or would compute on the CPU though a GPU is required.
    """
    if backend in (Backend.TENSORRT, Backend.TENSORRT_RTX):
        raise BackendError(
            f"this version has no {backend.value} engine yet",
            where=f"backend {backend.value}",
            remedy="Use the backend cuda or cpu",
        )
    resolved = backend
    if backend is Backend.AUTO:
        resolved = Backend.CUDA if cuda_available() else Backend.CPU
    if require_gpu and resolved is Backend.CPU:
        raise BackendError(
            "a GPU is required, but the graphs would run on the CPU",
            where=f"backend {backend.value}",
            remedy='Install "edge-retrieve[gpu]" and a CUDA driver, or drop --require-gpu',
        )
    return resolved
