"""Slowing down who guesses passwords."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edge_retrieve.edge_app.access.accounts import Clock
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import TooManyAttemptsError
from edge_retrieve.edge_app.access.secrets import digest_of

WINDOW_S = 15 * 60
"""How long a failed attempt counts."""
FREE_PER_USER = 5
FREE_PER_ADDRESS = 20  # a department behind one address mistypes, too

_FIRST_WAIT_S, _LONGEST_WAIT_S = 15, WINDOW_S


class Throttle:
    """Counts failed log-ins of a user and of an address; beyond the free ones each doubles the wait.

    Parameters
    ----------
    database : AccessDatabase
        Keeps them, so that starting the server again forgives nothing.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: AccessDatabase, clock: Clock = time.time) -> None:
        self._database, self._clock = database, clock

    @contextmanager
    def attempt(self, user: str, address: str) -> Iterator[Attempt]:
        """Make room for one attempt; it counts as failed unless it is said to have succeeded.

        It is counted before the password is looked at: many at once do not slip through.

        Raises
        ------
        TooManyAttemptsError
            Where it comes too early; it is not counted then.
        """
        # Digests: who mistypes a password into the field of the name leaves no trace of it.
        limits = {
            digest_of("user " + user.lower()): FREE_PER_USER,
            digest_of("address " + address): FREE_PER_ADDRESS,
        }
        now = int(self._clock())
        with self._database.transaction() as db:
            db.execute("DELETE FROM attempts WHERE at <= ?", (now - WINDOW_S,))
            for key, free in limits.items():
                count, last = db.execute(
                    "SELECT count(*), max(at) FROM attempts WHERE key = ?", (key,)
                ).fetchone()
                if count < free:
                    continue
                wait = min(_FIRST_WAIT_S << (count - free), _LONGEST_WAIT_S) - (now - last)
                if wait > 0:
                    raise TooManyAttemptsError(wait)
            numbers = [
                db.execute("INSERT INTO attempts (key, at) VALUES (?, ?)", (key, now)).lastrowid
                for key in limits
            ]
        attempt = Attempt()
        yield attempt
        if attempt.succeeded:
            users_key = next(iter(limits))
            with self._database.transaction() as db:
                db.execute("DELETE FROM attempts WHERE key = ?", (users_key,))
                db.executemany("DELETE FROM attempts WHERE id = ?", [(number,) for number in numbers])


class Attempt:
    """One attempt to log in."""

    def __init__(self) -> None:
        self.succeeded = False
