"""Device memory, pinned buffers and a stream by pycuda."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_retrieve.runtime.backends.device_memory import Bytes, DeviceMemory
from edge_retrieve.runtime.backends.plugins.driver import CudaDriver
from edge_retrieve.runtime.errors import BackendError, MissingExtraError


def import_pycuda() -> Any:
    """Return ``pycuda.driver``, initialised.

    Raises
    ------
    MissingExtraError
        It is not installed, or finds no driver to load.
    BackendError
        The driver finds no device.
    """
    try:
        from pycuda import driver as cuda
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            f"cannot be imported ({error})",
            where="pycuda",
            remedy='Install it with: pip install "edge-retrieve[tensorrt]"',
        ) from error
    try:
        cuda.init()
    except cuda.Error as error:
        raise BackendError(
            f"pycuda cannot use the driver ({error})", where="pycuda", remedy="Check nvidia-smi"
        ) from error
    return cuda


class PycudaMemory(DeviceMemory):
    """Memory in the device's primary context, which is the one that TensorRT uses.

    Parameters
    ----------
    cuda : module, optional
        ``pycuda.driver``.

    Raises
    ------
    MissingExtraError, BackendError
        As `import_pycuda`, or where the device has no memory left.
    """

    def __init__(self, cuda: Any = None) -> None:
        self._cuda = cuda or import_pycuda()
        self._graphs: CudaDriver | None = None
        self._buffers: list[Any] = []
        self._context: Any = self._cuda.Device(0).retain_primary_context()
        self._stream: Any = None
        with self.current():
            self._stream = self._cuda.Stream()
        self.stream = int(self._stream.handle)

    @property
    def driver(self) -> CudaDriver:
        """The driver's library itself: pycuda has no CUDA graphs."""
        if self._graphs is None:
            self._graphs = CudaDriver()
        return self._graphs

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `DeviceMemory.current`."""
        self._context.push()
        try:
            yield
        except self._cuda.Error as error:
            raise BackendError(f"pycuda: {error}", where="CUDA driver") from error
        finally:
            self._context.pop()

    def allocate(self, size: int) -> int:
        """See `DeviceMemory.allocate`."""
        self._buffers.append(self._cuda.mem_alloc(max(size, 1)))
        return int(self._buffers[-1])

    def pinned(self, size: int) -> Bytes:
        """See `DeviceMemory.pinned`."""
        buffer: Bytes = self._cuda.pagelocked_empty(size, np.uint8)
        return buffer

    def upload(self, address: int, source: Bytes) -> None:
        """See `DeviceMemory.upload`."""
        self._cuda.memcpy_htod_async(address, source, self._stream)

    def download(self, target: Bytes, address: int) -> None:
        """See `DeviceMemory.download`."""
        self._cuda.memcpy_dtoh_async(target, address, self._stream)

    def synchronise(self) -> None:
        """See `DeviceMemory.synchronise`."""
        self._stream.synchronize()

    def close(self) -> None:
        """See `DeviceMemory.close`."""
        if self._context is None:
            return
        with self.current():
            for buffer in self._buffers:
                buffer.free()
            self._buffers.clear()
            self._stream = None
        # Dropping the last reference releases the primary context.
        self._context = None
