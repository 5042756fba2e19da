"""Sessions of people who logged in with a browser."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edge_retrieve.edge_app.access.accounts import Account, Clock
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.secrets import digest_of, new_secret

# How exactly idleness is measured: to the second, every request would wait for the disk.
_SEEN_STEP_S = 30


@dataclass(frozen=True)
class Session:
    """A session.

    Parameters
    ----------
    account : Account
    csrf : str
        What a request that changes something must repeat in a header.
    """

    account: Account
    csrf: str


@dataclass(frozen=True)
class NewSession:
    """A session just begun.

    Parameters
    ----------
    secret : str
        For the cookie; it is kept nowhere else.
    csrf : str
    """

    secret: str
    csrf: str


class Sessions:
    """The sessions of a site.

    Parameters
    ----------
    database : AccessDatabase
    idle_s, longest_s : int
        Seconds without a request, and seconds since the log-in, after which a session ends.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, database: AccessDatabase, idle_s: int, longest_s: int, clock: Clock = time.time
    ) -> None:
        self._database, self._clock = database, clock
        self._idle_s, self._longest_s = idle_s, longest_s

    def begin(self, user: str) -> NewSession:
        """Begin a session under a new identifier: one that a browser brought along is never taken over."""
        session = NewSession(new_secret(), new_secret())
        now = int(self._clock())
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM sessions WHERE created <= ? OR seen <= ?",
                (now - self._longest_s, now - self._idle_s - _SEEN_STEP_S),
            )
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
                (digest_of(session.secret), user, session.csrf, now, now),
            )
        return session

    def find(self, secret: str) -> Session | None:
        """Return the session of a cookie, None where it is unknown or has ended; it counts as seen."""
        digest, now = digest_of(secret), int(self._clock())
        with self._database.reading() as db:
            row = db.execute(
                "SELECT u.name, u.role, u.identities, u.created, s.csrf, s.created, s.seen"
                " FROM sessions s JOIN users u ON u.name = s.user WHERE s.digest = ?",
                (digest,),
            ).fetchone()
        if row is None:
            return None
        name, role, identities, made, csrf, created, seen = row
        if now - created >= self._longest_s or now - seen >= self._idle_s:
            self.end(secret)
            return None
        if now - seen >= min(_SEEN_STEP_S, self._idle_s // 4):
            with self._database.transaction() as db:
                db.execute("UPDATE sessions SET seen = ? WHERE digest = ?", (now, digest))
        return Session(Account(name, Role(role), bool(identities), made), csrf)

    def end(self, secret: str) -> None:
        """End a session."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest_of(secret),))
