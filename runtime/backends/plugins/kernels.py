"""The compiled kernels in a folder: choosing, loading and launching them. Nothing is compiled here."""

from __future__ import annotations

from pathlib import Path

from edge_retrieve.runtime.backends.plugins.driver import CudaDriver
from edge_retrieve.runtime.backends.plugins.launch import Launch
from edge_retrieve.runtime.errors import BackendError

PTX_FILE = "roi_align_mean.ptx"


def cubin_file(capability: tuple[int, int]) -> str:
    """Return the name of the binary for a compute capability: ``roi_align_mean.sm_87.cubin`` for (8, 7)."""
    return f"roi_align_mean.sm_{capability[0]}{capability[1]}.cubin"


def choose_image(folder: Path, capability: tuple[int, int]) -> Path:
    """Return the file for a device: its own cubin, or the PTX, which the driver then translates once.

    Only an exact match will do. A cubin runs on later minor versions of its major version in general, but
    not between Jetson (8.7) and desktop cards (8.9).

    Raises
    ------
    BackendError
        Neither is there.
    """
    for name in (cubin_file(capability), PTX_FILE):
        if (folder / name).is_file():
            return folder / name
    raise BackendError(
        f"has neither {cubin_file(capability)} nor {PTX_FILE}",
        where=str(folder),
        remedy="Build the kernels on a machine with nvcc: edge-retrieve export plugins --out DIR",
    )


class Kernels:
    """The kernels of a folder, loaded once into each CUDA context that uses them.

    Parameters
    ----------
    folder : Path
        What `build_kernels` wrote.
    driver : CudaDriver, optional
        By default the machine's, opened when it is first needed.
    """

    def __init__(self, folder: Path, driver: CudaDriver | None = None) -> None:
        self.folder = folder
        self._driver = driver
        self._modules: dict[int, int] = {}
        self._functions: dict[tuple[int, str], int] = {}

    @property
    def driver(self) -> CudaDriver:
        """The driver through which kernels are loaded."""
        if self._driver is None:
            self._driver = CudaDriver()
        return self._driver

    def prepare(self, name: str) -> int:
        """Load what an entry point needs into the current context, and return its handle.

        Loading may synchronise, which a stream under capture forbids: call it before any launch.

        Raises
        ------
        BackendError
            No file fits the device, or the driver refuses it.
        """
        context = self.driver.context()
        if (context, name) not in self._functions:
            if context not in self._modules:
                image = choose_image(self.folder, self.driver.capability())
                try:
                    self._modules[context] = self.driver.load(image.read_bytes())
                except BackendError as error:
                    raise BackendError(
                        f"the driver does not take it ({error})",
                        where=str(image),
                        remedy="Build the kernels with a CUDA release that is not newer than the driver's",
                    ) from error
            self._functions[context, name] = self.driver.function(self._modules[context], name)
        return self._functions[context, name]

    def launch(self, launch: Launch, pointers: tuple[int, int, int], stream: int) -> None:
        """Put one launch on a stream; pointers are those of features, boxes and output."""
        self.driver.launch(self.prepare(launch.kernel), launch, pointers, stream)
