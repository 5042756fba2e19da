"""Writing the trail: events wait in memory for a moment and are written and flushed together."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Event
from edge_retrieve.edge_app.audit.files import (
    Tail,
    locked,
    open_for_append,
    read_tail,
    trail_file,
    trail_files,
)
from edge_retrieve.edge_app.audit.lines import format_line

WRITE_AFTER_S = 0.5
"""How long an event may wait for others, seconds."""
WRITE_AT = 256
"""As many waiting events are written at once."""
LARGEST_FILE = 16 << 20
"""Bytes after which a new file is begun."""


class AuditTrail:
    """A trail that is open for writing; safe to share between threads, and with other processes.

    Use it as a context manager: leaving writes what waits.

    Parameters
    ----------
    folder : Path
        Made where it is missing, for its owner only.
    write_after_s : float
        How long an event may wait for others. A power cut loses at most that.
    largest_file : int
        Bytes after which a new file is begun, which goes on with the chain.

    Raises
    ------
    AuditError
        Where the folder cannot be written, or what is in it is no trail.
    """

    def __init__(
        self, folder: Path, *, write_after_s: float = WRITE_AFTER_S, largest_file: int = LARGEST_FILE
    ) -> None:
        self._folder, self._write_after_s, self._largest_file = folder, write_after_s, largest_file
        self._waiting: list[tuple[str, Event]] = []
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._closed = False
        self._error: AuditError | None = None
        # See at once whether it can be written, before anybody relies on it.
        self._write([])
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Take an event; it is on disk within `write_after_s`.

        Raises
        ------
        AuditError
            Where the last write failed: what cannot be recorded should not be done.
        """
        with self._changed:
            if self._error is not None and self._waiting:
                raise self._error
            self._waiting.append((_now(), event))
            self._changed.notify()

    def flush(self) -> None:
        """Write what waits; on return it is on disk.

        Raises
        ------
        AuditError
            Where that fails; the events go on waiting.
        """
        with self._writing:
            with self._changed:
                taken = list(self._waiting)
            if not taken:
                return
            try:
                self._write(taken)
            except AuditError as error:
                self._error = error
                raise
            with self._changed:
                del self._waiting[: len(taken)]
                self._error = None

    def close(self) -> None:
        """Write what waits and end.

        Raises
        ------
        AuditError
            Where it cannot be written.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self.flush()

    def __enter__(self) -> AuditTrail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                self._changed.wait_for(
                    lambda: len(self._waiting) >= WRITE_AT or self._closed, timeout=self._write_after_s
                )
            try:
                self.flush()
            except AuditError:
                # `record` tells the next one who asks; here it is tried again.
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, timeout=self._write_after_s)

    def _write(self, events: Sequence[tuple[str, Event]]) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._folder):
                self._append(events)
        except OSError as error:
            raise AuditError(
                f"the audit trail cannot be written ({error.strerror})",
                where=str(self._folder),
                remedy="Check the disk's space and the folder's permissions",
            ) from error

    def _append(self, events: Sequence[tuple[str, Event]]) -> None:
        files = trail_files(self._folder)
        number = files[-1][0] if files else 1
        path = trail_file(self._folder, number)
        with open_for_append(path) as stream:
            tail = read_tail(stream)
            if tail is not None and tail.number == 0 and number > 1:
                tail = _end_of(trail_file(self._folder, number - 1), tail.torn)
            if tail is None:
                raise AuditError(
                    "the end of the audit trail is damaged; nothing is added to it",
                    where=str(path),
                    remedy="Run 'edge-retrieve audit verify', keep the folder as evidence, and move it away",
                )
            size = stream.seek(0, os.SEEK_END) - tail.torn
            if tail.torn:
                # Never whole, never vouched for: the chain goes on from the line before it.
                stream.truncate(size)
                note = Event(
                    "system", Action.OTHER, detail=f"{tail.torn} bytes of an unfinished line removed"
                )
                events = [(_now(), note), *events]
            if not events:
                return
            if size < self._largest_file:
                _put(stream, events, tail)
                return
        with open_for_append(trail_file(self._folder, number + 1)) as stream:
            _put(stream, events, tail)


def _put(stream: BinaryIO, events: Sequence[tuple[str, Event]], tail: Tail) -> None:
    number, previous, lines = tail.number, tail.digest, []
    for time, event in events:
        number += 1
        line, previous = format_line(event, number, time, previous)
        lines.append(line)
    data = memoryview(("\n".join(lines) + "\n").encode())
    descriptor, before = stream.fileno(), stream.seek(0, os.SEEK_END)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        # All of them are written again later, or some would stand there twice.
        os.ftruncate(descriptor, before)
        raise


def _end_of(path: Path, torn: int) -> Tail | None:
    with path.open("rb") as stream:
        tail = read_tail(stream)
    return None if tail is None else Tail(tail.number, tail.digest, torn)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
