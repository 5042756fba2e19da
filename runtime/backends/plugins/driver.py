"""The CUDA driver through its own library: any call by name, and those that a plugin needs.

Through ctypes and not through pycuda, whose ``Function`` launches only on streams that pycuda itself has
created (its ``Stream`` cannot wrap a handle), while TensorRT hands every plugin the raw handle of its own.
The driver's library is on every machine that has a GPU; nothing is compiled and nothing else is needed.
"""

from __future__ import annotations

import ctypes

from edge_retrieve.runtime.backends.plugins.launch import Launch
from edge_retrieve.runtime.errors import BackendError

LIBRARY = "libcuda.so.1"
# CUdevice_attribute of cuda.h
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


class CudaDriver:
    """The CUDA driver of this machine; every call works in the context that is current.

    Parameters
    ----------
    library : str, optional
        Name or path of the driver's library; `LIBRARY` by default.

    Raises
    ------
    BackendError
        There is no driver, or it finds no device.
    """

    def __init__(self, library: str = "") -> None:
        try:
            self._library = ctypes.CDLL(library or LIBRARY)
        except OSError as error:
            raise BackendError(
                f"the CUDA driver cannot be loaded ({error})",
                remedy="Install NVIDIA's driver, or choose a backend without CUDA",
            ) from error
        self.call("cuInit", ctypes.c_uint(0))

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the driver by its name; raise `BackendError` with its reason where it fails."""
        code = int(getattr(self._library, name)(*arguments))
        if code:
            text = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(text))
            reason = (text.value or b"an unknown error").decode()
            raise BackendError(f"{name} failed: {reason} ({code})", where="CUDA driver")

    def context(self) -> int:
        """Return a number that no other context of this process ever has.

        Raises
        ------
        BackendError
            No context is current.
        """
        current = ctypes.c_void_p()
        self.call("cuCtxGetCurrent", ctypes.byref(current))
        if not current.value:
            raise BackendError("no CUDA context is current in this thread", where="CUDA driver")
        number = ctypes.c_ulonglong()
        self.call("cuCtxGetId", current, ctypes.byref(number))
        return number.value

    def capability(self) -> tuple[int, int]:
        """Return the compute capability of the current device, such as (8, 7)."""
        device = ctypes.c_int()
        self.call("cuCtxGetDevice", ctypes.byref(device))
        return self.capability_of(device.value)

    def capability_of(self, device: int) -> tuple[int, int]:
        """Return the compute capability of a device by its handle; needs no context."""
        parts = (ctypes.c_int(), ctypes.c_int())
        for part, attribute in zip(parts, (_CAPABILITY_MAJOR, _CAPABILITY_MINOR), strict=True):
            self.call("cuDeviceGetAttribute", ctypes.byref(part), attribute, ctypes.c_int(device))
        return parts[0].value, parts[1].value

    def load(self, image: bytes) -> int:
        """Load a cubin or PTX text into the current context and return its handle."""
        module = ctypes.c_void_p()
        # PTX is text that has to end with a zero; a cubin does not mind one.
        self.call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(image))
        return module.value or 0

    def function(self, module: int, name: str) -> int:
        """Return the handle of an entry point."""
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), ctypes.c_void_p(module), name.encode())
        return function.value or 0

    def launch(self, function: int, launch: Launch, pointers: tuple[int, int, int], stream: int) -> None:
        """Put one launch on a stream and return at once.

        Parameters
        ----------
        function : int
            Handle from `function`.
        launch : Launch
        pointers : tuple of int
            Device addresses of features, boxes and output.
        stream : int
            Raw handle of the stream.
        """
        values = [*map(ctypes.c_void_p, pointers), *map(ctypes.c_int, launch.sizes)]
        addresses = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        grid, block = (*launch.grid, 1), (launch.threads, 1, 1)
        shape = [ctypes.c_uint(size) for size in (*grid, *block)]
        # The driver copies the arguments before it returns, so they need not outlive this call.
        self.call(
            "cuLaunchKernel", ctypes.c_void_p(function), *shape, ctypes.c_uint(0), ctypes.c_void_p(stream),
            addresses, None,
        )  # fmt: skip
