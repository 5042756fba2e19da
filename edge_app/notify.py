"""Telling systemd how the server is: ready, alive, ending (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from edge_retrieve.edge_app.readiness import Readiness, Stage

SOCKET_VARIABLE = "NOTIFY_SOCKET"

EVERY_SECONDS = 1
"""How often `ServiceManager.tell` is to be called: far more often than any watchdog bites."""


class ServiceManager:
    """The manager that started the server, if one did; otherwise nothing is told.

    Parameters
    ----------
    environment : mapping of str to str
        Names the manager's socket.
    readiness : callable
        How far the warm-up is.
    """

    def __init__(self, environment: Mapping[str, str], readiness: Callable[[], Readiness]) -> None:
        address = environment.get(SOCKET_VARIABLE, "")
        # A name that begins with @ is one of Linux's abstract sockets.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._readiness = readiness
        self._told_ready = False

    @classmethod
    def here(cls, readiness: Callable[[], Readiness]) -> ServiceManager:
        """Return the manager of this process."""
        return cls(os.environ, readiness)

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return bool(self._address)

    async def tell(self) -> None:
        """Say that the server answers, and once that it is ready; called by the loop that answers."""
        found = self._readiness()
        words = ["WATCHDOG=1", f"STATUS={found.stage.value}"]
        if found.stage is Stage.READY and not self._told_ready:
            words.append("READY=1")
            self._told_ready = True
        self._send(words)

    def ending(self) -> None:
        """Say that it ends."""
        self._send(["STOPPING=1", "STATUS=ending"])

    def _send(self, words: list[str]) -> None:
        if not self._address:
            return
        # A manager that has gone away is no reason to stop answering.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto("\n".join(words).encode(), self._address)
