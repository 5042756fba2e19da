"""Running an engine of TensorRT or TensorRT for RTX, whose Python interfaces are alike here."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_retrieve.runtime.backends.base import Array, Runner, TensorSpec
from edge_retrieve.runtime.backends.device_memory import Bytes, DeviceMemory
from edge_retrieve.runtime.backends.profiles import InputProfile, Shape
from edge_retrieve.runtime.errors import BackendError


@dataclass(frozen=True)
class LoadedEngine:
    """An engine in a process, to run in any number of workers.

    Parameters
    ----------
    name : str
        Engine and graph, for messages.
    trt : module
        ``tensorrt`` or ``tensorrt_rtx``.
    engine : object
        The library's ``ICudaEngine``.
    new_context : callable
        Returns a new execution context of it.
    new_memory : callable
        Returns a worker's `DeviceMemory`.
    captures : bool
        Whether launches are recorded into CUDA graphs here; not where the library does that itself.
    """

    name: str
    trt: Any
    engine: Any
    new_context: Callable[[], Any]
    new_memory: Callable[[], DeviceMemory]
    captures: bool = True


@dataclass
class _Tensor:
    """An input or output: its buffers, made once for the largest shape, so that addresses never change."""

    name: str
    dtype: np.dtype[Any]
    address: int
    pinned: Bytes

    def host(self, shape: Shape) -> Bytes:
        return self.pinned[: math.prod(shape) * self.dtype.itemsize]


class EngineRunner(Runner):
    """One worker's execution context of an engine, with its stream and buffers.

    The first run with new shapes goes to the engine as it is, which lets it settle its shapes; the second is
    recorded into a CUDA graph, and later ones with the same shapes replay it.

    Parameters
    ----------
    loaded : LoadedEngine

    Raises
    ------
    BackendError
        The device has no memory left, or the engine has an element type that NumPy lacks.
    """

    def __init__(self, loaded: LoadedEngine) -> None:
        self.name = loaded.name
        self.loaded = loaded
        self._busy = threading.Lock()
        self._context: Any = None
        self._shapes: tuple[Shape, ...] = ()
        self._runs = 0
        self._graph = 0
        trt, engine = loaded.trt, loaded.engine
        names = [engine.get_tensor_name(n) for n in range(engine.num_io_tensors)]
        is_input = {name: engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        self.profiles = tuple(
            InputProfile(name, *(tuple(shape) for shape in engine.get_tensor_profile_shape(name, 0)))
            for name in names
            if is_input[name]
        )
        self.inputs = tuple(
            TensorSpec(item.name, self._dtype(item.name).name, item.extents) for item in self.profiles
        )
        self._memory = loaded.new_memory()
        try:
            with self._memory.current():
                self._context = loaded.new_context()
                if self._context is None:
                    raise BackendError(
                        "the library makes no execution context", where=self.name, remedy="See its log above"
                    )
                self._set_shapes([item.largest for item in self.profiles])
                self._tensors = {name: self._allocate(name) for name in names}
                self._shapes = ()
        except BaseException:
            self.close()
            raise
        self._outputs = [name for name in names if not is_input[name]]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the engine once; see `Runner.run`. A runner serves one thread at a time."""
        if self._context is None:
            raise BackendError("the runner is closed", where=self.name)
        self.check(inputs)
        if not self._busy.acquire(blocking=False):
            raise BackendError(
                "two threads use one execution context at a time",
                where=self.name,
                remedy="Give each worker its own: EngineRunner.another",
            )
        try:
            with self._memory.current():
                return self._run(inputs)
        finally:
            self._busy.release()

    def another(self) -> EngineRunner:
        """Return a runner for another worker: the same engine, a context, stream and buffers of its own."""
        return EngineRunner(self.loaded)

    def check(self, inputs: Mapping[str, Array]) -> None:
        """Raise `BackendError` where an input is missing, unknown, or outside the engine's profile."""
        super().check(inputs)
        for profile in self.profiles:
            profile.check(inputs[profile.name].shape, self.name)

    def close(self) -> None:
        """Free context, stream and buffers; the engine goes with its last runner."""
        if self._graph:
            with self._memory.current():
                self._memory.forget(self._graph)
            self._graph = 0
        self._context = None
        self._memory.close()

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        shapes = tuple(inputs[item.name].shape for item in self.profiles)
        if shapes != self._shapes:
            self._forget_graph()
            self._set_shapes(shapes)
            self._shapes, self._runs = shapes, 0
        for item, shape in zip(self.profiles, shapes, strict=True):
            tensor = self._tensors[item.name]
            host = tensor.host(shape)
            host.view(tensor.dtype).reshape(shape)[...] = inputs[item.name]
            self._memory.upload(tensor.address, host)
        self._launch()
        results = {name: tuple(self._context.get_tensor_shape(name)) for name in self._outputs}
        for name, shape in results.items():
            tensor = self._tensors[name]
            self._memory.download(tensor.host(shape), tensor.address)
        self._memory.synchronise()
        # Copies: the pinned buffers are written again by the next run.
        return {
            name: self._tensors[name].host(shape).view(self._tensors[name].dtype).reshape(shape).copy()
            for name, shape in results.items()
        }

    def _launch(self) -> None:
        self._runs += 1
        if self.loaded.captures and self._runs == 2:
            self._graph = self._memory.capture(self._enqueue)
        if self._graph:
            self._memory.replay(self._graph)
        else:
            self._enqueue()

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._memory.stream):
            raise BackendError("the engine failed", where=self.name, remedy="See the library's log above")

    def _forget_graph(self) -> None:
        if self._graph:
            self._memory.forget(self._graph)
            self._graph = 0

    def _set_shapes(self, shapes: Any) -> None:
        for item, shape in zip(self.profiles, shapes, strict=True):
            if not self._context.set_input_shape(item.name, shape):
                raise BackendError(f"the engine refuses shape {shape} for '{item.name}'", where=self.name)

    def _allocate(self, name: str) -> _Tensor:
        """Make a tensor's buffers for the shapes now set, and tell the context where they are."""
        shape, dtype = tuple(self._context.get_tensor_shape(name)), self._dtype(name)
        if any(extent < 0 for extent in shape):
            raise BackendError(
                f"the shape of output '{name}' depends on values, which is not supported", where=self.name
            )
        size = math.prod(shape) * dtype.itemsize
        tensor = _Tensor(name, dtype, self._memory.allocate(size), self._memory.pinned(size))
        if not self._context.set_tensor_address(name, tensor.address):
            raise BackendError(f"the engine refuses a buffer for '{name}'", where=self.name)
        return tensor

    def _dtype(self, name: str) -> np.dtype[Any]:
        kind = self.loaded.engine.get_tensor_dtype(name)
        try:
            dtype: np.dtype[Any] = np.dtype(self.loaded.trt.nptype(kind))
        except TypeError as error:
            raise BackendError(
                f"'{name}' has element type {kind}, which NumPy lacks",
                where=self.name,
                remedy="Build the engine with float32 or float16 at its edges",
            ) from error
        return dtype
