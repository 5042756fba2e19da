"""The file of users, sessions, tokens and failed log-ins."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from edge_retrieve.runtime.errors import StoreError

_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x45524143  # "ERAC"
_LOCK_TIMEOUT_S = 10.0

# Of session identifiers and tokens only digests are kept: who reads the file cannot use them.
_TABLES = """
CREATE TABLE users (
  name TEXT PRIMARY KEY,
  password TEXT NOT NULL,
  role TEXT NOT NULL,
  identities INTEGER NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sessions (
  digest BLOB PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
  csrf TEXT NOT NULL,
  created INTEGER NOT NULL,
  seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  digest BLOB NOT NULL,
  user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
  role TEXT NOT NULL,
  identities INTEGER NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user);
CREATE TABLE attempts (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, at INTEGER NOT NULL);
CREATE INDEX attempts_by_key ON attempts (key, at);
"""


class AccessDatabase:
    """An open file of users; safe to share between threads and processes. Use it as a context manager.

    Parameters
    ----------
    path : Path
        Made where it is missing, with its folder, for its owner only.

    Raises
    ------
    StoreError
        Where it cannot be made or opened, is another program's, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its side files the rights of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(
                f"the file of users cannot be opened ({error.strerror})",
                where=str(path),
                remedy="Check the folder's permissions, or name another one with --site",
            ) from error
        with self._translated():
            self._db = sqlite3.connect(
                path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run statements all or none; on leaving they are on disk.

        Raises
        ------
        StoreError
            Where the file cannot be read or written.
        """
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run statements that only read.

        Raises
        ------
        StoreError
            Where the file cannot be read.
        """
        with self._lock, self._translated():
            yield self._db

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> AccessDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables == 0:
                for statement in _TABLES.split(";"):
                    if statement.strip():
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif application != _APPLICATION_ID or version > _SCHEMA_VERSION:
                raise StoreError(
                    "this is not a file of users that this version reads",
                    where=str(self._path),
                    remedy="Use the edge-retrieve that wrote it, or name another folder with --site",
                )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"the file of users cannot be used ({error})",
                where=str(self._path),
                remedy="Check the disk's space, and that no other program writes there",
            ) from error
