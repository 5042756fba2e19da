"""SQLite's errors in our words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store.seals import damaged

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


_LEAST_FREE = 1 << 20  # bytes: what SQLite may ask for at once, its log's index for instance


def _is_full(where: str) -> bool:
    try:
        return shutil.disk_usage(where).free < _LEAST_FREE
    except OSError:
        return False


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn SQLite's exceptions into `StoreError`, and name the place in those that do not."""
    try:
        yield
    except StoreError as error:
        if error.where:
            raise
        raise type(error)(error.what, where=where, remedy=error.remedy) from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        message = str(error)
        if "disk i/o" in message.lower() and _is_full(where):
            # Not every call of SQLite's tells a full disk from a broken one.
            message += ": database or disk is full"
        for clue, what, remedy in _KNOWN:
            if clue in message.lower():
                raise StoreError(f"{what} ({message})", where=where, remedy=remedy) from error
        raise StoreError(f"SQLite reports: {message}", where=where) from error


@contextmanager
def sensible() -> Iterator[None]:
    """Turn what goes wrong with rows that were read, but make no sense, into `StoreError`."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise damaged(f"a row makes no sense ({type(error).__name__}: {error})") from error
