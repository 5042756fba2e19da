"""The store as one object."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import StoreError, UnknownStudyError
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import checking, filtering, lookups, opening, reading, writing
from edge_retrieve.runtime.store.records import (
    FloatArray,
    KnownImage,
    NewImage,
    NewReport,
    StoreStats,
    StudyRecord,
    StudySummary,
    Vectors,
    Watermark,
)
from edge_retrieve.runtime.store.sqlite_errors import translated

INDEX_FOLDER = "index"

_LOCK_TIMEOUT_S = 10.0
_Result = TypeVar("_Result")


class Store:
    """An open store; make one with `Store.open`, use it as a context manager.

    Safe to share between threads; calls take turns. Several processes may read while one writes.

    Parameters
    ----------
    folder : Path
    connection : sqlite3.Connection
        Opened and checked by `Store.open`.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.path = folder
        self._db = connection
        self._lock = threading.RLock()
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        self.store_id: str = meta["store_id"]
        self.bundle_id: str = meta["bundle_id"]
        self.model_id: str = meta["model_id"]
        self.embedding_dim = int(meta["embedding_dim"])

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
                raise StoreError(
                    "there is no store here",
                    where=str(path),
                    remedy="'edge-retrieve ingest IMAGES --store' creates one",
                )
            opening.make_folder(path)
        if create and bundle is None:
            raise StoreError("a store is created for a bundle", where=str(path), remedy="Name the bundle")
        with translated(str(path)):
            connection = opening.connect(path, lock_timeout_s)
            try:
                opening.prepare(connection, path, bundle if create else None)
                store = cls(path, connection)
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
                remedy="Use the store's bundle, or ingest the studies again into a new store",
            )
        return store

    def close(self) -> None:
        """Close the store; closing twice is allowed."""
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

    def add(self, images: Sequence[NewImage], reports: Sequence[NewReport]) -> None:
        """Store images and reports in one transaction: on return all of them are on disk.

        Images known by SOP instance or pixels, and reports whose text is unchanged, are left alone.

        Raises
        ------
        StoreError
            Where another process writes, the disk is full or read-only; nothing is stored then.
        """
        with self._transaction() as db:
            for image in images:
                writing.add_image(db, image, self.embedding_dim)
            for report in reports:
                writing.put_report(db, report, self.embedding_dim)

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
                if not writing.delete_study(db, study):
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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(str(self.path)):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite has rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, query: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run reads in one snapshot, so that a study is never seen half."""
        with self._lock, translated(str(self.path)):
            self._db.execute("BEGIN")
            try:
                return query(self._db)
            finally:
                self._db.execute("COMMIT")

    def find_image(self, sop_instance: str, pixels_sha256: str) -> KnownImage | None:
        """Return where an image is held already, if anywhere."""
        return self._read(lambda db: lookups.find_image(db, sop_instance, pixels_sha256))

    def report_text(self, study: str) -> str | None:
        """Return a study's report as written, None where it has none."""
        return self._read(lambda db: lookups.report_text(db, study))

    def study(self, study: str) -> StudyRecord:
        """Return a study by its identifier.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        record = self._read(lambda db: reading.read_study(db, study))
        if record is None:
            raise self._unknown(study)
        return record

    def studies(self, *, limit: int = 100, offset: int = 0, search: str = "") -> tuple[StudySummary, ...]:
        """List studies in the order they were stored.

        Parameters
        ----------
        limit, offset : int
        search : str
            Words that must all occur in the identifiers, date, report or findings.
        """
        return self._read(lambda db: reading.read_summaries(db, limit, offset, search))

    def count(self, search: str = "") -> int:
        """Return the number of studies, or of those that `search` finds."""
        return self._read(lambda db: reading.count_studies(db, search))

    def preview(self, study: str) -> bytes:
        """Return a study's picture as 8-bit PNG: its first searched image, else its first.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        found = self._read(lambda db: lookups.preview(db, study))
        if found is None:
            raise self._unknown(study)
        return found

    def stats(self) -> StoreStats:
        """Count what is in the store."""
        return self._read(lambda db: reading.read_stats(db, self.bundle_id, self.model_id))

    def damage(self) -> tuple[str, ...]:
        """Read the whole database and return what is wrong with it; nothing where it is sound."""
        with self._lock, translated(str(self.path)):
            return checking.damage(self._db)

    # -- what the index and the retriever need -----------------------------------------------------

    def watermark(self, modality: Modality) -> Watermark:
        """Return how far a modality's embeddings have come."""
        return self._read(lambda db: lookups.watermark(db, modality))

    def deleted_since(self, tombstone: int) -> frozenset[int]:
        """Return the numbers of the studies deleted after a tombstone; none of them is given again."""
        return self._read(lambda db: lookups.deleted_since(db, tombstone))

    def vectors(self, modality: Modality, region: Region | None, *, after: int = 0) -> Vectors:
        """Return a partition's vectors whose owners' numbers are above `after`."""
        return self._read(lambda db: reading.read_vectors(db, modality, region, after, self.embedding_dim))

    def study_vectors(self, study: str, modality: Modality) -> dict[Region | None, FloatArray]:
        """Return a study's embeddings by region, None for the whole.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        number = self.study_number(study)
        return self._read(lambda db: reading.read_study_vectors(db, number, modality))

    def study_number(self, study: str) -> int:
        """Return the number the store gave a study.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        number = self._read(lambda db: lookups.study_number(db, study))
        if number is None:
            raise self._unknown(study)
        return number

    def study_id(self, number: int) -> str:
        """Return the identifier of the study with a number.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        study = self._read(lambda db: lookups.study_id(db, number))
        if study is None:
            raise self._unknown(str(number))
        return study

    def patient_studies(self, patient: str) -> tuple[str, ...]:
        """Return the identifiers of all studies of a patient, in the order stored."""
        return tuple(self._read(lambda db: lookups.patient_studies(db, patient)).values())

    def patient_numbers(self, patient: str) -> frozenset[int]:
        """Return the numbers of all studies of a patient."""
        return frozenset(self._read(lambda db: lookups.patient_studies(db, patient)))

    def matching(self, filters: Filters) -> npt.NDArray[np.int64]:
        """Return the numbers of the studies that meet filters, ascending."""
        return np.asarray(self._read(lambda db: filtering.matching(db, filters)), dtype=np.int64)

    def patients_of(self, numbers: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """Return who studies are of, by their numbers; empty for a study deleted meanwhile."""
        found = self._read(lambda db: filtering.patients_of(db, numbers.tolist()))
        return tuple(found.get(number, "") for number in numbers.tolist())

    def _unknown(self, study: str) -> UnknownStudyError:
        return UnknownStudyError(
            f"the store has no study '{study}'",
            where=str(self.path),
            remedy="Take an identifier from a query's hits or from the page's list",
        )
