"""Encoding a store anew for another bundle, beside the embeddings in force.

Embeddings have the number of their bundle's generation. Those of the next one are written into the same
tables while queries read the present one's, and come into force in one transaction, once nothing is left to
encode. Until then a kill costs the batch at hand; who encodes for the same bundle again goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import lookups, writing
from edge_retrieve.runtime.store.embeddings import FloatArray
from edge_retrieve.runtime.store.pictures import read_picture
from edge_retrieve.runtime.store.records import NewEncoding
from edge_retrieve.runtime.store.seals import Terms

_Result = TypeVar("_Result")


class Reading(Protocol):
    """Runs reads in one snapshot."""

    def __call__(self, query: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Return what the reads return."""


_NEXT = ("next_bundle_id", "next_model_id", "next_embedding_dim", "next_generation")


@dataclass(frozen=True)
class HeldImage:
    """An image that the next bundle has not encoded yet.

    Parameters
    ----------
    number : int
    source, view, pixels_sha256 : str
        As stored; the file may be gone, or another.
    width, height : int
        Pixels of the image as displayed.
    preview : bytes
        8-bit PNG.
    """

    number: int
    source: str
    view: str
    pixels_sha256: str
    width: int
    height: int
    preview: bytes


@dataclass(frozen=True)
class HeldReport:
    """A report that the next bundle has not encoded yet.

    Parameters
    ----------
    number : int
    study, text : str
    places : tuple of Region
        The regions it has embeddings for, beside the whole.
    """

    number: int
    study: str
    text: str
    places: tuple[Region, ...]


@dataclass(frozen=True)
class ReportVectors:
    """The next bundle's embeddings of a report.

    Parameters
    ----------
    number : int
    vectors : tuple of (Region or None, float32 array of shape [D])
    """

    number: int
    vectors: tuple[tuple[Region | None, FloatArray], ...]


