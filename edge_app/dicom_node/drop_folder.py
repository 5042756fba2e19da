"""A folder whose images are taken in: for a scanner or a script that writes files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from watchfiles import watch

from edge_retrieve.edge_app.dicom_node.accounting import Accounting
from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError
from edge_retrieve.runtime.preprocess import find_inputs
from edge_retrieve.runtime.preprocess.checks import MAX_FILE_BYTES

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

_SETTLED_S = 1.0  # a file whose size and time stay so long is whole
_LOOK_AGAIN_MS = 2000  # network drives tell of no change
_LONGEST_REPORT = 1 << 20  # bytes
_BLOCK = 1 << 20


class DropFolder:
    """Moves the images of a folder, and the reports beside them, into a spool.

    Taken is what `ingest` would find: DICOM, PNG and JPEG files, in subfolders too, a text file of the same
    name being the report. Write under a name that begins with a dot and rename, or simply write: a file is
    taken when it has not changed for a second. It is deleted from the folder once it is in the spool.

    Parameters
    ----------
    folder : Path
    spool : Spool
    accounting : Accounting, optional
        Told how many files were taken.

    Raises
    ------
    ConfigError
        Where there is no such folder, or it is one of the spool's own.
    """

    def __init__(self, folder: Path, spool: Spool, accounting: Accounting | None = None) -> None:
        if not folder.is_dir():
            raise ConfigError("there is no such folder", where=str(folder), remedy="Make it, or name another")
        if folder.resolve().is_relative_to(spool.folder.resolve()):
            raise ConfigError(
                "the folder is one of the node's own", where=str(folder), remedy="Watch another folder"
            )
        self.folder = folder
        self._spool = spool
        self._accounting = accounting or Accounting()
        self._seen: dict[Path, tuple[int, int, float]] = {}  # size, time of change, first seen so
        self._given_up: dict[Path, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drop folder", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the file in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def take(self) -> int:
        """Take every file that has settled; return how many were taken."""
        taken = 0
        try:
            found = list(find_inputs([self.folder]))
        except EdgeRetrieveError as error:
            _LOG.error("the drop folder cannot be read (%s)", type(error).__name__)
            return 0
        for path in found:
            if self._stop.is_set():
                break
            try:
                taken += self._take(path)
            except OSError as error:
                # The name may be a patient's.
                _LOG.error("a file of the drop folder cannot be taken (%s)", error.strerror)
        self._seen = {path: seen for path, seen in self._seen.items() if path in set(found)}
        if taken:
            self._accounting.taken(Arrival(Way.DROP), str(self.folder), taken)
        return taken

    def _run(self) -> None:
        self.take()
        while not self._stop.is_set():
            try:
                for _ in watch(
                    self.folder,
                    stop_event=self._stop,
                    rust_timeout=_LOOK_AGAIN_MS if not self._seen else int(_SETTLED_S * 500),
                    yield_on_timeout=True,
                    debounce=200,
                    raise_interrupt=False,
                ):
                    self.take()
                    if self._seen:
                        break  # look again soon: something has not settled yet
            except Exception as error:
                # The folder is gone for now, or the system watches too many.
                _LOG.error("the drop folder cannot be watched (%s)", type(error).__name__)
                self._stop.wait(_LOOK_AGAIN_MS / 1000)

    def _take(self, path: Path) -> bool:
        if not self._settled(path):
            return False
        state = path.stat()
        if state.st_size > MAX_FILE_BYTES:
            if self._given_up.get(path) != (state.st_size, state.st_mtime_ns):
                self._given_up[path] = (state.st_size, state.st_mtime_ns)
                _LOG.error("a file of the drop folder is larger than %d MiB, and left", MAX_FILE_BYTES >> 20)
            return False
        report = path.with_suffix(".txt")
        text = ""
        if report.is_file() and report.stat().st_size <= _LONGEST_REPORT:
            text = report.read_bytes().decode("utf-8", errors="replace").strip()
        suffix = path.suffix.lower() if path.suffix.lower() in {".png", ".jpg", ".jpeg"} else ".dcm"
        self._spool.put(_blocks(path), suffix=suffix, report=text, arrival=Arrival(Way.DROP))
        path.unlink()
        if text:
            report.unlink(missing_ok=True)
        self._seen.pop(path, None)
        return True

    def _settled(self, path: Path) -> bool:
        state = path.stat()
        size, changed, since = self._seen.get(path, (-1, 0, 0.0))
        now = time.monotonic()
        if (size, changed) != (state.st_size, state.st_mtime_ns):
            self._seen[path] = (state.st_size, state.st_mtime_ns, now)
            # A file that lay here before is whole already.
            return time.time() - state.st_mtime > 10 * _SETTLED_S
        return now - since >= _SETTLED_S


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block
