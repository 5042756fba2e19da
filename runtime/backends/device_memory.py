"""A worker's share of a GPU: a stream, buffers on both sides, and CUDA graphs of what goes on the stream."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.backends.plugins.driver import CudaDriver

Bytes = npt.NDArray[np.uint8]

# cuda.h: CU_STREAM_NON_BLOCKING; CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, so that other workers go on meanwhile.
_NON_BLOCKING, _THREAD_LOCAL = 1, 1


class DeviceMemory(ABC):
    """What an engine runs on. Everything is put on one stream; only `synchronise` waits.

    Call everything but `close` inside `current`.
    """

    stream: int
    """Raw handle of the stream."""

    @abstractmethod
    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this worker's CUDA context the current one of the thread."""

    @abstractmethod
    def allocate(self, size: int) -> int:
        """Return the address of a new buffer on the device, of a size in bytes."""

    @abstractmethod
    def pinned(self, size: int) -> Bytes:
        """Return a page-locked buffer on the host, which the device reads and writes without a copy."""

    @abstractmethod
    def upload(self, address: int, source: Bytes) -> None:
        """Copy a pinned buffer to the device."""

    @abstractmethod
    def download(self, target: Bytes, address: int) -> None:
        """Copy from the device to a pinned buffer."""

    @abstractmethod
    def synchronise(self) -> None:
        """Wait until all on the stream is done."""

    @abstractmethod
    def close(self) -> None:
        """Free stream, buffers and graphs; closing twice is allowed."""

    @property
    @abstractmethod
    def driver(self) -> CudaDriver:
        """The driver, for what both kinds of memory do alike: CUDA graphs."""

    def capture(self, enqueue: Callable[[], None]) -> int:
        """Record what a function puts on the stream, without running it.

        Returns
        -------
        int
            Handle of an executable graph, for `replay` and `forget`.
        """
        stream, graph, executable = ctypes.c_void_p(self.stream), ctypes.c_void_p(), ctypes.c_void_p()
        self.driver.call("cuStreamBeginCapture_v2", stream, ctypes.c_int(_THREAD_LOCAL))
        try:
            enqueue()
        finally:
            # A stream must not be left under capture, whatever went wrong.
            self.driver.call("cuStreamEndCapture", stream, ctypes.byref(graph))
        try:
            self.driver.call(
                "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0)
            )
        finally:
            self.driver.call("cuGraphDestroy", graph)
        return executable.value or 0

    def replay(self, graph: int) -> None:
        """Put a recorded graph on the stream."""
        self.driver.call("cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(self.stream))

    def forget(self, graph: int) -> None:
        """Free a recorded graph."""
        self.driver.call("cuGraphExecDestroy", ctypes.c_void_p(graph))


class DriverMemory(DeviceMemory):
    """Memory and a stream in the device's primary context, through the driver's own library.

    The primary context is the one that CUDA's runtime library, and so TensorRT, uses.

    Parameters
    ----------
    driver : CudaDriver, optional
        By default the machine's.

    Raises
    ------
    BackendError
        There is no driver or no device, or it has no memory left.
    """

    def __init__(self, driver: CudaDriver | None = None) -> None:
        self._driver = driver or CudaDriver()
        self._device, self._context = ctypes.c_int(), ctypes.c_void_p()
        self._buffers: list[int] = []
        self._pinned: list[int] = []
        self._open = False
        self._driver.call("cuDeviceGet", ctypes.byref(self._device), ctypes.c_int(0))
        self._driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        self._open = True
        self.stream = 0
        stream = ctypes.c_void_p()
        with self.current():
            self._driver.call("cuStreamCreate", ctypes.byref(stream), ctypes.c_uint(_NON_BLOCKING))
        self.stream = stream.value or 0

    @property
    def driver(self) -> CudaDriver:
        """The driver this memory is of."""
        return self._driver

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `DeviceMemory.current`."""
        self._driver.call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            popped = ctypes.c_void_p()
            self._driver.call("cuCtxPopCurrent_v2", ctypes.byref(popped))

    def allocate(self, size: int) -> int:
        """See `DeviceMemory.allocate`."""
        address = ctypes.c_void_p()
        self._driver.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
        self._buffers.append(address.value or 0)
        return self._buffers[-1]

    def pinned(self, size: int) -> Bytes:
        """See `DeviceMemory.pinned`."""
        address = ctypes.c_void_p()
        self._driver.call(
            "cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(max(size, 1)), ctypes.c_uint(0)
        )
        self._pinned.append(address.value or 0)
        raw = (ctypes.c_uint8 * size).from_address(self._pinned[-1])
        return np.ctypeslib.as_array(raw)

    def upload(self, address: int, source: Bytes) -> None:
        """See `DeviceMemory.upload`."""
        self._copy("cuMemcpyHtoDAsync_v2", address, source.ctypes.data, source.nbytes)

    def download(self, target: Bytes, address: int) -> None:
        """See `DeviceMemory.download`."""
        self._copy("cuMemcpyDtoHAsync_v2", target.ctypes.data, address, target.nbytes)

    def synchronise(self) -> None:
        """See `DeviceMemory.synchronise`."""
        self._driver.call("cuStreamSynchronize", ctypes.c_void_p(self.stream))

    def close(self) -> None:
        """See `DeviceMemory.close`."""
        if not self._open:
            return
        self._open = False
        with self.current():
            for address in self._buffers:
                self._driver.call("cuMemFree_v2", ctypes.c_void_p(address))
            for address in self._pinned:
                self._driver.call("cuMemFreeHost", ctypes.c_void_p(address))
            if self.stream:
                self._driver.call("cuStreamDestroy_v2", ctypes.c_void_p(self.stream))
        self._driver.call("cuDevicePrimaryCtxRelease_v2", self._device)

    def _copy(self, name: str, target: int, source: int, size: int) -> None:
        stream: Any = ctypes.c_void_p(self.stream)
        self._driver.call(
            name, ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(size), stream
        )
