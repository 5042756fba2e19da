"""Checksums of what the database holds, for SQLite keeps none of its own.

A flipped bit in a page leaves a tree that SQLite reads without complaint. So every embedding, every image's
boxes and every preview ends with a CRC-32 that also covers the key it is stored under, and everything else
of a study has one CRC-32 in ``study_seals``. Both start from the store's identifier: rows of another store
that get in among these do not match. A CRC finds accidents (every error of up to 32 bits in a row, all but
one in four thousand million of the others); whoever forges rows can forge it too.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edge_retrieve.runtime.errors import StoreError

CRC_BYTES = 4

_REMEDY = "Check it ('edge-retrieve store check'), then restore it from a backup"


@dataclass(frozen=True)
class Terms:
    """What a store's rows are written and read under.

    Parameters
    ----------
    store_id : str
    generation : int
        Number of the bundle in force: embeddings of another are in the same tables while they are computed.
    dim : int
        Length of an embedding.
    """

    store_id: str
    generation: int
    dim: int

    def start(self, *key: str | int) -> int:
        """Return the checksum of a key, from which that of a value goes on."""
        return zlib.crc32("\0".join((self.store_id, *map(str, key))).encode())


def seal(value: bytes, start: int) -> bytes:
    """Return a value followed by its checksum."""
    return value + struct.pack("<I", zlib.crc32(value, start))


def unseal(sealed: object, start: int, what: str) -> bytes:
    """Return what was sealed.

    Raises
    ------
    StoreError
        Where it is not as it was written.
    """
    if not isinstance(sealed, bytes) or seal(sealed[:-CRC_BYTES], start) != sealed:
        raise damaged(f"{what} does not match its checksum")
    return sealed[:-CRC_BYTES]


def owner_start(start: int, owner: int) -> int:
    """Return the checksum of a partition's key and an owner."""
    return zlib.crc32(struct.pack("<q", owner), start)


def damaged(what: str) -> StoreError:
    """Return the error for a database that does not hold what was written."""
    return StoreError(f"the store's database is damaged: {what}", remedy=_REMEDY)


@dataclass(frozen=True)
class StudyRows:
    """All rows of a study but its blobs, as SQLite returns them.

    Parameters
    ----------
    study : tuple
        Number, identifier, patient, date, sex, age.
    images : tuple of tuple
        Number, SOP instance, SHA-256 of the pixels, source, view, width, height, flags, applied, indexed.
    report : tuple or None
        Number, text, places.
    sentences : tuple of tuple
        Position, section, text, regions.
    findings : tuple of tuple
        Position, mention, finding, assertion, region.
    accession : str
        Number of the order; empty where there is none.
    """

    study: tuple[Any, ...]
    images: tuple[tuple[Any, ...], ...]
    report: tuple[Any, ...] | None
    sentences: tuple[tuple[Any, ...], ...]
    findings: tuple[tuple[Any, ...], ...]
    accession: str = ""

    def checksum(self, terms: Terms) -> int:
        """Return the CRC-32 of all of it."""
        # `ascii`: the same text in every Python, whatever characters it calls printable.
        order = (self.accession,) if self.accession else ()
        held = ascii((self.study, self.images, self.report, self.sentences, self.findings, *order))
        return zlib.crc32(held.encode(), terms.start("study"))


def study_rows(db: sqlite3.Connection, number: int) -> StudyRows | None:
    """Return the rows of a study by its number, None where there is none."""
    study = db.execute(
        "SELECT id, study, patient, study_date, sex, age FROM studies WHERE id = ?", (number,)
    ).fetchone()
    if study is None:
        return None
    order = db.execute("SELECT accession FROM orders WHERE study = ?", (number,)).fetchone()
    accession = "" if order is None else order[0]
    report = db.execute("SELECT id, text, places FROM reports WHERE study = ?", (number,)).fetchone()
    images = db.execute(
        "SELECT id, sop_instance, pixels_sha256, source, view, width, height, flags, applied, indexed"
        " FROM images WHERE study = ? ORDER BY indexed DESC, id",
        (number,),
    )
    found = tuple(images), report
    if report is None:
        return StudyRows(study, *found, (), (), accession)
    sentences = db.execute(
        "SELECT position, section, text, regions FROM sentences WHERE report = ? ORDER BY position",
        (report[0],),
    )
    findings = db.execute(
        "SELECT position, mention, finding, assertion, region FROM findings WHERE report = ?"
        " ORDER BY position, mention, region",
        (report[0],),
    )
    return StudyRows(study, *found, tuple(sentences), tuple(findings), accession)


def seal_studies(db: sqlite3.Connection, numbers: Iterable[int], terms: Terms) -> None:
    """Note the checksums of studies as they are now."""
    for number in numbers:
        rows = study_rows(db, number)
        if rows is not None:
            db.execute(
                "INSERT INTO study_seals VALUES (?, ?)"
                " ON CONFLICT (study) DO UPDATE SET checksum = excluded.checksum",
                (number, rows.checksum(terms)),
            )


def verify_study(db: sqlite3.Connection, rows: StudyRows, terms: Terms) -> None:
    """Compare a study with its checksum.

    Raises
    ------
    StoreError
        Where they do not match.
    """
    sealed = db.execute("SELECT checksum FROM study_seals WHERE study = ?", (rows.study[0],)).fetchone()
    if sealed != (rows.checksum(terms),):
        raise damaged(f"the study '{rows.study[1]}' does not match its checksum")
