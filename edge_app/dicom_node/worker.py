"""The thread that works the spool off: again after failures, and after a crash with care."""

from __future__ import annotations

import logging
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from edge_retrieve.edge_app.dicom_node.quarantine import Fault
from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry
from edge_retrieve.edge_app.dicom_node.status import WorkStatus
from edge_retrieve.edge_app.dicom_node.storing import ObjectStorer
from edge_retrieve.runtime.errors import EdgeRetrieveError

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

_BATCH = 8  # objects: as many as the model encodes at once
_POLL_S = 0.5  # other processes put objects in, too
_AGAIN_S = 5.0
_MOST_ATTEMPTS = 3
_MOST_FAILURES = 5
_LONGEST_PAUSE_S = 60.0
_QUOTED = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class _Failure:
    """How often storing an object failed, and when it is tried again."""

    times: int
    not_before: float
    stored_before: int


class Worker:
    """Works a spool off in a thread of its own.

    An object that cannot be used goes into quarantine at once. Where the store, the disk or the engine fails,
    objects are tried again after 1, 2, 4, ... 60 seconds, each by itself from then on; only one that failed
    five times while others were stored goes into quarantine. One that was being stored when the process ended
    is tried by itself, and goes into quarantine the third time.

    Parameters
    ----------
    spool : Spool
    storer : ObjectStorer
    """

    def __init__(self, spool: Spool, storer: ObjectStorer) -> None:
        self._spool, self._storer = spool, storer
        self._failures: dict[str, _Failure] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicom spool", daemon=True)

    @property
    def status(self) -> WorkStatus:
        """What it has done."""
        return self._storer.status

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """End after the objects in hand; what waits is worked off after the next start."""
        self._stop.set()
        self._spool.arrived.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def drain(self) -> bool:
        """Work off, in the calling thread, all that can be; return False where another process does."""
        with self._spool.working() as mine:
            while mine and (batch := self._due()):
                self._work(batch)
            return mine

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._spool.working() as mine:
                    while mine and not self._stop.is_set():
                        self._once()
            except Exception as error:
                # The spool's folder is gone or cannot be read; objects on it wait until it can.
                self._say(error, _AGAIN_S)
                self._stop.wait(_AGAIN_S)
            self._stop.wait(_POLL_S)

    def _once(self) -> None:
        self._spool.arrived.clear()
        batch = self._due()
        if batch:
            self._work(batch)
        elif not self._stop.is_set():
            self._spool.arrived.wait(_POLL_S)

    def _due(self) -> list[SpoolEntry]:
        """Return the objects to store next: several new ones, or one that failed before."""
        now = time.monotonic()
        batch: list[SpoolEntry] = []
        for entry in self._spool.entries():
            failure = self._failures.get(entry.id)
            if failure is not None and failure.not_before > now:
                continue
            if failure is not None or entry.attempts:
                return batch or [entry]
            batch.append(entry)
            if len(batch) == _BATCH:
                break
        return batch

    def _work(self, batch: list[SpoolEntry]) -> None:
        begun = []
        for entry in batch:
            if entry.attempts >= _MOST_ATTEMPTS:
                self._storer.set_aside(
                    entry, Fault.FAILED, f"the program ended while storing it, {entry.attempts} times"
                )
                continue
            with suppress(FileNotFoundError):  # taken away by hand
                begun.append(self._spool.begin(entry))
        try:
            if begun:
                self._storer.store(begun)
        except Exception as error:
            # Whatever it is, the other objects are to be stored.
            left = [entry for entry in begun if entry.path.exists()]
            self._fail([self._spool.put_back(entry) for entry in left], error)
        else:
            for entry in begun:
                self._failures.pop(entry.id, None)
            if not self._failures and self.status.failing:
                self._storer.status = replace(self.status, failing="")

    def _fail(self, entries: list[SpoolEntry], error: Exception) -> None:
        pause = 0.0
        for entry in entries:
            before = self._failures.get(entry.id, _Failure(0, 0.0, self.status.stored))
            times = before.times + 1
            # Where others could be stored meanwhile, it is the object's own fault.
            if times >= _MOST_FAILURES and self.status.stored > before.stored_before:
                self._storer.set_aside(entry, Fault.FAILED, _reason(error))
                self._failures.pop(entry.id, None)
                continue
            # A batch is taken apart at once: only an object that fails by itself has to wait.
            pause = 0.0 if len(entries) > 1 else min(2.0 ** min(times - 1, 60), _LONGEST_PAUSE_S)
            self._failures[entry.id] = replace(before, times=times, not_before=time.monotonic() + pause)
        self._say(error, pause)

    def _say(self, error: Exception, pause: float) -> None:
        reason = _reason(error)
        self._storer.status = replace(self.status, failing=reason)
        _LOG.warning("received objects could not be stored (%s); again in %.0f s", reason, pause)


def _reason(error: Exception) -> str:
    """Return why, without what may be an identifier."""
    if isinstance(error, EdgeRetrieveError):
        return f"{type(error).__name__}: {_QUOTED.sub('...', error.what)}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__
