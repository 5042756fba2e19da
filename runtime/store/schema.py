"""The store's tables, and how older ones are brought forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from edge_retrieve.runtime.errors import StoreError

SCHEMA_VERSION = 5
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
CREATE TABLE reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  study INTEGER NOT NULL UNIQUE REFERENCES studies ON DELETE CASCADE,
  text TEXT NOT NULL,
  places INTEGER NOT NULL DEFAULT 0
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

# Since schema 3. Every blob ends with its checksum, every study has one, and embeddings have the generation
# of the bundle they come from (`seals`, `generations`). An embedding that should be there and is not would
# be missed by nobody: `images.indexed` and `reports.places` (bit 0 the whole, bit n the nth region) say what
# there is, and the two narrow indexes tell it without a look at pictures and texts. `replaced` are
# the reports that index files may still hold.
SEALED = (
    "CREATE TABLE boxes (image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,"
    " generation INTEGER NOT NULL, edges BLOB NOT NULL, PRIMARY KEY (image, generation)) WITHOUT ROWID",
    *(
        statement
        for modality, owners in (("image", "images"), ("text", "reports"))
        for statement in (
            f"CREATE TABLE {modality}_embeddings (generation INTEGER NOT NULL, region TEXT NOT NULL,"
            f" owner INTEGER NOT NULL REFERENCES {owners} ON DELETE CASCADE, vector BLOB NOT NULL,"
            " PRIMARY KEY (generation, region, owner)) WITHOUT ROWID",
            f"CREATE INDEX {modality}_embeddings_by_owner ON {modality}_embeddings (owner)",
        )
    ),
    "CREATE INDEX images_searched ON images (id, study) WHERE indexed",
    "CREATE INDEX reports_by_place ON reports (id, study, places)",
    "CREATE TABLE study_seals (study INTEGER PRIMARY KEY REFERENCES studies ON DELETE CASCADE,"
    " checksum INTEGER NOT NULL)",
    "CREATE TABLE replaced (id INTEGER PRIMARY KEY AUTOINCREMENT, report INTEGER NOT NULL)",
)

# Since schema 4. What the grey values of a picture mean, where it is not 8 bits as displayed (`pictures`);
# the number of the order, which a study's checksum covers where there is one; the order of the worklist.
PICTURES_AND_ORDERS = (
    "CREATE TABLE IF NOT EXISTS grey_scales (image INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE,"
    " described BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS orders (study INTEGER PRIMARY KEY REFERENCES studies ON DELETE CASCADE,"
    " accession TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS studies_by_date ON studies (study_date DESC, id DESC)",
)

# Since schema 5. What became of the files that were read (`ledger`).
FILES = (
    "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, said BLOB NOT NULL, terms BLOB NOT NULL, fate TEXT NOT NULL,"
    " reason TEXT NOT NULL, study INTEGER REFERENCES studies ON DELETE CASCADE, spoke INTEGER NOT NULL,"
    " report INTEGER, checksum INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS files_by_study ON files (study)",
)


def create_tables(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Create every table in one transaction; a kill in between leaves an empty database."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in TABLES.split(";"):
            if statement.strip():
                connection.execute(statement)
        for statement in (*WORDS_AND_TOMBSTONES, *SEALED, *PICTURES_AND_ORDERS, *FILES):
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


def require_ours(connection: sqlite3.Connection, where: str) -> None:
    """Raise `StoreError` where a database is another program's."""
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise StoreError(
            "this is not an edge-retrieve store",
            where=where,
            remedy="Name the folder that 'edge-retrieve ingest --store' created",
        )


def bring_forward(
    connection: sqlite3.Connection,
    where: str,
    migrations: Mapping[int, Callable[[sqlite3.Connection], None]],
) -> None:
    """Check that a database is ours and migrate it to this version.

    Raises
    ------
    StoreError
        Where it is another program's, or of a newer version.
    """
    require_ours(connection, where)
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
