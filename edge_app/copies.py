"""Copies of an archive: its store, its label, the databases beside it (what readers thought of hits).

A site's own files are left out: users, audit trail and the key of the pseudonyms (`access.site`) belong to
the machine, and the key is kept apart from the pseudonyms it explains.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edge_retrieve.edge_app.labels import LABEL_NAME, read_label, write_label
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import Backup, restore_backup, write_backup
from edge_retrieve.runtime.store.opening import DATABASE_NAME

Progress = Callable[[int, int], None]


def copy_archive(store: Path, destination: Path, progress: Progress | None = None) -> Backup:
    """Copy an archive into a new folder, also while it is served and written to.

    Parameters
    ----------
    store, destination : Path
        Folders; the second must not exist yet.
    progress : callable, optional
        Called with pages of the store copied and their total.

    Raises
    ------
    StoreError
        As `write_backup` does; or where something beside the store cannot be copied: the copy of the store
        stands then.
    """
    written = write_backup(store, destination, progress)
    copy_companions(store, destination)
    return written


def restore_archive(source: Path, store: Path, progress: Progress | None = None) -> Backup:
    """Make an archive from a copy, verified.

    Parameters
    ----------
    source, store : Path
        Folders; the second must not exist yet.
    progress : callable, optional
        Called with bytes of the store copied and their total.

    Raises
    ------
    StoreError
        As `restore_backup` does; or where something beside the store cannot be copied.
    """
    restored = restore_backup(source, store, progress)
    copy_companions(source, store)
    return restored


def copy_companions(source: Path, destination: Path) -> None:
    """Copy what lies beside a store and belongs to the archive, where it is there.

    Raises
    ------
    StoreError
        Where it cannot be read, is damaged, or cannot be written.
    """
    if (source / LABEL_NAME).exists():
        write_label(destination, read_label(source))
    for database in sorted(source.glob("*.sqlite")):
        if database.name != DATABASE_NAME:
            _copy_database(database, destination / database.name)


def _copy_database(source: Path, destination: Path) -> None:
    """Copy a database as of one moment (SQLite's online backup), and check the copy."""
    try:
        with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(destination)) as copy:
            original.backup(copy)
            (found,) = copy.execute("PRAGMA integrity_check").fetchone()
        destination.chmod(0o600)
        with destination.open("rb") as stream:
            os.fsync(stream.fileno())
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"it cannot be copied to {destination} ({error})",
            where=str(source),
            remedy="Check the disk's space and the folder's permissions",
        ) from error
    if found != "ok":
        raise StoreError(
            f"it is damaged ({found})", where=str(source), remedy="Restore it from an older copy"
        )
