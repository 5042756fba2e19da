"""The store as one object."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import checking, ledger, lookups, opening, privacy, writing
from edge_retrieve.runtime.store.connections import ReadConnections
from edge_retrieve.runtime.store.generations import Generations
from edge_retrieve.runtime.store.ledger import ReadFile
from edge_retrieve.runtime.store.privacy import PrivacyMark
from edge_retrieve.runtime.store.reader import StoreReader
from edge_retrieve.runtime.store.records import NewImage, NewReport
from edge_retrieve.runtime.store.sqlite_errors import sensible, translated
from edge_retrieve.runtime.store.study_rows import seal_studies

INDEX_FOLDER = "index"

_LOCK_TIMEOUT_S = 10.0
_LOG_TIMEOUT_MS = 50


class Store(StoreReader):
    """An open store; make one with `Store.open`, use it as a context manager.

    Safe to share between threads. Reading waits for nobody; writing takes turns. Several processes may read
    while one writes.

    Parameters
    ----------
    folder : Path
    connection : sqlite3.Connection
        Opened and checked by `Store.open`; the one that writes.
    lock_timeout_s : float
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock_timeout_s: float) -> None:
        def another() -> sqlite3.Connection:
            reader = opening.connect(folder, lock_timeout_s)
            opening.harden(reader)
            return reader

        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        super().__init__(folder, ReadConnections(another), meta)
        self._db = connection
        self._lock = threading.RLock()  # of the connection that writes

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        bundle: Bundle | None = None,
        create: bool = False,
        lock_timeout_s: float = _LOCK_TIMEOUT_S,
    ) -> Store:
        """Open a store.

        Parameters
        ----------
        path : Path
            Its folder.
        bundle : Bundle, optional
            The bundle in use; needed to create, and checked against the store's otherwise.
        create : bool
            Make the store where there is none.
        lock_timeout_s : float
            How long to wait for another writer, seconds.

        Raises
        ------
        StoreError
            Where there is no store, or another program's file, or a newer or another bundle's store,
            or it cannot be read.
        """
        database = path / opening.DATABASE_NAME
        if not database.exists():
            if not create:
                raise opening.no_store(path)
            opening.make_folder(path)
        if create and bundle is None:
            raise StoreError("a store is created for a bundle", where=str(path), remedy="Name the bundle")
        with translated(str(path)), sensible():
            connection = opening.connect(path, lock_timeout_s)
            try:
                opening.prepare(connection, path, bundle if create else None)
                store = cls(path, connection, lock_timeout_s)
            except BaseException:
                connection.close()
                raise
        if bundle is not None and store.bundle_id != bundle.bundle_id:
            store.close()
            raise StoreError(
                f"the store's embeddings come from another bundle ({store.model_id}, "
                f"{store.bundle_id[:12]}) than the one in use ({bundle.manifest.model_id}, "
                f"{bundle.bundle_id[:12]}); the two cannot be compared",
                where=str(path),
                remedy="Use the store's bundle, or run 'edge-retrieve store reencode' with this one",
            )
        return store

    def close(self) -> None:
        """Close the store; closing twice is allowed."""
        self._readers.close()
        with self._lock:
            self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def index_folder(self) -> Path:
        """Where the index keeps its files; all of it can be deleted and is rebuilt."""
        return self.path / INDEX_FOLDER

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self, images: Sequence[NewImage], reports: Sequence[NewReport], files: Sequence[ReadFile] = ()
    ) -> None:
        """Store images and reports in one transaction: on return all of them are on disk.

        Images known by SOP instance or pixels, and reports whose text is unchanged, are left alone. The files
        are those that all this came from; they are noted in the same transaction.

        Raises
        ------
        StoreError
            Where another process writes, the disk is full or read-only, or the store has been encoded anew
            since it was opened; nothing is stored then.
        """
        with self._transaction() as db:
            lookups.require_generation(db, self.terms)
            touched = [writing.add_image(db, image, self.terms) for image in images]
            touched += [writing.put_report(db, report, self.terms) for report in reports]
            seal_studies(db, {number for number in touched if number is not None}, self.terms)
            ledger.note_files(db, files, self.terms)

    def privacy(self) -> PrivacyMark:
        """Return what the store says of its identifiers."""
        return self._read(privacy.read_mark)

    def set_privacy(self, mark: PrivacyMark) -> None:
        """Write what the store is to say of its identifiers.

        Raises
        ------
        StoreError
            Where another process writes, or the disk is full or read-only.
        """
        with self._transaction() as db:
            privacy.write_mark(db, mark)

    def delete(self, studies: Sequence[str]) -> None:
        """Delete studies with their images, reports and embeddings; from the return on no query finds them.

        Their traces stay in the files until `runtime.erasure.rebuild`.

        Raises
        ------
        StoreError
            Where one of them is unknown (none is deleted then), or the store cannot be written.
        """
        with self._transaction() as db:
            for study in studies:
                if not writing.delete_study(db, study, self.terms):
                    raise self._unknown(study)

    def rebuild_words(self) -> None:
        """Build the index of the reports' words anew."""
        with self._transaction() as db:
            writing.rebuild_words(db)

    def erase(self, tombstone: int) -> bool:
        """Rewrite the database so that no trace of deleted studies is left in its files.

        Call it once the index files are rewritten; `runtime.erasure.rebuild` does both.

        Parameters
        ----------
        tombstone : int
            The last deletion that the index files have taken in.

        Returns
        -------
        bool
            False where a reader kept its old view for too long; traces are left, erase again later.

        Raises
        ------
        StoreError
            Where another process writes, or the disk has no room for a second copy of the database.
        """
        self.rebuild_words()
        with self._lock, translated(str(self.path)):
            self._db.execute("VACUUM")
            (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            return False
        with self._transaction() as db:
            writing.note_erased(db, tombstone)
        return True

    def _empty_log(self) -> None:
        """Bring what was committed from the log into the database itself, unless a reader is in the way.

        SQLite takes damage to its log for the end of the log, as a power cut leaves it, and goes on without
        what came after. What is acknowledged must not lie there.
        """
        patience = self._db.execute("PRAGMA busy_timeout").fetchone()[0]
        self._db.execute(f"PRAGMA busy_timeout = {_LOG_TIMEOUT_MS}")
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            # A full disk, perhaps. The commit stands, in the log; the next one tries again.
            pass
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {patience}")

    @property
    def generations(self) -> Generations:
        """Encoding anew for another bundle; `runtime.reencode` does it."""
        return Generations(self._read, self._transaction, self.terms)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(str(self.path)):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
                self._empty_log()
            except BaseException:
                # On a full disk SQLite has rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def damage(self) -> tuple[str, ...]:
        """Read the whole database and return what is wrong with it; nothing where it is sound."""
        with translated(str(self.path)):
            with sensible(), self._readers.snapshot() as db:
                found = checking.damage(db, self.terms)
            with self._lock:
                return (*found, *checking.words_damage(self._db))