class Generations:
    """The generations of a store's embeddings; `Store.generations` makes one.

    Parameters
    ----------
    read : Reading
    transaction : callable
        Opens a transaction that writes.
    terms : Terms
        Of the generation in force.
    """

    def __init__(
        self,
        read: Reading,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        terms: Terms,
    ) -> None:
        self._read = read
        self._transaction = transaction
        self._terms = terms

    def begin(self, bundle: Bundle) -> Terms:
        """Begin, or go on with, the generation of a bundle; what another left half done is dropped.

        Raises
        ------
        StoreError
            Where another process writes, or the disk is full or read-only.
        """
        with self._transaction() as db:
            lookups.require_generation(db, self._terms)
            meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
            number = int(meta.get("next_generation", self._terms.generation))
            if meta.get("next_bundle_id") != bundle.bundle_id:
                # A number of its own: rows that a dropped generation leaves for now never count as these.
                number = max(number, self._terms.generation) + 1
                values = (
                    bundle.bundle_id,
                    bundle.manifest.model_id,
                    str(bundle.manifest.embedding_dim),
                    str(number),
                )
                db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", zip(_NEXT, values, strict=True))
        return replace(self._terms, generation=number, dim=bundle.manifest.embedding_dim)

    def images_left(self, terms: Terms, after: int, limit: int) -> tuple[HeldImage, ...]:
        """Return images above a number that are to be encoded, ascending."""

        def read(db: sqlite3.Connection) -> tuple[HeldImage, ...]:
            rows = db.execute(
                "SELECT i.id, i.source, i.view, i.pixels_sha256, i.width, i.height"
                f" FROM images i WHERE {_NO_BOXES} AND i.id > ? ORDER BY i.id LIMIT ?",
                (terms.generation, after, limit),
            )
            return tuple(
                HeldImage(
                    number, source, view, sha256, width, height, read_picture(db, number, terms).preview()
                )
                for number, source, view, sha256, width, height in rows.fetchall()
            )

        return self._read(read)

    def reports_left(self, terms: Terms, after: int, limit: int) -> tuple[HeldReport, ...]:
        """Return reports above a number that are to be encoded, ascending."""

        def read(db: sqlite3.Connection) -> tuple[HeldReport, ...]:
            rows = db.execute(
                "SELECT r.id, s.study, r.text, r.places FROM reports r JOIN studies s ON s.id = r.study"
                f" WHERE {_NO_VECTORS} AND r.id > ? ORDER BY r.id LIMIT ?",
                (terms.generation, after, limit),
            )
            return tuple(
                HeldReport(number, study, text, tuple(r for r in REGIONS if places & writing.place_bit(r)))
                for number, study, text, places in rows
            )

        return self._read(read)

    def counts(self, terms: Terms) -> tuple[int, int]:
        """Return how many images and reports are left, and how many there are."""

        def read(db: sqlite3.Connection) -> tuple[int, int]:
            (every,) = db.execute(
                "SELECT (SELECT count(*) FROM images WHERE indexed) + (SELECT count(*) FROM reports)"
            ).fetchone()
            return _left(db, terms), int(every)

        return self._read(read)

    def add(
        self,
        terms: Terms,
        images: Sequence[tuple[int, NewEncoding]],
        reports: Sequence[ReportVectors],
    ) -> None:
        """Store embeddings of the next generation; what was deleted meanwhile is passed over.

        Raises
        ------
        StoreError
            Where another process writes, the disk is full or read-only, or the generation was given up.
        """
        with self._transaction() as db:
            _require_next(db, terms)
            for number, encoding in images:
                if db.execute(
                    f"SELECT 1 FROM images i WHERE {_NO_BOXES} AND i.id = ?", (terms.generation, number)
                ).fetchone():
                    writing.put_encoding(db, number, encoding, terms)
            for report in reports:
                if db.execute(
                    f"SELECT 1 FROM reports r WHERE {_NO_VECTORS} AND r.id = ?",
                    (terms.generation, report.number),
                ).fetchone():
                    writing.put_vectors(db, Modality.TEXT, report.number, report.vectors, terms)

    def switch(self, terms: Terms) -> bool:
        """Bring a generation into force in one step; return False, changing nothing, where some is left.

        Raises
        ------
        StoreError
            As for `add`.
        """
        with self._transaction() as db:
            _require_next(db, terms)
            if _left(db, terms):
                return False
            for key in _NEXT:
                db.execute(
                    "UPDATE meta SET value = (SELECT value FROM meta WHERE key = ?) WHERE key = ?",
                    (key, key.removeprefix("next_")),
                )
                db.execute("DELETE FROM meta WHERE key = ?", (key,))
            for modality in Modality:
                writing.note_removal(db, modality)
        return True

    def drop_others(self, terms: Terms) -> None:
        """Delete the embeddings of every generation but one, a partition a transaction."""
        with self._transaction() as db:
            db.execute("DELETE FROM boxes WHERE generation <> ?", (terms.generation,))
        for modality in Modality:
            for others in ("generation < ?", "generation > ?"):
                while self._drop_partition(f"{modality.value}_embeddings", others, terms.generation):
                    pass

    def _drop_partition(self, table: str, others: str, generation: int) -> bool:
        with self._transaction() as db:
            row = db.execute(
                f"SELECT generation, region FROM {table} WHERE {others} LIMIT 1", (generation,)
            ).fetchone()
            if row is not None:
                db.execute(f"DELETE FROM {table} WHERE generation = ? AND region = ?", row)
        return row is not None


_NO_BOXES = "i.indexed AND NOT EXISTS (SELECT 1 FROM boxes b WHERE b.image = i.id AND b.generation = ?)"
_NO_VECTORS = (
    "NOT EXISTS (SELECT 1 FROM text_embeddings e WHERE e.generation = ? AND e.region = '' AND e.owner = r.id)"
)


def _left(db: sqlite3.Connection, terms: Terms) -> int:
    (left,) = db.execute(
        f"SELECT (SELECT count(*) FROM images i WHERE {_NO_BOXES})"
        f" + (SELECT count(*) FROM reports r WHERE {_NO_VECTORS})",
        (terms.generation, terms.generation),
    ).fetchone()
    return int(left)


def _require_next(db: sqlite3.Connection, terms: Terms) -> None:
    row = db.execute("SELECT value FROM meta WHERE key = 'next_generation'").fetchone()
    if row != (str(terms.generation),):
        raise StoreError(
            "another process encodes the store for another bundle, or has done so",
            remedy="Run 'edge-retrieve store stats' to see whose embeddings it has",
        )
