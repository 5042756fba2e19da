"""Heavy work of requests, a few at a time and in the order it came."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")

_LOOK_SECONDS = 0.02  # between looks at whether anybody computes
_PATIENCE_SECONDS = 5.0  # of work that gives way; after it, it takes a turn like any other


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
        self._giving_way = CapacityLimiter(1)

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._limiter.statistics().tasks_waiting

    @property
    def busy(self) -> bool:
        """Whether anybody computes."""
        return self._limiter.statistics().borrowed_tokens > 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do work in a thread when its turn has come."""
        return await to_thread.run_sync(work, limiter=self._limiter)

    async def give_way(self, work: Callable[[], Result]) -> Result:
        """Do a short piece of work that is in no hurry: when nobody else computes, one such piece at a time.

        It takes no turn, so nobody queues behind it. Where others compute all the time it queues after a
        while like them, or it would never be done.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while self.busy:
            if time.monotonic() > until:
                return await self.run(work)
            await anyio.sleep(_LOOK_SECONDS)
        return await to_thread.run_sync(work, limiter=self._giving_way)
