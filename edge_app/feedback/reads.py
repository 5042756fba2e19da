"""Commit before reveal: what a reader thought before the hits were shown, and after.

Wrong advice sways a reader; whoever has committed first can see by how much. Each step is written once, and
nothing of it is changed later.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_retrieve.edge_app.access.current import LOCAL, current_user
from edge_retrieve.edge_app.feedback.database import FeedbackDatabase, now
from edge_retrieve.edge_app.feedback.questions import Asked
from edge_retrieve.edge_app.feedback.verdicts import note_query
from edge_retrieve.edge_app.refusals import ConflictError, NotFoundError


@dataclass(frozen=True)
class Impression:
    """What a reader thinks of an image.

    Parameters
    ----------
    impression : str
    findings : tuple of str
        Names of the vocabulary.
    sure : float or None
        0 to 1.
    """

    impression: str
    findings: tuple[str, ...] = ()
    sure: float | None = None


@dataclass(frozen=True)
class Revealed:
    """When the hits were first shown, and which."""

    at: str
    studies: tuple[str, ...]
    abstained: bool


@dataclass(frozen=True)
class Final(Impression):
    """What a reader thinks after the hits; `at` is when it was written."""

    at: str = ""


@dataclass(frozen=True)
class Read:
    """A read with all of its steps.

    Parameters
    ----------
    read : str
        Its name.
    asked : Asked
    document : dict
        The query as it was sent, to be asked at the reveal.
    asked_before : bool
        Whether the same query had been answered before the impression was noted, in this run of the server.
    impression : Impression
    at : str
    revealed : Revealed or None
    final : Final or None
    """

    read: str
    asked: Asked
    document: dict[str, Any]
    asked_before: bool
    impression: Impression
    at: str
    revealed: Revealed | None
    final: Final | None


@dataclass(frozen=True)
class ReadPage:
    """Some of the reads, newest first."""

    total: int
    reads: tuple[Read, ...]


_SELECT = (
    "SELECT r.read, r.query_id, q.described, r.asked, r.asked_before, r.impression, r.at,"
    " v.at, v.studies, v.abstained, f.impression, f.at FROM reads r"
    " JOIN queries q ON q.query_id = r.query_id"
    " LEFT JOIN reveals v ON v.read = r.read LEFT JOIN finals f ON f.read = r.read"
)


_READER = f"coalesce((SELECT login FROM readers WHERE read = r.read), '{LOCAL}')"


class Reads:
    """The reads of one store. Each is its reader's alone: to others it does not exist.

    Parameters
    ----------
    database : FeedbackDatabase
    """

    def __init__(self, database: FeedbackDatabase) -> None:
        self._database = database

    def begin(
        self, asked: Asked, document: dict[str, Any], impression: Impression, *, asked_before: bool
    ) -> Read:
        """Keep an impression; on return it is on disk, and only then may the hits be shown.

        Raises
        ------
        StoreError
            Where it cannot be written.
        """
        read, at = secrets.token_hex(8), now()
        with self._database.writing() as db:
            note_query(db, asked)
            db.execute(
                "INSERT INTO reads (read, query_id, asked, asked_before, impression, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (read, asked.query_id, json.dumps(document), asked_before, _held(impression), at),
            )
            db.execute("INSERT INTO readers VALUES (?, ?)", (read, current_user()))
        return Read(read, asked, document, asked_before, impression, at, None, None)

    def reveal(self, read: str, studies: Sequence[str], *, abstained: bool) -> None:
        """Keep which hits were shown; of a read whose hits were shown before, nothing changes."""
        with self._database.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO reveals VALUES (?, ?, ?, ?)",
                (read, json.dumps(list(studies)), abstained, now()),
            )

    def end(self, read: str, impression: Impression) -> Read:
        """Keep the impression after the hits.

        Raises
        ------
        NotFoundError
            Where there is no such read.
        ConflictError
            Where its hits were not shown yet, or it has ended.
        """
        before = self.get(read)
        if before.revealed is None:
            raise ConflictError(
                "the read's hits have not been shown yet", where=f"read {read}", remedy="Reveal them first"
            )
        with self._database.writing() as db:
            written = db.execute(
                "INSERT OR IGNORE INTO finals VALUES (?, ?, ?)", (read, _held(impression), now())
            ).rowcount
        if not written:
            raise ConflictError(
                "the read has ended", where=f"read {read}", remedy="Begin another to note more"
            )
        return self.get(read)

    def get(self, read: str) -> Read:
        """Return a read.

        Raises
        ------
        NotFoundError
            Where there is none of that name.
        """
        with self._database.reading() as db:
            row = None if db is None else _own(db, " AND r.read = ?", read).fetchone()
        if row is None:
            raise NotFoundError(
                "there is no such read", where=f"read {read}", remedy="Take one from GET /api/reads"
            )
        return _read(row)

    def page(self, *, limit: int, offset: int) -> ReadPage:
        """Return reads, newest first."""
        with self._database.reading() as db:
            if db is None:
                return ReadPage(0, ())
            (total,) = db.execute(
                f"SELECT count(*) FROM reads r WHERE {_READER} = ?", (current_user(),)
            ).fetchone()
            newest = " ORDER BY r.id DESC LIMIT ? OFFSET ?"
            rows: list[sqlite3.Row] = _own(db, newest, limit, offset).fetchall()
        return ReadPage(int(total), tuple(_read(row) for row in rows))


def _own(db: sqlite3.Connection, rest: str, *values: object) -> sqlite3.Cursor:
    """Select reads of the user whose request is under way."""
    return db.execute(f"{_SELECT} WHERE {_READER} = ?{rest}", (current_user(), *values))


def _held(impression: Impression) -> str:
    return json.dumps(asdict(impression))


def _read(row: Any) -> Read:
    read, query_id, described, asked, asked_before, held, at, shown, studies, abstained, final, ended = row
    return Read(
        read=read,
        asked=Asked(query_id, described),
        document=json.loads(asked),
        asked_before=bool(asked_before),
        impression=Impression(**_tupled(json.loads(held))),
        at=at,
        revealed=None if shown is None else Revealed(shown, tuple(json.loads(studies)), bool(abstained)),
        final=None if final is None else Final(**_tupled(json.loads(final)), at=ended),
    )


def _tupled(held: dict[str, Any]) -> dict[str, Any]:
    return {**held, "findings": tuple(held["findings"])}
