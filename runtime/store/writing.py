"""Statements that write into a store; each runs inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store.records import NewImage, NewReport

WHOLE = ""
"""Stands for the whole image or report where a region's name is stored."""

_BUNDLE_FAULT = "Verify the bundle, or export it again: its graphs must give finite unit vectors"


def add_image(db: sqlite3.Connection, image: NewImage, dim: int) -> bool:
    """Insert an image and its study; return False, changing nothing, where it is there already."""
    known = db.execute(
        "SELECT 1 FROM images WHERE sop_instance = ? OR pixels_sha256 = ?",
        (image.sop_instance, image.pixels_sha256),
    ).fetchone()
    if known:
        return False
    study = db.execute("SELECT id FROM studies WHERE study = ?", (image.study,)).fetchone()
    if study is None:
        study = db.execute(
            "INSERT INTO studies (study, patient, study_date, sex, age) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (image.study, image.patient, image.study_date, image.sex, image.age),
        ).fetchone()
    (number,) = db.execute(
        "INSERT INTO images (study, sop_instance, pixels_sha256, source, view, width, height, flags, applied,"
        " indexed, preview) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            study[0],
            image.sop_instance,
            image.pixels_sha256,
            image.source,
            image.view.value,
            image.width,
            image.height,
            json.dumps([flag.value for flag in image.flags]),
            json.dumps(list(image.applied)),
            int(image.encoding is not None),
            image.preview,
        ),
    ).fetchone()
    encoding = image.encoding
    if encoding is not None:
        db.executemany(
            "INSERT INTO boxes VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (number, region.value, *box.as_tuple(), float(score))
                for region, box, score in zip(REGIONS, encoding.boxes, encoding.box_scores, strict=True)
            ],
        )
        vectors = [(WHOLE, encoding.global_embedding)]
        vectors += [(region.value, row) for region, row in zip(REGIONS, encoding.regions, strict=True)]
        db.executemany(
            "INSERT INTO image_embeddings VALUES (?, ?, ?)",
            [(region, number, vector_blob(row, dim)) for region, row in vectors],
        )
    return True


def put_report(db: sqlite3.Connection, report: NewReport, dim: int) -> bool:
    """Give a study its report; return False, changing nothing, where it has that very text.

    Raises
    ------
    StoreError
        Where the study is unknown.
    """
    study = db.execute("SELECT id FROM studies WHERE study = ?", (report.study,)).fetchone()
    if study is None:
        raise StoreError(
            f"there is no study '{report.study}' to add a report to", remedy="Add its image first, by ingest"
        )
    old = db.execute("SELECT id, text FROM reports WHERE study = ?", study).fetchone()
    if old is not None:
        if old[1] == report.text:
            return False
        db.execute("DELETE FROM reports WHERE id = ?", (old[0],))
        note_removal(db, "text")
    (number,) = db.execute(
        "INSERT INTO reports (study, text) VALUES (?, ?) RETURNING id", (study[0], report.text)
    ).fetchone()
    for position, sentence in enumerate(report.parsed.sentences):
        db.execute(
            "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
            (
                number,
                position,
                sentence.section.value,
                sentence.text,
                json.dumps([region.value for region in sentence.regions]),
            ),
        )
        db.executemany(
            "INSERT OR IGNORE INTO findings VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, position, order, region, mention.finding.value, mention.assertion.value)
                for order, mention in enumerate(sentence.mentions)
                for region in ([region.value for region in mention.regions] or [WHOLE])
            ],
        )
    vectors = [(WHOLE, report.global_embedding)]
    vectors += [(region.value, row) for region, row in report.regions]
    db.executemany(
        "INSERT INTO text_embeddings VALUES (?, ?, ?)",
        [(region, number, vector_blob(row, dim)) for region, row in vectors],
    )
    return True


def delete_study(db: sqlite3.Connection, study: str) -> bool:
    """Delete a study and all of it, its number left as a tombstone; return False where it is unknown."""
    row = db.execute("DELETE FROM studies WHERE study = ? RETURNING id", (study,)).fetchone()
    if row is None:
        return False
    db.execute("INSERT INTO tombstones (study) VALUES (?)", row)
    return True


def rebuild_words(db: sqlite3.Connection) -> None:
    """Write the index of words anew: FTS5 only marks a deleted report's words as gone, and keeps them."""
    db.execute("INSERT INTO report_words (report_words) VALUES ('rebuild')")


def note_erased(db: sqlite3.Connection, tombstone: int) -> None:
    """Keep that the deletions up to a tombstone have left the files."""
    db.execute(
        "INSERT INTO meta VALUES ('erased', ?) ON CONFLICT (key)"
        " DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))",
        (str(tombstone),),
    )


def note_removal(db: sqlite3.Connection, modality: str) -> None:
    """Count that embeddings of a modality were replaced, so that index files know they are stale."""
    db.execute(
        "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = value + 1",
        (f"{modality}_removals",),
    )


def vector_blob(vector: npt.NDArray[np.float32], dim: int) -> bytes:
    """Return a unit vector as little-endian float32 bytes.

    Raises
    ------
    StoreError
        Where it has another length than the store's, is not finite, or is not of unit length.
    """
    if vector.shape != (dim,) or not np.isfinite(vector).all():
        raise StoreError(
            f"an embedding of shape {vector.shape} is not {dim} finite numbers", remedy=_BUNDLE_FAULT
        )
    norm = float(np.linalg.norm(vector))
    if abs(norm - 1.0) > 1e-3:
        raise StoreError(f"an embedding has length {norm:.4g} in place of 1", remedy=_BUNDLE_FAULT)
    return vector.astype("<f4").tobytes()
