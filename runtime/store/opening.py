"""Opening and creating a store's database."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import schema
from edge_retrieve.runtime.store.migrations import FIRST_GENERATION, MIGRATIONS
from edge_retrieve.runtime.store.sqlite_errors import translated

DATABASE_NAME = "store.sqlite"

_SQLITE_HEADER_BYTES = 100
_PATIENCE_S = 10.0


def make_folder(path: Path) -> None:
    """Make a store's folder, for its owner only: it holds patients' data.

    Raises
    ------
    StoreError
        Where the system refuses.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder cannot be made ({error.strerror})", where=str(path), remedy="Name another folder"
        ) from error


def connect(path: Path, lock_timeout_s: float) -> sqlite3.Connection:
    """Open a store's database file, read-only where its folder is.

    Raises
    ------
    StoreError
        Where the file is no database, or lies in a read-only folder and was not closed properly.
    """
    database = path / DATABASE_NAME
    # SQLite takes a scrap of another file for an empty database, and would overwrite it.
    if database.exists() and 0 < database.stat().st_size < _SQLITE_HEADER_BYTES:
        raise StoreError(
            "this is not an edge-retrieve store",
            where=str(database),
            remedy="Name the folder that 'edge-retrieve ingest --store' created",
        )
    address = database.absolute().as_uri()
    if not os.access(path, os.W_OK):
        # A folder on read-only media: SQLite must be told that nobody writes beside it.
        if Path(f"{database}-wal").exists():
            raise StoreError(
                "the store is read-only and was not closed properly",
                where=str(path),
                remedy="Open it once where it can be written, then copy it again",
            )
        address += "?mode=ro&immutable=1"
    return sqlite3.connect(
        address, uri=True, timeout=lock_timeout_s, isolation_level=None, check_same_thread=False
    )


def schema_version(path: Path) -> int:
    """Return the schema version of a store, and leave it as it is.

    Raises
    ------
    StoreError
        Where there is no store, another program's file, or it cannot be read.
    """
    if not (path / DATABASE_NAME).exists():
        raise no_store(path)
    with translated(str(path)), closing(connect(path, _PATIENCE_S)) as connection:
        schema.require_ours(connection, str(path))
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return int(version)


def no_store(path: Path) -> StoreError:
    """Return the error for a folder without a store."""
    return StoreError(
        "there is no store here", where=str(path), remedy="'edge-retrieve ingest IMAGES --store' creates one"
    )


def harden(connection: sqlite3.Connection) -> None:
    """Have SQLite look at the cells of every page it reads."""
    connection.execute("PRAGMA cell_size_check = ON")


def prepare(connection: sqlite3.Connection, path: Path, creating_for: Bundle | None) -> None:
    """Create the tables where there are none and `creating_for` is given; check and migrate them.

    Raises
    ------
    StoreError
        Where the database is another program's, or of a newer version.
    """
    connection.execute("PRAGMA foreign_keys = ON")
    if creating_for is not None and schema.is_empty(connection):
        connection.execute(f"PRAGMA page_size = {schema.PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
        schema.create_tables(
            connection,
            {
                "store_id": uuid.uuid4().hex,
                "bundle_id": creating_for.bundle_id,
                "model_id": creating_for.manifest.model_id,
                "embedding_dim": str(creating_for.manifest.embedding_dim),
                "generation": str(FIRST_GENERATION),
            },
        )
    schema.bring_forward(connection, str(path), MIGRATIONS)
    harden(connection)
    # What is deleted is overwritten, not just unlinked: a replaced report, a deleted study.
    connection.execute("PRAGMA secure_delete = ON")
    # What is acknowledged survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
