"""The small database beside the store in which feedback is kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from edge_retrieve.runtime.errors import StoreError

FEEDBACK_NAME = "feedback.sqlite"

_VERSION = 3
_APPLICATION_ID = 0x45524642  # "ERFB"
_TIMEOUT_S = 10.0
# Nothing of a read is changed once it is written: each step is a row of its own.
_TABLES = """
CREATE TABLE queries (query_id TEXT PRIMARY KEY, described TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE verdicts (
  query_id TEXT NOT NULL REFERENCES queries,
  study TEXT NOT NULL,
  verdict TEXT NOT NULL,
  note TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (query_id, study)
);
CREATE INDEX verdicts_by_study ON verdicts (study);
CREATE TABLE reads (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  read TEXT NOT NULL UNIQUE,
  query_id TEXT NOT NULL REFERENCES queries,
  asked TEXT NOT NULL,
  asked_before INTEGER NOT NULL,
  impression TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE TABLE reveals (
  read TEXT PRIMARY KEY REFERENCES reads (read),
  studies TEXT NOT NULL,
  abstained INTEGER NOT NULL,
  at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE finals (
  read TEXT PRIMARY KEY REFERENCES reads (read),
  impression TEXT NOT NULL,
  at TEXT NOT NULL
) WITHOUT ROWID;
"""
# Since version 2. No study is named but in the query: a draft's words are kept, not its citations.
_ACCEPTANCES = """
CREATE TABLE acceptances (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  acceptance TEXT NOT NULL UNIQUE,
  query_id TEXT NOT NULL REFERENCES queries,
  writer TEXT NOT NULL,
  prompt TEXT NOT NULL,
  drafted TEXT NOT NULL,
  report TEXT NOT NULL,
  observer TEXT NOT NULL,
  organization TEXT NOT NULL,
  login TEXT NOT NULL,
  at TEXT NOT NULL
);
"""
# Since version 3. A read without a row is of whoever used the server while it had no users.
_READERS = """
CREATE TABLE IF NOT EXISTS readers (
  read TEXT PRIMARY KEY REFERENCES reads (read) ON DELETE CASCADE,
  login TEXT NOT NULL
) WITHOUT ROWID;
"""


def now() -> str:
    """Return the time as it is written: UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_time(at: str) -> datetime:
    """Return a time of `now` on the clock of the place, without a zone."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone().replace(tzinfo=None)


class FeedbackDatabase:
    """The file; made when something is first written. Safe to share between threads.

    Parameters
    ----------
    folder : Path
        The store's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FEEDBACK_NAME
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction, which is on disk on return.

        Raises
        ------
        StoreError
            Where it cannot be written.
        """
        with self._lock, self._translated(), closing(self._open()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Lend a connection for reading; None where nothing has been written yet.

        Raises
        ------
        StoreError
            Where it cannot be read.
        """
        if not self._path.exists():
            yield None
            return
        with self._translated(), closing(self._open()) as db:
            yield db

    def exists(self) -> bool:
        """Return whether anything has been written yet."""
        return self._path.exists()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_TIMEOUT_S, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            # What is acknowledged survives a power cut.
            db.execute("PRAGMA synchronous = FULL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version < _VERSION:
                self._create(db)
            elif version > _VERSION:
                raise StoreError(
                    f"the feedback has schema {version}, this edge-retrieve reads up to {_VERSION}",
                    where=str(self._path),
                    remedy="Use the newer edge-retrieve that wrote it",
                )
        except BaseException:
            db.close()
            raise
        return db

    def _create(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables while this one waited for the lock.
        (version,) = db.execute("PRAGMA user_version").fetchone()
        missing = "".join((_TABLES, _ACCEPTANCES, _READERS)[version:])
        if missing:
            for statement in missing.split(";"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
        self._path.chmod(0o600)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"the feedback cannot be read or written ({error})",
                where=str(self._path),
                remedy="Check the disk's space and the folder's permissions",
            ) from error
