"""Copies of a store: taken while it is in use, verified when they are brought back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import checking, opening, schema
from edge_retrieve.runtime.store.seals import Terms
from edge_retrieve.runtime.store.sqlite_errors import translated

BACKUP_NAME = "backup.json"
FORMAT_VERSION = 1

Progress = Callable[[int, int], None]

_PAGES_PER_STEP = 256
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """What ``backup.json`` says of the database beside it.

    Parameters
    ----------
    store_id, bundle_id : str
    studies : int
    bytes : int
        Size of the database.
    sha256 : str
    format_version : int
    """

    store_id: str
    bundle_id: str
    studies: int
    bytes: int
    sha256: str
    format_version: int = FORMAT_VERSION


def write_backup(store: Path, destination: Path, progress: Progress | None = None) -> Backup:
    """Copy a store's database as it is now into a new folder, while others read and write.

    The index is left out: it is built from the database. A store of an earlier schema is copied as it is, so
    that the version that wrote it can restore the copy.

    Parameters
    ----------
    store, destination : Path
        Folders; the second must not exist yet.
    progress : callable, optional
        Called with pages copied and their total.

    Raises
    ------
    StoreError
        Where the destination exists, lies in the store's own folder or cannot be written, its disk is full,
        or the database is damaged.
    """
    if store.resolve() in destination.resolve().parents:
        raise StoreError(
            "a copy in the store's own folder would be lost with it",
            where=str(destination),
            remedy="Name a folder elsewhere, best on another disk",
        )
    with _new_folder(destination) as folder:
        database = folder / opening.DATABASE_NAME
        with translated(str(store)), closing(opening.connect(store, 10.0)) as source:
            # One snapshot for all steps: a writer neither waits for the copy nor makes it start again.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM meta").fetchone()
            with translated(str(folder)), closing(sqlite3.connect(database)) as copy:
                source.backup(
                    copy,
                    pages=_PAGES_PER_STEP,
                    progress=lambda _, left, total: progress(total - left, total) if progress else None,
                )
        backup = _describe(database)
        (folder / BACKUP_NAME).write_text(json.dumps(asdict(backup), indent=2) + "\n", encoding="utf-8")
    return backup


def restore_backup(source: Path, store: Path, progress: Progress | None = None) -> Backup:
    """Make a store from a backup, verified: its checksum, its pages, its schema.

    Parameters
    ----------
    source, store : Path
        Folders; the second must not exist yet.
    progress : callable, optional
        Called with bytes copied and their total.

    Raises
    ------
    StoreError
        Where there is no backup, it is damaged, or the store's folder exists or cannot be written.
    """
    backup = _read(source)
    with _new_folder(store) as folder:
        database = folder / opening.DATABASE_NAME
        if _copy(source / opening.DATABASE_NAME, database, backup, progress) != backup.sha256:
            raise StoreError(
                "the backup is damaged: its checksum does not match",
                where=str(source / opening.DATABASE_NAME),
                remedy="Use another backup",
            )
        _describe(database, migrate=True)
    return backup


def _read(folder: Path) -> Backup:
    try:
        backup = Backup(**json.loads((folder / BACKUP_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(
            "there is no backup here",
            where=str(folder),
            remedy="Name a folder that 'edge-retrieve store backup' wrote",
        ) from error
    if backup.format_version > FORMAT_VERSION:
        raise StoreError(
            f"the backup has format {backup.format_version}, newer than this version of edge-retrieve reads",
            where=str(folder),
            remedy="Use the newer edge-retrieve that wrote it",
        )
    return backup


def _copy(original: Path, copy: Path, backup: Backup, progress: Progress | None) -> str:
    """Copy a file and return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    try:
        source = original.open("rb")
    except OSError as error:
        raise StoreError(
            f"the backup's database cannot be read ({error.strerror})",
            where=str(original),
            remedy="Use another backup",
        ) from error
    with source, copy.open("xb") as target:
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
            if progress:
                progress(target.tell(), backup.bytes)
    return digest.hexdigest()


def _describe(database: Path, *, migrate: bool = False) -> Backup:
    """Check a copy from end to end, force it to the disk, and say what it is."""
    folder = database.parent
    with translated(str(folder)), closing(opening.connect(folder, 10.0)) as copy:
        if migrate:
            opening.prepare(copy, folder, None)
        meta = dict(copy.execute("SELECT key, value FROM meta").fetchall())
        found = _damage(copy, meta)
        if found:
            raise StoreError(
                f"the copy is damaged: {found[0]}",
                where=str(folder),
                remedy="Check the store ('edge-retrieve store check') and the disk",
            )
        (studies,) = copy.execute("SELECT count(*) FROM studies").fetchone()
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    digest = hashlib.sha256()
    with database.open("rb") as stream:
        os.fsync(stream.fileno())
        while block := stream.read(_BLOCK):
            digest.update(block)
    return Backup(
        meta["store_id"], meta["bundle_id"], int(studies), database.stat().st_size, digest.hexdigest()
    )


def _damage(copy: sqlite3.Connection, meta: dict[str, str]) -> tuple[str, ...]:
    """Return what is wrong with a copy; of one of an earlier schema, what SQLite can tell."""
    (version,) = copy.execute("PRAGMA user_version").fetchone()
    if version < schema.SCHEMA_VERSION:
        return checking.structure_damage(copy)
    terms = Terms(meta["store_id"], int(meta["generation"]), int(meta["embedding_dim"]))
    return checking.damage(copy, terms) + checking.words_damage(copy)


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Yield a folder that becomes `path` when the block ends well, and vanishes otherwise."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(
            "there is something here already", where=str(path), remedy="Name a folder that does not exist yet"
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    opening.make_folder(partial)
    try:
        yield partial
        with suppress(FileNotFoundError):
            path.rmdir()
        partial.rename(path)
    except OSError as error:
        raise StoreError(
            f"the copy cannot be written ({error.strerror or error})",
            where=str(path),
            remedy="Check the disk's space and the folder's permissions",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
