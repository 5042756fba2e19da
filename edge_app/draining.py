"""The end of a server: it takes nothing new, finishes what it has begun, and goes."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

_ENDING = (signal.SIGTERM, signal.SIGINT)
_SERVER_LOG = "uvicorn.error"


class Drain:
    """Whether the server is about to end. What goes on until then (a stream of events) looks here."""

    def __init__(self) -> None:
        self._begun = threading.Event()

    @property
    def begun(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on nothing new is taken."""
        self._begun.set()

    def wait(self, seconds: float) -> bool:
        """Return whether it has begun, after waiting for that at most so long; for threads."""
        return self._begun.wait(seconds)


class DrainingServer(uvicorn.Server):
    """A server that, ended by a signal, finishes what it has begun and returns to its caller.

    The first SIGTERM or SIGINT closes the listening socket and every idle connection. Requests that have
    begun have ``config.timeout_graceful_shutdown`` seconds. A second SIGINT ends it at once.

    Parameters
    ----------
    config : uvicorn.Config
    drain : Drain
    say : callable
        Told in a sentence that it ends.
    on_end : callable
        Called when it begins to end.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Drain,
        say: Callable[[str], None],
        *,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._drain, self._say, self._on_end = drain, say, on_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, and return when all that has begun is answered or its time is over."""
        self._drain.begin()
        self._on_end()
        begun = len(self.server_state.tasks)
        if begun:
            self._say(f"Ending; {begun} requests have {self.config.timeout_graceful_shutdown} s to finish.")
        await super().shutdown(sockets)

    def run_until_ended(self, listener: socket.socket) -> None:
        """Serve until a signal ends it, and return, so that the caller closes what it opened."""
        with _returning(), _without_cancellations():
            self.run(sockets=[listener])


@contextmanager
def _returning() -> Iterator[None]:
    """Have uvicorn return after a signal: it raises the signal again, for whoever handled it before."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no signal arrives
        return
    before = {number: signal.signal(number, lambda *_: None) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _without_cancellations() -> Iterator[None]:
    """Keep tracebacks of requests that were cut short out of the log, which says how many they were."""

    def tells(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))

    log = logging.getLogger(_SERVER_LOG)
    log.addFilter(tells)
    try:
        yield
    finally:
        log.removeFilter(tells)
