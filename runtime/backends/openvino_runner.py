"""OpenVINO on the CPU: the fastest engine here for int8 graphs on x86 processors with matrix units (AMX)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_retrieve.runtime.backends.base import Array, Runner, TensorSpec
from edge_retrieve.runtime.errors import BackendError, MissingExtraError

# OpenVINO's names of element types that differ from NumPy's.
_DTYPES = {
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i32": "int32",
    "i64": "int64",
    "boolean": "bool",
}
# Where a graph multiplies matrices; their element type is what it computes in.
_PRODUCTS = {"MatMul", "Convolution", "GroupConvolution"}


def load_openvino() -> ModuleType:
    """Import OpenVINO.

    Raises
    ------
    MissingExtraError
        Where it is not installed; names the extra to install.
    """
    # OpenVINO's package brings one that reports its use over the network; where it is missing, OpenVINO goes
    # without. Nothing here may open a connection.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            f"OpenVINO is not installed ({error})",
            where="backend openvino",
            remedy='Install it with: pip install "edge-retrieve[openvino]"',
        ) from error
    module: ModuleType = openvino
    return module


class OpenVinoRunner(Runner):
    """A graph compiled by OpenVINO for the CPU.

    It computes in what the graph was made for, never in less: OpenVINO by itself would run a float32 graph
    in bfloat16 where the processor can, which no parity figure of a bundle speaks of. A quantised graph
    is the exception: beside its int8 products, what is left in float32 runs in bfloat16 where the processor
    has it, an error far below that of int8 (docs/performance.md).

    Parameters
    ----------
    graph : Path
        The ``.onnx`` file.
    threads : int, optional
        OpenVINO's choice (one per physical core) where None.
    precision : str, optional
        OpenVINO's name of the arithmetic (``f32``, ``bf16``, ``f16``); by the graph where None. For
        comparisons: a bundle's graphs are to run as they were made.

    Raises
    ------
    MissingExtraError
        Where OpenVINO is not installed.
    BackendError
        Where OpenVINO cannot load the graph.
    """

    def __init__(self, graph: Path, *, threads: int | None = None, precision: str | None = None) -> None:
        openvino = load_openvino()
        self.name = f"OpenVINO cpu: {graph.name}"
        self._core: Any = openvino.Core()
        self._graph, self._threads = graph, threads
        model = self._read()
        self.arithmetic = precision or _arithmetic(model, self._core)
        self.inputs = tuple(
            TensorSpec(item.get_any_name(), _dtype(item), _extents(item)) for item in model.inputs
        )
        self._outputs: list[str] = [item.get_any_name() for item in model.outputs]
        self._alone = _alone(self.inputs)
        # By whether it takes one image at a time; the other is made when it is first needed.
        self._requests: dict[bool, Any] = {}
        self._request(one=self._alone is not None, model=model)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once; see `Runner.run`."""
        if not self._requests:
            raise BackendError("the runner is closed", where=self.name)
        self.check(inputs)
        request = self._request(one=self._alone is not None and len(inputs[self._alone]) == 1)
        try:
            # Inputs are read in place; outputs are copied, so that the next run does not change them.
            values = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
            return {name: values[name] for name in self._outputs}
        except Exception as error:  # as above
            raise BackendError(f"the engine failed ({_first_line(error)})", where=self.name) from error

    def close(self) -> None:
        """Free the compiled graph."""
        self._requests = {}

    def _read(self) -> Any:
        try:
            return self._core.read_model(str(self._graph))
        except Exception as error:  # RuntimeError mostly; what else its bindings raise is not documented
            raise self._unusable(error) from error

    def _request(self, *, one: bool, model: Any = None) -> Any:
        """Return the graph compiled for one image, or for any number: known sizes are faster."""
        request = self._requests.get(one)
        if request is None:
            if model is None:
                model = self._read()
            options = _options(self.arithmetic, self._threads)
            try:
                if one:
                    model.reshape({self._alone: [1, *self.inputs[0].shape[1:]]})
                request = self._core.compile_model(model, "CPU", options).create_infer_request()
            except Exception as error:  # as above
                raise self._unusable(error) from error
            self._requests[one] = request
        return request

    def _unusable(self, error: Exception) -> BackendError:
        return BackendError(
            f"the graph cannot be loaded ({_first_line(error)})",
            where=str(self._graph),
            remedy="Check the bundle with: edge-retrieve bundle verify, or use the backend cpu",
        )


def _alone(inputs: tuple[TensorSpec, ...]) -> str | None:
    """Return the name of the only input, where nothing but its number of images is open."""
    if len(inputs) != 1:
        return None
    first, *others = inputs[0].shape
    return inputs[0].name if first is None and None not in others else None


def _arithmetic(model: Any, core: Any) -> str:
    """Return what a graph is to compute in: what it was made for, as far as this processor can."""
    able = set(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    kinds = [(node.get_type_name(), node) for node in model.get_ops()]
    # The ONNX reader turns each QuantizeLinear into this.
    if any(kind == "FakeQuantize" for kind, _ in kinds):
        return "bf16" if "BF16" in able else "f32"
    half = any(
        kind in _PRODUCTS and node.get_output_element_type(0).get_type_name() == "f16" for kind, node in kinds
    )
    return "f16" if half and "FP16" in able else "f32"


def _options(arithmetic: str, threads: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",  # one query at a time: all threads work on it
        "INFERENCE_PRECISION_HINT": arithmetic,
        "ENABLE_CPU_PINNING": False,  # other processes share these cores
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    return options


def _dtype(item: Any) -> str:
    name = item.get_element_type().get_type_name()
    return _DTYPES.get(name, str(name))


def _extents(item: Any) -> tuple[int | None, ...]:
    shape = item.get_partial_shape()
    return tuple(None if extent.is_dynamic else extent.get_length() for extent in shape)


def _first_line(error: Exception) -> str:
    """Return the first line that says something: OpenVINO begins with where in its source it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (telling or lines or ["no reason given"])[0]
