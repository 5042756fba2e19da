"""Keeping the warnings of decoding libraries away from the user's terminal, and counting them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Capture:
    """Warnings of the calling thread, captured while any thread asks for it.

    `warnings.catch_warnings` swaps process-wide state and two threads that leave it in another order than
    they entered it leave the filters of one of them behind. So the first thread in installs the capture,
    the last one out removes it, and each warning goes to the list of the thread that raised it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._thread = threading.local()
        self._saved: warnings.catch_warnings[Any] | None = None

    @contextmanager
    def __call__(self) -> Iterator[list[str]]:
        """Yield the list that this thread's warnings are added to."""
        messages: list[str] = []
        outer = getattr(self._thread, "messages", None)
        with self._lock:
            if self._users == 0:
                self._install()
            self._users += 1
        self._thread.messages = messages
        try:
            yield messages
        finally:
            self._thread.messages = outer
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._saved is not None:
                    self._saved.__exit__(None, None, None)
                    self._saved = None

    def _install(self) -> None:
        self._saved = warnings.catch_warnings()
        self._saved.__enter__()
        warnings.simplefilter("always")
        show = warnings.showwarning

        def route(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            mine = getattr(self._thread, "messages", None)
            if mine is None:
                show(message, category, *rest, **more)
            else:
                mine.append(str(message))

        warnings.showwarning = route


captured_warnings = _Capture()
