"""Heavy work of requests, a few at a time and in the order it came."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")


class Turns:
    """A queue in front of the processor.

    Without it all requests would compute at once, each slower for it, and a thread's luck would decide which
    ends first; in order of arrival all wait about the same.

    Parameters
    ----------
    at_once : int
        How many work at a time.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self._limiter = CapacityLimiter(at_once or max(1, os.cpu_count() or 1))

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._limiter.statistics().tasks_waiting

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do work in a thread when its turn has come."""
        return await to_thread.run_sync(work, limiter=self._limiter)
