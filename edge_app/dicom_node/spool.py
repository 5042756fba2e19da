"""Objects on disk between being acknowledged and being in the store: none is lost when the plug is pulled."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.arrival import Arrival
from edge_retrieve.runtime.errors import StoreError

SPOOL_FOLDER = "dicom"  # in the store's folder
INCOMING, OBJECTS, _QUARANTINE, _REPORTS = "incoming", "objects", "quarantine", "reports"
_PART = ".part"
_REPORT = ".txt"


@dataclass(frozen=True)
class SpoolEntry:
    """An object that waits to be stored.

    Its file is called ``<arrival>-<token>.<attempts>[.<how it came>]<suffix>``: nothing of what it holds is
    in its name.

    Parameters
    ----------
    path : Path
    arrived_ns : int
        Nanoseconds since 1970.
    token : str
        Names it, also in the log.
    attempts : int
        How often storing it was begun.
    """

    path: Path
    arrived_ns: int
    token: str
    attempts: int

    @classmethod
    def of(cls, path: Path) -> SpoolEntry | None:
        """Return the entry of a file, None where it is none."""
        stem, _, rest = path.name.partition(".")
        arrived, _, token = stem.partition("-")
        attempts, _, suffix = rest.partition(".")
        if not (arrived.isdecimal() and token and attempts.isdecimal()) or f".{suffix}" == _REPORT:
            return None
        return cls(path, int(arrived), token, int(attempts))

    @property
    def id(self) -> str:
        """What the quarantine and its commands call it."""
        return f"{self.arrived_ns}-{self.token}"

    @property
    def arrival(self) -> Arrival | None:
        """How it came; None where that is not known, as of one that an earlier version put in."""
        part, dot, _ = self.rest.partition(".")
        return Arrival.from_name(part) if dot else None

    @property
    def report(self) -> Path:
        """Where a report that came with it lies, if one did."""
        return self.path.with_name(f"{self.id}{_REPORT}")

    @property
    def waiting_s(self) -> float:
        """Seconds since it arrived."""
        return max(0.0, (time.time_ns() - self.arrived_ns) / 1e9)

    def tried(self, attempts: int) -> SpoolEntry:
        """Return it with another number of attempts."""
        path = self.path.with_name(f"{self.id}.{attempts}.{self.rest}")
        return replace(self, path=path, attempts=attempts)

    @property
    def rest(self) -> str:
        """What stays of its name whatever becomes of it: how it came, and the suffix."""
        return self.path.name.split(".", 2)[2]


class Spool:
    """The folders of a node. Any process may put objects in; one at a time works them off.

    ``incoming`` holds what was acknowledged and is not stored yet, ``objects`` the files of what is stored,
    ``quarantine`` what cannot be stored, ``reports`` the reports whose image has not come yet.

    Parameters
    ----------
    folder : Path
        Made where it is missing, for its owner's eyes alone.

    Raises
    ------
    StoreError
        Where it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming, self.objects = folder / INCOMING, folder / OBJECTS
        self.quarantine, self.reports = folder / _QUARANTINE, folder / _REPORTS
        self.arrived = threading.Event()
        """Set when an object was put in by this process."""
        try:
            for each in (folder, self.incoming, self.objects, self.quarantine, self.reports):
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"the folder for received objects cannot be made ({error.strerror})",
                where=str(folder),
                remedy="Name another with --dicom-folder",
            ) from error

    def put(
        self,
        parts: Iterable[bytes],
        *,
        suffix: str = ".dcm",
        report: str = "",
        arrival: Arrival | None = None,
    ) -> SpoolEntry:
        """Keep an object; on return it is on disk and survives a power cut.

        Parameters
        ----------
        parts : iterable of bytes
            The file, in pieces.
        suffix : str
            Of the file's name.
        report : str
            Text that came with an image.
        arrival : Arrival, optional
            How it came, for the audit trail.

        Raises
        ------
        OSError
            Where it cannot be written; nothing is kept then.
        """
        arrived, token = time.time_ns(), secrets.token_hex(6)
        came = f".{arrival.as_name()}" if arrival else ""
        entry = SpoolEntry(self.incoming / f"{arrived}-{token}.0{came}{suffix}", arrived, token, 0)
        if report:
            write_durably(entry.report, [report.encode()])
        try:
            write_durably(entry.path, parts)
        except BaseException:
            entry.report.unlink(missing_ok=True)
            raise
        self.arrived.set()
        return entry

    def entries(self) -> list[SpoolEntry]:
        """Return what waits, the oldest first."""
        found = [SpoolEntry.of(path) for path in self.incoming.iterdir()]
        return sorted(
            (entry for entry in found if entry is not None), key=lambda entry: (entry.arrived_ns, entry.token)
        )

    def begin(self, entry: SpoolEntry) -> SpoolEntry:
        """Count an attempt, so that an object that ends the process is known when it starts again."""
        return self._move(entry, entry.attempts + 1)

    def put_back(self, entry: SpoolEntry) -> SpoolEntry:
        """Take an attempt back that failed by no fault of the object."""
        return self._move(entry, max(0, entry.attempts - 1))

    def remove(self, entry: SpoolEntry) -> None:
        """Let go of an object that is stored, or in quarantine."""
        entry.path.unlink(missing_ok=True)
        entry.report.unlink(missing_ok=True)

    def waiting_reports(self) -> int:
        """Return how many reports wait for their image."""
        return sum(path.suffix == _REPORT for path in self.reports.iterdir())

    def free_bytes(self) -> int:
        """Return the free space of the disk that the spool is on."""
        return shutil.disk_usage(self.folder).free

    @contextmanager
    def working(self) -> Iterator[bool]:
        """Be the one who works it off; yields False where another process is.

        What a process left half written when it ended is removed.
        """
        with (self.folder / "worker.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            self._sweep()
            yield True

    def _move(self, entry: SpoolEntry, attempts: int) -> SpoolEntry:
        moved = entry.tried(attempts)
        entry.path.rename(moved.path)
        return moved

    def _sweep(self) -> None:
        for folder in (self.incoming, self.objects, self.reports):
            for path in folder.rglob(f"*{_PART}"):
                # One that is still being written by another process is younger.
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > 3600:
                        path.unlink()


def write_durably(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that is there whole or not at all, and still there after a power cut.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    partial = path.with_name(f".{path.name}{_PART}")
    try:
        with open(partial, "wb", opener=_private) as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
