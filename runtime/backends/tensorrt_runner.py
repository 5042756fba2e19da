"""TensorRT: engines built for this kind of card, with device memory by pycuda and our plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_retrieve.runtime.backends.engine_files import EngineFile
from edge_retrieve.runtime.backends.engine_runner import EngineRunner, LoadedEngine
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt, register
from edge_retrieve.runtime.backends.pycuda_memory import PycudaMemory, import_pycuda
from edge_retrieve.runtime.backends.tensorrt_library import deserialize, make_logger

LIBRARY = "tensorrt"
KERNELS_FOLDER = "kernels"


def open_tensorrt(file: EngineFile, trt: Any = None) -> EngineRunner:
    """Open an engine of TensorRT for one worker.

    Parameters
    ----------
    file : EngineFile
    trt : module, optional
        ``tensorrt``.

    Raises
    ------
    MissingExtraError
        TensorRT or pycuda is not installed.
    BackendError
        The engine is damaged, or TensorRT refuses it.
    """
    trt = trt or import_tensorrt()
    cuda = import_pycuda()
    content = file.read()
    # Before the engine is opened: it holds our plugin where kernels lie beside it.
    kernels = kernels_folder(file.path.parent)
    if kernels.is_dir():
        register(trt, Kernels(kernels))
    logger = make_logger(trt)
    memory = PycudaMemory(cuda)
    try:
        with memory.current():
            engine = deserialize(trt, logger, file, content)
    finally:
        memory.close()
    name = f"TensorRT {trt.__version__}: {file.path.name}"
    return EngineRunner(
        LoadedEngine(name, trt, engine, engine.create_execution_context, lambda: PycudaMemory(cuda))
    )


def kernels_folder(engines: Path) -> Path:
    """Return where the plugin's kernels lie beside engines; only engines that hold the plugin need them."""
    return engines / KERNELS_FOLDER
