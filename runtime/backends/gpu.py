"""Which GPU this machine has, asked of its driver."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from edge_retrieve.runtime.backends.plugins.driver import CudaDriver
from edge_retrieve.runtime.errors import BackendError

_NAME_BYTES = 256


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Parameters
    ----------
    name : str
    capability : (int, int)
        Its compute capability, such as (8, 7).
    """

    name: str
    capability: tuple[int, int]

    @property
    def capability_text(self) -> str:
        """The compute capability as NVIDIA writes it: ``8.7``."""
        return f"{self.capability[0]}.{self.capability[1]}"


def find_gpu(driver: CudaDriver | None = None) -> Gpu:
    """Return the first GPU of this machine; ``CUDA_VISIBLE_DEVICES`` decides which that is.

    Raises
    ------
    BackendError
        There is no driver, or no GPU.
    """
    driver = driver or CudaDriver()
    count = ctypes.c_int()
    driver.call("cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise BackendError(
            "the driver finds no GPU",
            where="CUDA driver",
            remedy="Check nvidia-smi and CUDA_VISIBLE_DEVICES, or choose the backend cpu",
        )
    device = ctypes.c_int()
    driver.call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
    name = ctypes.create_string_buffer(_NAME_BYTES)
    driver.call("cuDeviceGetName", name, ctypes.c_int(_NAME_BYTES), device)
    return Gpu(name.value.decode(errors="replace"), driver.capability_of(device.value))
