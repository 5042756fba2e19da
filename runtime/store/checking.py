"""Reading a whole database for damage."""

from __future__ import annotations

import sqlite3


def damage(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return what is wrong with a store's database; nothing where it is sound."""
    db.execute("BEGIN")
    try:
        pages = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        links = [f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    finally:
        db.execute("COMMIT")
    return (*(line for line in pages if line != "ok"), *links, *_words_damage(db))


def _words_damage(db: sqlite3.Connection) -> tuple[str, ...]:
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
