"""The store's tables, and how older ones are brought forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from edge_retrieve.runtime.errors import StoreError

SCHEMA_VERSION = 2
APPLICATION_ID = 0x45524554  # "ERET": tells our files from other SQLite databases
# Embeddings of up to 1,000 dimensions fit whole into an index page of this size; in SQLite's
# default of 4 KiB each vector of 256 would take an overflow page of its own.
PAGE_SIZE = 16384

# Numbers are never used twice (AUTOINCREMENT), so "everything after number n" is what the index lacks.
# Key columns come first: the integrity check of SQLite 3.40 misreads tables where they do not.
# In the embedding tables the region '' stands for the whole image or report.
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE studies (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  study TEXT NOT NULL UNIQUE,
  patient TEXT NOT NULL,
  study_date TEXT NOT NULL,
  sex TEXT NOT NULL,
  age REAL
);
CREATE INDEX studies_by_patient ON studies (patient);
CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
  sop_instance TEXT NOT NULL UNIQUE,
  pixels_sha256 TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  view TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  flags TEXT NOT NULL,
  applied TEXT NOT NULL,
  indexed INTEGER NOT NULL,
  preview BLOB NOT NULL
);
CREATE INDEX images_by_study ON images (study);
CREATE TABLE boxes (
  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  region TEXT NOT NULL,
  x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
  score REAL NOT NULL,
  PRIMARY KEY (image, region)
) WITHOUT ROWID;
CREATE TABLE reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  study INTEGER NOT NULL UNIQUE REFERENCES studies ON DELETE CASCADE,
  text TEXT NOT NULL
);
CREATE TABLE sentences (
  report INTEGER NOT NULL REFERENCES reports ON DELETE CASCADE,
  position INTEGER NOT NULL,
  section TEXT NOT NULL,
  text TEXT NOT NULL,
  regions TEXT NOT NULL,
  PRIMARY KEY (report, position)
) WITHOUT ROWID;
CREATE TABLE findings (
  report INTEGER NOT NULL,
  position INTEGER NOT NULL,
  mention INTEGER NOT NULL,
  region TEXT NOT NULL,
  finding TEXT NOT NULL,
  assertion TEXT NOT NULL,
  PRIMARY KEY (report, position, mention, region),
  FOREIGN KEY (report, position) REFERENCES sentences ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX findings_by_region ON findings (finding, region, assertion);
CREATE TABLE image_embeddings (
  region TEXT NOT NULL,
  owner INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  vector BLOB NOT NULL,
  PRIMARY KEY (region, owner)
) WITHOUT ROWID;
CREATE INDEX image_embeddings_by_owner ON image_embeddings (owner);
CREATE TABLE text_embeddings (
  region TEXT NOT NULL,
  owner INTEGER NOT NULL REFERENCES reports ON DELETE CASCADE,
  vector BLOB NOT NULL,
  PRIMARY KEY (region, owner)
) WITHOUT ROWID;
CREATE INDEX text_embeddings_by_owner ON text_embeddings (owner);
"""

# Since schema 2. The words of the reports (FTS5, which keeps no second copy of the texts), held in step by
# triggers, which also fire where a report goes with its study; and the numbers of deleted studies, for index
# files that still hold them. '_' belongs to words as it does in identifiers.
WORDS_AND_TOMBSTONES = (
    "CREATE VIRTUAL TABLE report_words USING fts5("
    "text, content='reports', content_rowid='id', tokenize=\"unicode61 tokenchars '_'\")",
    "CREATE TRIGGER report_words_added AFTER INSERT ON reports BEGIN"
    " INSERT INTO report_words (rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER report_words_removed AFTER DELETE ON reports BEGIN"
    " INSERT INTO report_words (report_words, rowid, text) VALUES ('delete', old.id, old.text); END",
    "CREATE TABLE tombstones (id INTEGER PRIMARY KEY AUTOINCREMENT, study INTEGER NOT NULL)",
)


def _add_words_and_tombstones(connection: sqlite3.Connection) -> None:
    for statement in WORDS_AND_TOMBSTONES:
        connection.execute(statement)
    connection.execute("INSERT INTO report_words (report_words) VALUES ('rebuild')")


# Version n to n + 1, each run inside one transaction.
MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _add_words_and_tombstones}


def create_tables(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Create every table in one transaction; a kill in between leaves an empty database."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in TABLES.split(";"):
            if statement.strip():
                connection.execute(statement)
        for statement in WORDS_AND_TOMBSTONES:
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether a database has no tables at all."""
    (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(count) == 0


def bring_forward(
    connection: sqlite3.Connection,
    where: str,
    migrations: Mapping[int, Callable[[sqlite3.Connection], None]] = MIGRATIONS,
) -> None:
    """Check that a database is ours and migrate it to this version.

    Raises
    ------
    StoreError
        Where it is another program's, or of a newer version.
    """
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise StoreError(
            "this is not an edge-retrieve store",
            where=where,
            remedy="Name the folder that 'edge-retrieve ingest --store' created",
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store has schema {version}, this version of edge-retrieve reads up to {SCHEMA_VERSION}",
            where=where,
            remedy="Use the newer edge-retrieve that wrote it",
        )
    while version < SCHEMA_VERSION:
        if version not in migrations:
            raise StoreError(
                f"there is no way to bring schema {version} forward to {SCHEMA_VERSION}",
                where=where,
                remedy="Ingest the studies into a new store",
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while this one waited for the lock.
            if connection.execute("PRAGMA user_version").fetchone() == (version,):
                migrations[version](connection)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
            version += 1
        except BaseException:
            connection.execute("ROLLBACK")
            raise
