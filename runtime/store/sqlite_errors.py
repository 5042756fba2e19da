"""SQLite's errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from edge_retrieve.runtime.errors import StoreError

# SQLite's message texts are stable; its error codes reach Python only from 3.11 on.
_KNOWN = (
    (
        "locked",
        "another process is writing to the store",
        "Wait for it to end (an ingest, perhaps), then try again",
    ),
    (
        "readonly",
        "the store is read-only",
        "Check the permissions of the folder and the file system, or write to a copy",
    ),
    ("full", "the disk is full", "Free some space; all studies acknowledged so far are kept"),
    (
        "unable to open",
        "the store's database cannot be opened",
        "Check that the folder exists and that you may read and write it",
    ),
    (
        "not a database",
        "this is not an edge-retrieve store",
        "Name the folder that 'edge-retrieve ingest --store' created",
    ),
    ("malformed", "the store's database is damaged", "Restore it from a backup"),
    ("disk i/o", "the disk failed to read or write", "Check the disk, then restore from a backup"),
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn SQLite's exceptions into `StoreError`."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        message = str(error)
        for clue, what, remedy in _KNOWN:
            if clue in message.lower():
                raise StoreError(f"{what} ({message})", where=where, remedy=remedy) from error
        raise StoreError(f"SQLite reports: {message}", where=where) from error
