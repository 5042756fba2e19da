"""Bringing a database of an earlier schema forward, a version at a time."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Mapping

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.store import schema
from edge_retrieve.runtime.store.seals import Terms, owner_start, seal
from edge_retrieve.runtime.store.study_rows import seal_studies

FIRST_GENERATION = 1

_OLD_TABLES = ("boxes", "image_embeddings", "text_embeddings")


def _add_words_and_tombstones(db: sqlite3.Connection) -> None:
    for statement in schema.WORDS_AND_TOMBSTONES:
        db.execute(statement)
    db.execute("INSERT INTO report_words (report_words) VALUES ('rebuild')")


def _add_seals(db: sqlite3.Connection) -> None:
    """Write blobs anew with their checksums, boxes as one blob an image, and a checksum a study."""
    meta = dict(db.execute("SELECT key, value FROM meta"))
    terms = Terms(meta["store_id"], FIRST_GENERATION, int(meta["embedding_dim"]))
    db.execute("INSERT INTO meta VALUES ('generation', ?)", (str(FIRST_GENERATION),))
    for table in _OLD_TABLES:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        db.execute(f"DROP INDEX IF EXISTS {table}_by_owner")
    db.execute("ALTER TABLE reports ADD COLUMN places INTEGER NOT NULL DEFAULT 0")
    for statement in schema.SEALED:
        db.execute(statement)
    starts = {
        (modality, region): terms.start(modality, terms.generation, region)
        for modality in ("image", "text")
        for region in ("", *(region.value for region in REGIONS))
    }

    def sealed(modality: str, region: str, owner: int, vector: bytes) -> bytes:
        return seal(vector, owner_start(starts[modality, region], owner))

    db.create_function("sealed", 4, sealed, deterministic=True)
    for modality in ("image", "text"):
        db.execute(
            f"INSERT INTO {modality}_embeddings SELECT ?, region, owner, sealed('{modality}', region, owner,"
            f" vector) FROM old_{modality}_embeddings",
            (terms.generation,),
        )
    bits = {region.value: 2 << region.position for region in REGIONS} | {"": 1}
    db.create_function("place_bit", 1, bits.__getitem__, deterministic=True)
    db.execute(
        "UPDATE reports SET places = coalesce((SELECT sum(place_bit(region)) FROM old_text_embeddings"
        " WHERE owner = reports.id), 0)"
    )
    _join_boxes(db, terms)
    db.create_function(
        "sealed_preview", 2, lambda sop, png: seal(png, terms.start("preview", sop)), deterministic=True
    )
    db.execute("UPDATE images SET preview = sealed_preview(sop_instance, preview)")
    for table in _OLD_TABLES:
        db.execute(f"DROP TABLE old_{table}")
    _add_pictures_and_orders(db)  # a study's checksum looks there
    seal_studies(db, [number for (number,) in db.execute("SELECT id FROM studies").fetchall()], terms)


def _join_boxes(db: sqlite3.Connection, terms: Terms) -> None:
    for (image,) in db.execute("SELECT DISTINCT image FROM old_boxes").fetchall():
        rows = {
            region: row
            for region, *row in db.execute(
                "SELECT region, x1, y1, x2, y2, score FROM old_boxes WHERE image = ?", (image,)
            )
        }
        numbers = [number for region in REGIONS for number in rows[region.value]]
        edges = struct.pack(f"<{len(numbers)}d", *numbers)
        db.execute(
            "INSERT INTO boxes VALUES (?, ?, ?)",
            (image, terms.generation, seal(edges, terms.start("boxes", terms.generation, image))),
        )


def _add_pictures_and_orders(db: sqlite3.Connection) -> None:
    # Pictures stored so far are of 8 bits, and studies have no order: neither gets a row.
    for statement in schema.PICTURES_AND_ORDERS:
        db.execute(statement)


def _add_files(db: sqlite3.Connection) -> None:
    # What was read before is not noted: the next ingest of it reads it once more.
    for statement in schema.FILES:
        db.execute(statement)


# Version n to n + 1, each run inside one transaction.
MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    1: _add_words_and_tombstones,
    2: _add_seals,
    3: _add_pictures_and_orders,
    4: _add_files,
}
