"""Running a piece of work in a process of its own, which may be killed or crash."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

Say = Callable[[object], None]


class Child:
    """A forked process that writes lines of JSON until it ends.

    Parameters
    ----------
    work : callable
        Called in the child with a function that sends something to the parent.
    """

    def __init__(self, work: Callable[[Say], None]) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(reading)

                def say(value: object) -> None:
                    os.write(writing, json.dumps(value).encode() + b"\n")

                work(say)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writing)
        self._pipe = reading
        self._said = b""

    def kill(self) -> None:
        """Kill it as a pulled plug would."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout_s: float) -> tuple[list[Any], int]:
        """Return what it said and its exit status, negative for a signal; past the time it is killed."""
        said = self._said + b"".join(self._read(timeout_s))
        os.close(self._pipe)
        _, status = os.waitpid(self.pid, 0)
        # A line that was cut short was never said.
        lines = said.split(b"\n")[:-1]
        return [json.loads(line) for line in lines], os.waitstatus_to_exitcode(status)

    def wait_for_lines(self, count: int, timeout_s: float) -> None:
        """Return when it has said so many lines, or ended."""
        end = time.monotonic() + timeout_s
        while self._said.count(b"\n") < count:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))
            block = os.read(self._pipe, 1 << 16) if ready else b""
            if not block:
                return
            self._said += block

    def _read(self, timeout_s: float) -> Iterator[bytes]:
        end = time.monotonic() + timeout_s
        while True:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.kill()
                end = time.monotonic() + timeout_s
                continue
            block = os.read(self._pipe, 1 << 16)
            if not block:
                return
            yield block
