"""What a server writes to its log: what went wrong and where in the program, never whom it was about.

The message of an exception may hold what it was raised about: a file's name, a value of a header, a row.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

_OWN = ("edge_retrieve", "uvicorn", "asyncio")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """Formats an exception as its type and the places it passed, without its message."""

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802  # the base class's name
        """Return the chain of exceptions, the first cause first."""
        return discreet_traceback(ei[1])


def discreet_traceback(error: BaseException | None) -> str:
    """Return where an exception came from and of what type it and its causes are, with no word of theirs."""
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        parts.append("\n".join([*lines, f"{type(error).__module__}.{type(error).__qualname__}"]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nwhich was caused by\n".join(parts)


def use_discreet_logs() -> None:
    """Write warnings and errors of our own rooms and of the server to standard error, discreetly.

    What other libraries have to say (of values in a DICOM header, for example) is not written at all.
    Exceptions that end a thread are told of in the same way.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter(_FORMAT))
    handler.addFilter(lambda record: record.name.partition(".")[0] in _OWN)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Whoever ran uvicorn before in this process may have left handlers of its own, which are not discreet.
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Libraries warn of values in headers and quote them: as records, their warnings are not shown either.
    logging.captureWarnings(True)
    # A record that cannot be formatted would be shown with its arguments.
    logging.raiseExceptions = False
    threading.excepthook = _tell_of_thread


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit:
        return
    name = ended.thread.name if ended.thread is not None else "unknown"
    logging.getLogger("edge_retrieve.threads").error(
        "the thread %s ended:\n%s", name, discreet_traceback(ended.exc_value)
    )
