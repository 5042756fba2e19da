"""Readers' verdicts on hits: one for each query and hit, the last."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import Enum
from typing import Any

from edge_retrieve.edge_app.feedback.database import FeedbackDatabase, now
from edge_retrieve.edge_app.feedback.questions import Asked


class VerdictKind(str, Enum):
    """What a reader thinks of a hit."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True)
class NewVerdict:
    """A verdict as given.

    Parameters
    ----------
    study : str
        The hit.
    verdict : VerdictKind
        ``NONE`` takes one back.
    note : str
    """

    study: str
    verdict: VerdictKind
    note: str


@dataclass(frozen=True)
class Verdict:
    """A verdict as kept."""

    query_id: str
    study: str
    verdict: VerdictKind
    note: str
    at: str
    query: dict[str, Any]


@dataclass(frozen=True)
class VerdictPage:
    """Some of the verdicts, newest first."""

    total: int
    verdicts: tuple[Verdict, ...]


class Verdicts:
    """The verdicts of one store.

    Parameters
    ----------
    database : FeedbackDatabase
    """

    def __init__(self, database: FeedbackDatabase) -> None:
        self._database = database

    def put(self, asked: Asked, new: NewVerdict) -> Verdict:
        """Keep a verdict in place of an earlier one; on return it is on disk.

        Raises
        ------
        StoreError
            Where it cannot be written.
        """
        at = now()
        with self._database.writing() as db:
            if new.verdict is VerdictKind.NONE:
                db.execute(
                    "DELETE FROM verdicts WHERE query_id = ? AND study = ?", (asked.query_id, new.study)
                )
            else:
                note_query(db, asked)
                db.execute(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)",
                    (asked.query_id, new.study, new.verdict.value, new.note, at),
                )
        return Verdict(asked.query_id, new.study, new.verdict, new.note, at, json.loads(asked.described))

    def page(self, *, query_id: str, study: str, limit: int, offset: int) -> VerdictPage:
        """Return verdicts, newest first; of one query or hit where these are not empty."""
        clauses, values = [], []
        for column, wanted in (("query_id", query_id), ("study", study)):
            if wanted:
                clauses.append(f"v.{column} = ?")
                values.append(wanted)
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        with self._database.reading() as db:
            if db is None:
                return VerdictPage(0, ())
            (total,) = db.execute(f"SELECT count(*) FROM verdicts v {where}", values).fetchone()
            rows = db.execute(
                "SELECT v.query_id, v.study, v.verdict, v.note, v.at, q.described FROM verdicts v"
                f" JOIN queries q ON q.query_id = v.query_id {where} ORDER BY v.at DESC, v.rowid DESC"
                " LIMIT ? OFFSET ?",
                (*values, limit, offset),
            ).fetchall()
        return VerdictPage(
            int(total),
            tuple(
                Verdict(query, study, VerdictKind(verdict), note, at, json.loads(described))
                for query, study, verdict, note, at, described in rows
            ),
        )

    def asked(self, query_id: str) -> Asked | None:
        """Return a question that feedback was given on before, None where there was none."""
        with self._database.reading() as db:
            row = (
                None
                if db is None
                else db.execute("SELECT described FROM queries WHERE query_id = ?", (query_id,)).fetchone()
            )
        return None if row is None else Asked(query_id, str(row[0]))


def note_query(db: sqlite3.Connection, asked: Asked) -> None:
    """Keep what was asked."""
    db.execute("INSERT OR IGNORE INTO queries VALUES (?, ?)", (asked.query_id, asked.described))
