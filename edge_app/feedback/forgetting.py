"""What goes from the feedback with a deleted study: verdicts on it, and whatever was asked with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from edge_retrieve.edge_app.feedback.database import FeedbackDatabase

# Tables that belong to a query, those that others refer to last.
_OF_QUERIES = ("verdicts", "acceptances", "reads")


def forget(database: FeedbackDatabase, studies: Sequence[str]) -> None:
    """Delete every trace of some studies, overwriting it; a read keeps its other hits.

    Raises
    ------
    StoreError
        Where it cannot be written.
    """
    if not database.exists():
        return
    gone = set(studies)
    with database.writing() as db:
        db.execute("PRAGMA secure_delete = ON")
        db.executemany("DELETE FROM verdicts WHERE study = ?", [(study,) for study in gone])
        queries = [
            query
            for query, described in db.execute("SELECT query_id, described FROM queries").fetchall()
            if json.loads(described).get("study") in gone
        ]
        for query in queries:
            _forget_query(db, query)
        for read, shown in db.execute("SELECT read, studies FROM reveals").fetchall():
            left = [study for study in json.loads(shown) if study not in gone]
            db.execute("UPDATE reveals SET studies = ? WHERE read = ?", (json.dumps(left), read))


def _forget_query(db: sqlite3.Connection, query: str) -> None:
    for table in ("reveals", "finals"):
        db.execute(f"DELETE FROM {table} WHERE read IN (SELECT read FROM reads WHERE query_id = ?)", (query,))
    for table in _OF_QUERIES:
        db.execute(f"DELETE FROM {table} WHERE query_id = ?", (query,))
    db.execute("DELETE FROM queries WHERE query_id = ?", (query,))
