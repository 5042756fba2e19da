"""ONNX Runtime on the CPU and on CUDA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_retrieve.runtime.backends.base import Array, Backend, Runner, TensorSpec
from edge_retrieve.runtime.backends.bound_session import BoundSession
from edge_retrieve.runtime.errors import BackendError

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_ERRORS_ONLY = 3  # ONNX Runtime's log severity; its warnings are about its own optimiser


def load_onnxruntime(extra: str = "cpu") -> ModuleType:
    """Import ONNX Runtime.

    Raises
    ------
    BackendError
        Where it is not installed; names the extra to install.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"ONNX Runtime is not installed ({error})",
            where=f"backend {extra}",
            remedy=f'Install it with: pip install "edge-retrieve[{extra}]"',
        ) from error
    module: ModuleType = onnxruntime
    return module


def require_cuda_build(where: str) -> None:
    """Raise `BackendError` where the installed ONNX Runtime was built without CUDA."""
    if _CUDA not in load_onnxruntime("gpu").get_available_providers():
        raise BackendError(
            "the installed ONNX Runtime has no CUDA provider",
            where=where,
            remedy='Install "edge-retrieve[gpu]" in place of [cpu], or use the backend cpu',
        )


class OnnxRuntimeRunner(Runner):
    """A graph in an ONNX Runtime session.

    Parameters
    ----------
    graph : Path
        The ``.onnx`` file.
    backend : Backend
        `Backend.CPU` or `Backend.CUDA`.
    threads : int, optional
        Threads inside one operator; ONNX Runtime's choice (one per physical core) where None.
    arena : bool
        Keep memory for the next run. What is kept grows by powers of two with what ever ran at once, and none
        of it is given back: not for a small graph that many threads run.

    Raises
    ------
    BackendError
        Where ONNX Runtime is missing, lacks the provider, or cannot load the graph.
    """

    def __init__(
        self, graph: Path, backend: Backend, *, threads: int | None = None, arena: bool = True
    ) -> None:
        cuda = backend is Backend.CUDA
        ort = load_onnxruntime("gpu" if cuda else "cpu")
        self.name = f"ONNX Runtime {backend.value}: {graph.name}"
        if cuda:
            require_cuda_build(self.name)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _ERRORS_ONLY
        options.enable_cpu_mem_arena = arena
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        recording = False
        try:
            if cuda:
                session, recording = _open_on_cuda(ort, graph, options)
            else:
                session = ort.InferenceSession(str(graph), sess_options=options, providers=[_CPU])
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise BackendError(
                f"the graph cannot be loaded ({_first_line(error)})",
                where=str(graph),
                remedy="Check the bundle with: edge-retrieve bundle verify",
            ) from error
        # Where CUDA's libraries do not load, ONNX Runtime falls back to the CPU and only logs it.
        if cuda and session.get_providers()[0] != _CUDA:
            raise BackendError(
                "CUDA was asked for, but ONNX Runtime fell back to the CPU",
                where=self.name,
                remedy="Check the NVIDIA driver and the CUDA and cuDNN libraries, or use the backend cpu",
            )
        self._session: Any = session
        self.inputs = tuple(
            TensorSpec(
                item.name,
                _DTYPES.get(item.type, item.type),
                tuple(extent if isinstance(extent, int) else None for extent in item.shape),
            )
            for item in session.get_inputs()
        )
        self._outputs: list[str] = [item.name for item in session.get_outputs()]
        self._bound = BoundSession(ort, session, self._outputs, "cuda", recording=recording) if cuda else None

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; see `Runner.run`."""
        if self._session is None:
            raise BackendError("the runner is closed", where=self.name)
        self.check(inputs)
        try:
            if self._bound is not None:
                values = self._bound.run(inputs)
            else:
                values = self._session.run(self._outputs, dict(inputs))
        except Exception as error:  # as above
            raise BackendError(f"the engine failed ({_first_line(error)})", where=self.name) from error
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Free the session."""
        self._session = self._bound = None


def _open_on_cuda(ort: Any, graph: Path, options: Any) -> tuple[Any, bool]:
    """Open a session on CUDA, and return with it whether it records CUDA graphs.

    ONNX Runtime refuses to where a node of the graph has no kernel on the GPU; then every kernel is launched
    by itself. What fails for another reason fails again without.
    """
    try:
        recording = [(_CUDA, {"enable_cuda_graph": "1"}), _CPU]
        return ort.InferenceSession(str(graph), sess_options=options, providers=recording), True
    except Exception:  # as in the runner
        return ort.InferenceSession(str(graph), sess_options=options, providers=[_CUDA, _CPU]), False


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
