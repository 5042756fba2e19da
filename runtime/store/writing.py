"""Statements that write into a store; each runs inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store.ledger import forget_study
from edge_retrieve.runtime.store.pictures import put_scale
from edge_retrieve.runtime.store.records import NewEncoding, NewImage, NewReport
from edge_retrieve.runtime.store.seals import Terms, owner_start, seal

WHOLE = ""
"""Stands for the whole image or report where a region's name is stored."""

_BUNDLE_FAULT = "Verify the bundle, or export it again: its graphs must give finite unit vectors"


def add_image(db: sqlite3.Connection, image: NewImage, terms: Terms) -> int | None:
    """Insert an image and its study; return the study's number, None where the image is there already."""
    known = db.execute(
        "SELECT 1 FROM images WHERE sop_instance = ? OR pixels_sha256 = ?",
        (image.sop_instance, image.pixels_sha256),
    ).fetchone()
    if known:
        return None
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
            seal(image.preview, terms.start("preview", image.sop_instance)),
        ),
    ).fetchone()
    if image.scale is not None:
        put_scale(db, number, image.sop_instance, image.scale, terms)
    if image.accession:
        # The first image's counts, as its patient and date do.
        db.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (study[0], image.accession))
    if image.encoding is not None:
        put_encoding(db, number, image.encoding, terms)
    return int(study[0])


def put_encoding(db: sqlite3.Connection, image: int, encoding: NewEncoding, terms: Terms) -> None:
    """Insert an image's boxes and embeddings under the terms' generation."""
    edges = [
        (*box.as_tuple(), float(score))
        for _, box, score in zip(REGIONS, encoding.boxes, encoding.box_scores, strict=True)
    ]
    db.execute(
        "INSERT INTO boxes VALUES (?, ?, ?)",
        (
            image,
            terms.generation,
            seal(np.asarray(edges, "<f8").tobytes(), terms.start("boxes", terms.generation, image)),
        ),
    )
    vectors: list[tuple[Region | None, npt.NDArray[np.float32]]] = [(None, encoding.global_embedding)]
    vectors += zip(REGIONS, encoding.regions, strict=True)
    put_vectors(db, Modality.IMAGE, image, vectors, terms)


def put_vectors(
    db: sqlite3.Connection,
    modality: Modality,
    owner: int,
    vectors: Iterable[tuple[Region | None, npt.NDArray[np.float32]]],
    terms: Terms,
) -> None:
    """Insert the embeddings of an image or a report under the terms' generation, None for the whole.

    Raises
    ------
    StoreError
        Where one is no unit vector of the right length.
    """
    named = [(WHOLE if region is None else region.value, vector) for region, vector in vectors]
    db.executemany(
        f"INSERT INTO {modality.value}_embeddings VALUES (?, ?, ?, ?)",
        [
            (
                terms.generation,
                name,
                owner,
                seal(vector_blob(row, terms.dim), owner_start(vectors_start(terms, modality, name), owner)),
            )
            for name, row in named
        ],
    )


def vectors_start(terms: Terms, modality: Modality, region: str) -> int:
    """Return the checksum of a partition's key, from which those of its vectors go on."""
    return terms.start(modality.value, terms.generation, region)


def place_bit(region: Region | None) -> int:
    """Return the bit of `reports.places` that says that a report has an embedding there."""
    return 1 if region is None else 2 << region.position


def put_report(db: sqlite3.Connection, report: NewReport, terms: Terms) -> int | None:
    """Give a study its report; return the study's number, None where it has that very text.

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
            return None
        db.execute("DELETE FROM reports WHERE id = ?", (old[0],))
        db.execute("INSERT INTO replaced (report) VALUES (?)", (old[0],))
    vectors: list[tuple[Region | None, npt.NDArray[np.float32]]] = [(None, report.global_embedding)]
    vectors += report.regions
    places = sum(place_bit(region) for region, _ in vectors)
    (number,) = db.execute(
        "INSERT INTO reports (study, text, places) VALUES (?, ?, ?) RETURNING id",
        (study[0], report.text, places),
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
    put_vectors(db, Modality.TEXT, number, vectors, terms)
    return int(study[0])


def delete_study(db: sqlite3.Connection, study: str, terms: Terms) -> bool:
    """Delete a study and all of it, its number left as a tombstone; return False where it is unknown."""
    row = db.execute("SELECT id FROM studies WHERE study = ?", (study,)).fetchone()
    if row is None:
        return False
    forget_study(db, row[0], terms)
    db.execute("DELETE FROM studies WHERE id = ?", row)
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


def note_removal(db: sqlite3.Connection, modality: Modality) -> None:
    """Count that all embeddings of a modality were replaced, so that index files know they are stale."""
    db.execute(
        "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = value + 1",
        (f"{modality.value}_removals",),
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
