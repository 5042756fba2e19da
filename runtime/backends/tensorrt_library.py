"""What TensorRT and TensorRT for RTX have in common: opening an engine that was built before."""

from __future__ import annotations

import logging
from typing import Any

from edge_retrieve.runtime.backends.engine_files import EngineFile
from edge_retrieve.runtime.errors import BackendError

_log = logging.getLogger(__name__)


def make_logger(trt: Any) -> Any:
    """Return a logger that keeps the library's first error as `first_error`, and passes all on to Python's.

    The library's calls return no reason. What it prints by itself would fill a terminal with notes to its own
    developers, so it is logged as debugging.

    Parameters
    ----------
    trt : module
        ``tensorrt`` or ``tensorrt_rtx``.
    """
    errors = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Passing(trt.ILogger):  # type: ignore[misc]  # the library has no types
        """Keeps the first error: those after it follow from it."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.first_error = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in errors and not self.first_error:
                self.first_error = message.strip()
            _log.debug("%s: %s", trt.__name__, message)

    return Passing()


def deserialize(trt: Any, logger: Any, file: EngineFile, content: bytes) -> Any:
    """Return an ``ICudaEngine``.

    Parameters
    ----------
    trt : module
    logger : object
        From `make_logger`.
    file : EngineFile
    content : bytes
        What it holds.

    Raises
    ------
    BackendError
        The library refuses it; says why where the library does.
    """
    runtime = trt.Runtime(logger)
    if file.record.version_compatible:
        # Such an engine brings the runtime it was built with, as code. Its file was verified before.
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise BackendError(
            f"{file.record.engine.library} refuses the engine ({logger.first_error or 'no reason given'})",
            where=str(file.path),
            remedy="Build it again with: edge-retrieve warmup",
        )
    return engine
