"""Drafts that a person accepted: the words as drafted, the words as accepted, who and when.

Each is written once, and nothing of it is changed later; who accepts other words accepts anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_retrieve.edge_app.access.current import LOCAL, current_user
from edge_retrieve.edge_app.feedback.database import FeedbackDatabase, now
from edge_retrieve.edge_app.feedback.questions import Asked
from edge_retrieve.edge_app.feedback.verdicts import note_query
from edge_retrieve.edge_app.refusals import NotFoundError


@dataclass(frozen=True)
class Words:
    """A draft and what a person made of it.

    Parameters
    ----------
    writer : str
        Who drafted: ``template``, or a language model's name.
    prompt : str
        Version of the model's prompt; empty for the template.
    drafted : str
        The plain report as drafted.
    report : str
        The plain report as accepted.
    """

    writer: str
    prompt: str
    drafted: str
    report: str

    @property
    def edited(self) -> bool:
        """Whether anything but white space is otherwise than drafted."""
        return self.report.split() != self.drafted.split()


@dataclass(frozen=True)
class Accepted:
    """An accepted draft.

    Parameters
    ----------
    acceptance : str
        Its name.
    asked : Asked
        The query that it was drafted for.
    words : Words
    observer, organization : str
        The person, and on whose behalf.
    login : str
        As whom the person was logged in; empty where nobody logs in.
    at : str
    """

    acceptance: str
    asked: Asked
    words: Words
    observer: str
    organization: str
    login: str
    at: str


@dataclass(frozen=True)
class AcceptedPage:
    """Some of the accepted drafts, newest first."""

    total: int
    accepted: tuple[Accepted, ...]


_SELECT = (
    "SELECT a.acceptance, a.query_id, q.described, a.writer, a.prompt, a.drafted, a.report, a.observer,"
    " a.organization, a.login, a.at FROM acceptances a JOIN queries q ON q.query_id = a.query_id"
)


class Acceptances:
    """The accepted drafts of one store. Each is its reader's alone: to others it does not exist.

    Parameters
    ----------
    database : FeedbackDatabase
    """

    def __init__(self, database: FeedbackDatabase) -> None:
        self._database = database

    def put(self, asked: Asked, words: Words, *, observer: str, organization: str) -> Accepted:
        """Keep an accepted draft; on return it is on disk, and only then may it leave.

        Raises
        ------
        StoreError
            Where it cannot be written.
        """
        kept = Accepted(secrets.token_hex(8), asked, words, observer, organization, _login(), now())
        row = (
            kept.acceptance, asked.query_id, words.writer, words.prompt, words.drafted, words.report,
            observer, organization, kept.login, kept.at,
        )  # fmt: skip
        with self._database.writing() as db:
            note_query(db, asked)
            db.execute(
                "INSERT INTO acceptances (acceptance, query_id, writer, prompt, drafted, report, observer,"
                " organization, login, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        return kept

    def get(self, acceptance: str) -> Accepted:
        """Return an accepted draft.

        Raises
        ------
        NotFoundError
            Where there is none of that name.
        """
        with self._database.reading() as db:
            row = None
            if db is not None:
                wanted = (acceptance, _login())
                row = db.execute(f"{_SELECT} WHERE a.acceptance = ? AND a.login = ?", wanted).fetchone()
        if row is None:
            raise NotFoundError(
                "no draft was accepted under this name",
                where=f"acceptance {acceptance}",
                remedy="Accept the draft first, POST /api/drafts/accept",
            )
        return _accepted(row)

    def page(self, *, limit: int, offset: int) -> AcceptedPage:
        """Return accepted drafts, newest first."""
        with self._database.reading() as db:
            if db is None:
                return AcceptedPage(0, ())
            (total,) = db.execute("SELECT count(*) FROM acceptances WHERE login = ?", (_login(),)).fetchone()
            rows: Sequence[Any] = db.execute(
                f"{_SELECT} WHERE a.login = ? ORDER BY a.id DESC LIMIT ? OFFSET ?", (_login(), limit, offset)
            ).fetchall()
        return AcceptedPage(int(total), tuple(_accepted(row) for row in rows))


def _login() -> str:
    return "" if current_user() == LOCAL else current_user()


def _accepted(row: Any) -> Accepted:
    acceptance, query_id, described, writer, prompt, drafted, report, observer, organization, login, at = row
    return Accepted(
        acceptance,
        Asked(query_id, described),
        Words(writer, prompt, drafted, report),
        observer,
        organization,
        login,
        at,
    )
