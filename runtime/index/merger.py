"""A thread that brings partitions up to date while queries go on with what they have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.index.keys import PartitionKey

_PAUSE_S = 60.0  # before a partition that could not be merged is tried again


class Merger:
    """Merges partitions one after the other, in a thread that lives while there is something to do.

    Parameters
    ----------
    merge : callable
        Merges one partition.
    """

    def __init__(self, merge: Callable[[PartitionKey], None]) -> None:
        self._merge = merge
        self._waiting: list[PartitionKey] = []
        self._not_before: dict[PartitionKey, float] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask(self, key: PartitionKey) -> None:
        """Have a partition merged soon; one that waits already, or failed just now, is left."""
        with self._lock:
            if key in self._waiting or time.monotonic() < self._not_before.get(key, 0.0):
                return
            self._waiting.append(key)
            if self._thread is None:
                # No daemon: a process that ends finishes the file it is writing.
                self._thread = threading.Thread(target=self._work, name="index merge")
                self._thread.start()

    def wait(self) -> None:
        """Return when nothing is left to do."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                key = self._waiting[0]
            try:
                self._merge(key)
            except (EdgeRetrieveError, OSError):
                # The query that needs what is broken will say so; this was only to make it faster.
                self._not_before[key] = time.monotonic() + _PAUSE_S
            finally:
                with self._lock:
                    self._waiting.remove(key)
