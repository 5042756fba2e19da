"""Short statements that look one thing up."""

from __future__ import annotations

import hashlib
import sqlite3
import struct

from edge_retrieve.runtime.errors import GenerationError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store.embeddings import Watermark
from edge_retrieve.runtime.store.pictures import StoredPicture, first_image, read_picture
from edge_retrieve.runtime.store.records import KnownImage
from edge_retrieve.runtime.store.seals import Terms, damaged

_SHOWN_DIGITS = 12  # of a bundle's identifier


def find_image(db: sqlite3.Connection, sop_instance: str, pixels_sha256: str) -> KnownImage | None:
    """Return where an image is held already, if anywhere."""
    row = db.execute(
        "SELECT s.study, i.pixels_sha256 FROM images i JOIN studies s ON s.id = i.study"
        " WHERE i.sop_instance = ? OR i.pixels_sha256 = ?",
        (sop_instance, pixels_sha256),
    ).fetchone()
    return None if row is None else KnownImage(row[0], row[1] == pixels_sha256)


def newest_date(db: sqlite3.Connection) -> str:
    """Return the latest study date, ``YYYYMMDD``; empty where none is known."""
    (found,) = db.execute("SELECT max(study_date) FROM studies").fetchone()
    return str(found or "")


def report_text(db: sqlite3.Connection, study: str) -> str | None:
    """Return a study's report as written, None where it has none."""
    row = db.execute(
        "SELECT r.text FROM reports r JOIN studies s ON s.id = r.study WHERE s.study = ?", (study,)
    ).fetchone()
    return None if row is None else str(row[0])


def picture(db: sqlite3.Connection, study: str, terms: Terms) -> StoredPicture | None:
    """Return a study's picture: its first searched image's, else its first; None where it is unknown.

    Raises
    ------
    StoreError
        Where it is damaged.
    """
    image = first_image(db, study)
    return None if image is None else read_picture(db, image, terms)


def pixels_sha256(db: sqlite3.Connection, study: str) -> str | None:
    """Return the digest of the image that `picture` shows, None where the study is unknown."""
    row = db.execute("SELECT pixels_sha256 FROM images WHERE id = ?", (first_image(db, study),)).fetchone()
    return None if row is None else str(row[0])


def watermark(db: sqlite3.Connection, modality: Modality) -> Watermark:
    """Return how far a modality's embeddings have come."""
    table = "images" if modality is Modality.IMAGE else "reports"
    row = db.execute(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0),"
        " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?), 0),"
        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tombstones'), 0),"
        " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'erased'), 0),"
        " CASE ? WHEN 'reports' THEN"
        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'replaced'), 0) ELSE 0 END",
        (table, f"{modality.value}_removals", table),
    ).fetchone()
    if not all(isinstance(number, int) for number in row):
        raise damaged("it does not say how far it has come")
    return Watermark(*row)


def content_digest(db: sqlite3.Connection) -> str:
    """Return the SHA-256 of the checksums of all studies, in the order they were stored."""
    digest = hashlib.sha256()
    for row in db.execute("SELECT study, checksum FROM study_seals ORDER BY study"):
        digest.update(struct.pack("<qq", *row))
    return digest.hexdigest()


def require_generation(db: sqlite3.Connection, terms: Terms) -> None:
    """See that the embeddings in force are still those of the bundle that the store was opened for.

    Raises
    ------
    GenerationError
        Where they are another's.
    """
    other = other_bundle(db, terms)
    if other is not None:
        raise GenerationError(
            f"the store has been encoded anew, for another bundle ({other}), since it was opened",
            remedy="Ask again in a moment; where that does not help, start again with that bundle",
        )


def other_bundle(db: sqlite3.Connection, terms: Terms) -> str | None:
    """Return model and identifier of the bundle in force, None where it is the one of the terms."""
    found = dict(
        db.execute(
            "SELECT key, value FROM meta WHERE key IN ('generation', 'model_id', 'bundle_id')"
        ).fetchall()
    )
    if found.get("generation") == str(terms.generation):
        return None
    return f"{found.get('model_id')}, {str(found.get('bundle_id'))[:_SHOWN_DIGITS]}"


def deleted_since(db: sqlite3.Connection, tombstone: int) -> frozenset[int]:
    """Return the numbers of the studies deleted after a tombstone."""
    return frozenset(
        number for (number,) in db.execute("SELECT study FROM tombstones WHERE id > ?", (tombstone,))
    )


def replaced_since(db: sqlite3.Connection, mark: int) -> frozenset[int]:
    """Return the numbers of the reports that others took the place of after a mark."""
    return frozenset(number for (number,) in db.execute("SELECT report FROM replaced WHERE id > ?", (mark,)))


def study_number(db: sqlite3.Connection, study: str) -> int | None:
    """Return the number the store gave a study, None where it is unknown."""
    row = db.execute("SELECT id FROM studies WHERE study = ?", (study,)).fetchone()
    return None if row is None else int(row[0])


def study_id(db: sqlite3.Connection, number: int) -> str | None:
    """Return the identifier of the study with a number, None where it is unknown."""
    row = db.execute("SELECT study FROM studies WHERE id = ?", (number,)).fetchone()
    return None if row is None else str(row[0])


def patient_studies(db: sqlite3.Connection, patient: str) -> dict[int, str]:
    """Return a patient's studies in the order stored, identifiers by number."""
    return dict(
        db.execute("SELECT id, study FROM studies WHERE patient = ? ORDER BY id", (patient,)).fetchall()
    )


def finding_counts(db: sqlite3.Connection) -> tuple[int, dict[tuple[str, str | None], int]]:
    """Return the number of reports, and of those that state each finding as present.

    Keys are a finding's name and a region's, None for anywhere.
    """
    (reports,) = db.execute("SELECT count(*) FROM reports").fetchone()
    placed = db.execute(
        "SELECT finding, region, count(DISTINCT report) FROM findings WHERE assertion = 'present'"
        " GROUP BY finding, region"
    ).fetchall()
    anywhere = db.execute(
        "SELECT finding, count(DISTINCT report) FROM findings WHERE assertion = 'present' GROUP BY finding"
    ).fetchall()
    counts: dict[tuple[str, str | None], int] = {
        (finding, region): count for finding, region, count in placed if region
    }
    return reports, {**counts, **{(finding, None): count for finding, count in anywhere}}
