"""The connections of an open store: one that writes, and as many that read as there are readers at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A connection keeps up to 2 MB of pages: those of a rush are closed after it.
_MOST_IDLE = 4


class ReadConnections:
    """Connections for reading, lent one to a reader at a time.

    In WAL mode a reader sees the last commit and waits for no writer, if it has a connection of its own.

    Parameters
    ----------
    open_one : callable
        Opens another.
    """

    def __init__(self, open_one: Callable[[], sqlite3.Connection]) -> None:
        self._open_one = open_one
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection within a transaction: all it reads is of one moment."""
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._open_one()
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            finally:
                with self._lock:
                    keep = not self._closed and len(self._idle) < _MOST_IDLE
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    def close(self) -> None:
        """Close all that are not lent; those are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
