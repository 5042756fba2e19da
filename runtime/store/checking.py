"""Reading a whole database for damage."""

from __future__ import annotations

import sqlite3
from itertools import islice

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import reading
from edge_retrieve.runtime.store.ledger import count_damaged
from edge_retrieve.runtime.store.pictures import read_picture
from edge_retrieve.runtime.store.seals import Terms
from edge_retrieve.runtime.store.worklist import Worklist

_MOST_LINES = 100


def structure_damage(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return what SQLite's own checks find in a database of any schema: its pages, its references."""
    pages = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
    links = sorted(f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check"))
    return tuple(line for line in [*pages, *links] if line != "ok")


def damage(db: sqlite3.Connection, terms: Terms) -> tuple[str, ...]:
    """Return what is wrong with a store's database, as seen in one snapshot; nothing where it is sound.

    Its pages and references by SQLite's own checks, then every checksum of ours. The index of words is
    looked at by `words_damage`.
    """
    found = [*structure_damage(db)]
    for modality in Modality:
        for region in (None, *REGIONS):
            try:
                reading.read_vectors(db, modality, region, 0, terms)
            except StoreError as error:
                found.append(error.what)
    try:
        reading.count_studies(db, Worklist())
    except StoreError as error:
        found.append(error.what)
    for (study,) in db.execute("SELECT study FROM studies ORDER BY id").fetchall():
        try:
            if reading.read_study(db, study, terms) is None:
                found.append(f"the study '{study}' is not found by its identifier")
        except StoreError as error:
            found.append(error.what)
    for (image,) in db.execute("SELECT id FROM images ORDER BY id").fetchall():
        try:
            read_picture(db, image, terms)
        except StoreError as error:
            found.append(error.what)
    damaged_files = count_damaged(db, terms)
    if damaged_files:
        found.append(f"{damaged_files} notes of files that were read do not match their checksums")
    return tuple(islice(found, _MOST_LINES))


def words_damage(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return whether the index of words agrees with the reports, by a connection that may write."""
    # FTS5 checks itself by a command that is an insertion, with 1 against the reports too.
    try:
        db.execute("INSERT INTO report_words (report_words, rank) VALUES ('integrity-check', 1)")
    except sqlite3.OperationalError as error:
        if "readonly" in str(error) or "locked" in str(error):
            return ()
        raise
    except sqlite3.DatabaseError:
        return ("the index of words does not agree with the reports",)
    return ()
