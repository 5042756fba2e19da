"""TensorRT for RTX: engines built ahead of time, finished for the card when they first run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_retrieve.runtime.backends.device_memory import DriverMemory
from edge_retrieve.runtime.backends.engine_files import EngineFile, write_whole
from edge_retrieve.runtime.backends.engine_runner import EngineRunner, LoadedEngine
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt
from edge_retrieve.runtime.backends.tensorrt_library import deserialize, make_logger
from edge_retrieve.runtime.errors import BackendError

LIBRARY = "tensorrt-rtx"
CACHE_SUFFIX = ".jit"


class RtxRunner(EngineRunner):
    """An engine of TensorRT for RTX, and the cache of the kernels it compiled for this card.

    The library compiles kernels when shapes are first met, and records CUDA graphs itself. What it compiled
    is written beside the engine when the runner closes, and read again when it opens.

    Parameters
    ----------
    loaded : LoadedEngine
    cache : object
        The library's ``IRuntimeCache``.
    cache_path : Path
    """

    def __init__(self, loaded: LoadedEngine, cache: Any, cache_path: Path) -> None:
        self._cache, self._cache_path = cache, cache_path
        super().__init__(loaded)

    def another(self) -> RtxRunner:
        """Return a runner for another worker, with the same cache; see `EngineRunner.another`."""
        return RtxRunner(self.loaded, self._cache, self._cache_path)

    def close(self) -> None:
        """Keep what was compiled, then free context, stream and buffers."""
        if self._context is not None:
            with self._memory.current():
                content = bytes(self._cache.serialize())
            try:
                if not self._cache_path.is_file() or self._cache_path.read_bytes() != content:
                    write_whole(self._cache_path, content)
            except OSError:
                # A read-only folder costs the next start its time, and nothing else.
                pass
        super().close()


def open_tensorrt_rtx(file: EngineFile, trt: Any = None) -> RtxRunner:
    """Open an engine of TensorRT for RTX for one worker.

    Parameters
    ----------
    file : EngineFile
    trt : module, optional
        ``tensorrt_rtx``.

    Raises
    ------
    MissingExtraError
        TensorRT for RTX is not installed.
    BackendError
        There is no driver, the engine is damaged, or the library refuses it.
    """
    trt = trt or import_tensorrt("tensorrt_rtx")
    content = file.read()
    logger = make_logger(trt)
    memory = DriverMemory()
    try:
        with memory.current():
            _check_validity(trt, logger, file, content)
            engine = deserialize(trt, logger, file, content)
            config = engine.create_runtime_config()
            config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            cache, path = config.create_runtime_cache(), file.path.with_suffix(CACHE_SUFFIX)
            if path.is_file():
                # Of another driver or card it is refused, and kernels are compiled anew.
                cache.deserialize(path.read_bytes())
            config.set_runtime_cache(cache)
    finally:
        memory.close()
    loaded = LoadedEngine(
        f"TensorRT-RTX {trt.__version__}: {file.path.name}",
        trt,
        engine,
        lambda: engine.create_execution_context(config),
        DriverMemory,
        captures=False,
    )
    return RtxRunner(loaded, cache, path)


def _check_validity(trt: Any, logger: Any, file: EngineFile, content: bytes) -> None:
    """Raise `BackendError` where the library says beforehand that an engine does not run here, and why."""
    validity, diagnostics = trt.Runtime(logger).get_engine_validity(content)
    if validity != trt.EngineValidity.INVALID:
        return
    known = trt.EngineInvalidityDiagnostics.__members__.values()
    reasons = [item.name.lower().replace("_", " ") for item in known if int(item.value) & int(diagnostics)]
    raise BackendError(
        f"the engine does not run here ({', '.join(reasons) or logger.first_error or 'no reason given'})",
        where=str(file.path),
        remedy="Build it again with: edge-retrieve warmup",
    )
