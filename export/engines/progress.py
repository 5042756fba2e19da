"""A library's building phases as one line of progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Tell = Callable[[int, int, str], None]


class PhaseTracker:
    """Follows nested phases, and tells how far the outermost one is.

    A library calls it from several threads. What `tell` raises stops the build: it is kept as `error`, for an
    exception must not pass through the library.

    Parameters
    ----------
    tell : callable
        Called as ``tell(done, total, phase)``: steps of the outermost phase, and the innermost one's name.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._phases: dict[str, int] = {}  # in the order they began
        self._done = 0
        self.error: BaseException | None = None

    def start(self, phase: str, steps: int) -> None:
        """Note that a phase began."""
        with self._lock:
            self._phases[phase] = steps
            if len(self._phases) == 1:
                self._done = 0
            self._report()

    def step(self, phase: str, step: int) -> bool:
        """Note that a step is done, counted from 0; return whether to go on."""
        with self._lock:
            if phase == self._outermost:
                self._done = step + 1
            self._report()
            return self.error is None

    def finish(self, phase: str) -> None:
        """Note that a phase is over, and all that began inside it."""
        with self._lock:
            names = list(self._phases)
            for name in names[names.index(phase) :] if phase in names else ():
                del self._phases[name]

    @property
    def _outermost(self) -> str:
        return next(iter(self._phases), "")

    def _report(self) -> None:
        if self.error is not None or not self._phases:
            return
        try:
            self._tell(self._done, self._phases[self._outermost], list(self._phases)[-1])
        except BaseException as error:
            self.error = error


def make_monitor(trt: Any, tracker: PhaseTracker) -> Any:
    """Return the library's ``IProgressMonitor`` that drives a tracker.

    Parameters
    ----------
    trt : module
        ``tensorrt`` (10.0 and later) or ``tensorrt_rtx``.
    tracker : PhaseTracker
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the library has no types
        """Hands the library's calls on."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            tracker.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return tracker.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            tracker.finish(phase_name)

    return Monitor()
