"""What an open store can be asked; each answer is of one moment, and waits for no writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import StoreError, UnknownStudyError
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import filtering, ledger, lookups, reading
from edge_retrieve.runtime.store.connections import ReadConnections
from edge_retrieve.runtime.store.embeddings import FloatArray, Growth, Vectors, Watermark
from edge_retrieve.runtime.store.ledger import ReadFile
from edge_retrieve.runtime.store.pictures import StoredPicture
from edge_retrieve.runtime.store.records import KnownImage, StoreStats, StudyRecord, StudySummary
from edge_retrieve.runtime.store.seals import Terms
from edge_retrieve.runtime.store.sqlite_errors import sensible, translated
from edge_retrieve.runtime.store.worklist import Worklist

_Result = TypeVar("_Result")


class StoreReader:
    """The reading half of a `Store`; safe to share between threads.

    Parameters
    ----------
    folder : Path
    readers : ReadConnections
    meta : dict of str to str
        What the table of that name holds.
    """

    def __init__(self, folder: Path, readers: ReadConnections, meta: dict[str, str]) -> None:
        self.path = folder
        self._readers = readers
        self.store_id = meta["store_id"]
        self.bundle_id = meta["bundle_id"]
        self.model_id = meta["model_id"]
        self.embedding_dim = int(meta["embedding_dim"])
        self.terms = Terms(self.store_id, int(meta["generation"]), self.embedding_dim)

    def _read(self, query: Callable[[sqlite3.Connection], _Result], *, of_bundle: bool = False) -> _Result:
        """Run reads in one snapshot, so that a study is never seen half.

        With `of_bundle` only while the store's embeddings are those of the bundle it was opened for.
        """
        with translated(str(self.path)), sensible(), self._readers.snapshot() as db:
            if of_bundle:
                lookups.require_generation(db, self.terms)
            try:
                return query(db)
            except StoreError:
                # What looks missing may have gone with the bundle that it was of.
                lookups.require_generation(db, self.terms)
                raise

    def other_bundle(self) -> str | None:
        """Return model and identifier of the bundle that the store has been encoded for since it was opened.

        None where its embeddings are those of the bundle it was opened for.
        """
        return self._read(lambda db: lookups.other_bundle(db, self.terms))

    def find_image(self, sop_instance: str, pixels_sha256: str) -> KnownImage | None:
        """Return where an image is held already, if anywhere."""
        return self._read(lambda db: lookups.find_image(db, sop_instance, pixels_sha256))

    def find_file(self, path: bytes) -> ReadFile | None:
        """Return what is noted of a file by the digest of its path; None where nothing holds any more."""
        return self._read(lambda db: ledger.find_file(db, path, self.terms))

    def newest_date(self) -> str:
        """Return the latest study date, ``YYYYMMDD``; empty where none is known."""
        return self._read(lookups.newest_date)

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
        return self._known(study, lambda db: reading.read_study(db, study, self.terms))

    def studies(
        self, *, limit: int = 100, offset: int = 0, search: str = "", wanted: Worklist | None = None
    ) -> tuple[StudySummary, ...]:
        """List studies, in the order they were stored unless a worklist says otherwise.

        Parameters
        ----------
        limit, offset : int
        search : str
            Words that must all occur in the identifiers, date, report or findings.
        wanted : Worklist, optional
            Which studies, in which order; `search` is left out of account then.
        """
        which = wanted or Worklist(search=search)
        return self._read(lambda db: reading.read_summaries(db, limit, offset, which, self.terms))

    def count(self, search: str = "", wanted: Worklist | None = None) -> int:
        """Return the number of studies, or of those that `search` or a worklist finds."""
        which = wanted or Worklist(search=search)
        return self._read(lambda db: reading.count_studies(db, which))

    def preview(self, study: str) -> bytes:
        """Return a study's picture as 8-bit PNG: its first searched image, else its first.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        return self.picture(study).preview()

    def pixels_sha256(self, study: str) -> str:
        """Return the digest of the image that `picture` shows.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        return self._known(study, lambda db: lookups.pixels_sha256(db, study))

    def picture(self, study: str) -> StoredPicture:
        """Return the grey values of a study's first searched image, else of its first.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        return self._known(study, lambda db: lookups.picture(db, study, self.terms))

    def stats(self) -> StoreStats:
        """Count what is in the store."""
        return self._read(lambda db: reading.read_stats(db, self.bundle_id, self.model_id, self.terms))

    def finding_counts(self) -> tuple[int, dict[tuple[str, str | None], int]]:
        """Return the number of reports, and of those that state each finding as present.

        Keys are a finding's name and a region's, None for anywhere.
        """
        return self._read(lookups.finding_counts)

    # -- what the index and the retriever need -----------------------------------------------------

    def content_digest(self) -> str:
        """Return a SHA-256 that is equal only for the same studies, reports and images of this store."""
        return self._read(lookups.content_digest)

    def watermark(self, modality: Modality) -> Watermark:
        """Return how far a modality's embeddings have come.

        Raises
        ------
        GenerationError
            Where the store has been encoded anew, for another bundle, since it was opened.
        """
        return self._read(lambda db: lookups.watermark(db, modality), of_bundle=True)

    def deleted_since(self, tombstone: int) -> frozenset[int]:
        """Return the numbers of the studies deleted after a tombstone; none of them is given again."""
        return self._read(lambda db: lookups.deleted_since(db, tombstone))

    def growth(
        self, modality: Modality, region: Region | None, *, after: int, replaced: int, deleted: int
    ) -> Growth:
        """Return what a partition lacks that knows the owners, replacements and deletions up to these.

        Raises
        ------
        StoreError
            As for `vectors`.
        """

        def read(db: sqlite3.Connection) -> Growth:
            return Growth(
                lookups.watermark(db, modality),
                reading.read_vectors(db, modality, region, after, self.terms),
                lookups.replaced_since(db, replaced) if modality is Modality.TEXT else frozenset(),
                lookups.deleted_since(db, deleted),
            )

        return self._read(read, of_bundle=True)

    def vectors(self, modality: Modality, region: Region | None, *, after: int = 0) -> Vectors:
        """Return a partition's vectors whose owners' numbers are above `after`.

        Raises
        ------
        StoreError
            Where some are missing or damaged, or the store has been encoded anew since it was opened.
        """
        return self._read(
            lambda db: reading.read_vectors(db, modality, region, after, self.terms), of_bundle=True
        )

    def study_vectors(self, study: str, modality: Modality) -> dict[Region | None, FloatArray]:
        """Return a study's embeddings by region, None for the whole.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        number = self.study_number(study)
        return self._read(
            lambda db: reading.read_study_vectors(db, number, modality, self.terms), of_bundle=True
        )

    def study_number(self, study: str) -> int:
        """Return the number the store gave a study.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        return self._known(study, lambda db: lookups.study_number(db, study))

    def study_id(self, number: int) -> str:
        """Return the identifier of the study with a number.

        Raises
        ------
        StoreError
            Where the store has no such study.
        """
        return self._known(str(number), lambda db: lookups.study_id(db, number))

    def numbered(self, numbers: Iterable[int]) -> dict[int, StudyRecord]:
        """Return studies by their numbers, all of one moment; those deleted meanwhile are left out.

        Raises
        ------
        StoreError
            Where one is damaged.
        """
        wanted = tuple(numbers)
        return self._read(lambda db: reading.read_studies(db, wanted, self.terms))

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

    def _known(self, study: str, query: Callable[[sqlite3.Connection], _Result | None]) -> _Result:
        """Read what every study has; raise `UnknownStudyError` where that is None."""
        found = self._read(query)
        if found is None:
            raise self._unknown(study)
        return found

    def _unknown(self, study: str) -> UnknownStudyError:
        return UnknownStudyError(
            f"the store has no study '{study}'",
            where=str(self.path),
            remedy="Take an identifier from a query's hits or from the page's list",
        )
