"""Users."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_retrieve.edge_app.access import passwords
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import AccountError
from edge_retrieve.edge_app.access.roles import Role

Clock = Callable[[], float]

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Account:
    """A user.

    Parameters
    ----------
    name : str
        In lower case.
    role : Role
    identities : bool
        Whether the user may see who the patients are.
    created : int
        Seconds since 1970.
    """

    name: str
    role: Role
    identities: bool
    created: int


class Accounts:
    """The users of a site.

    Parameters
    ----------
    database : AccessDatabase
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: AccessDatabase, clock: Clock = time.time) -> None:
        self._database, self._clock = database, clock

    def add(self, name: str, password: str, role: Role, *, identities: bool = False) -> Account:
        """Make a user.

        Raises
        ------
        AccountError
            Where the name is taken or no name, or the password is not worth having.
        """
        name = checked_name(name)
        passwords.check(password, name)
        account = Account(name, role, identities, int(self._clock()))
        digest = passwords.digest(password)
        with self._database.transaction() as db:
            if _find(db, name) is not None:
                raise AccountError("there is such a user already", where=f"user {name}")
            db.execute(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?)",
                (name, digest, role.value, int(identities), account.created),
            )
        return account

    def find(self, name: str) -> Account | None:
        """Return a user, None where there is none of that name."""
        with self._database.reading() as db:
            return _find(db, name.lower())

    def get(self, name: str) -> Account:
        """Return a user.

        Raises
        ------
        AccountError
            Where there is none of that name.
        """
        account = self.find(name)
        if account is None:
            raise _unknown(name)
        return account

    def all(self) -> tuple[Account, ...]:
        """Return all users by name."""
        with self._database.reading() as db:
            rows = db.execute("SELECT name, role, identities, created FROM users ORDER BY name").fetchall()
        return tuple(_account(row) for row in rows)

    def any(self) -> bool:
        """Return whether there is a user at all."""
        with self._database.reading() as db:
            return db.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None

    def change(self, name: str, *, role: Role | None = None, identities: bool | None = None) -> Account:
        """Change what a user may do; sessions and tokens the user has end.

        Raises
        ------
        AccountError
            Where there is no such user, or no administrator would be left.
        """
        with self._database.transaction() as db:
            account = _find(db, name.lower())
            if account is None:
                raise _unknown(name)
            changed = Account(
                account.name,
                role or account.role,
                account.identities if identities is None else identities,
                account.created,
            )
            db.execute(
                "UPDATE users SET role = ?, identities = ? WHERE name = ?",
                (changed.role.value, int(changed.identities), changed.name),
            )
            _keep_an_admin(db, account)
            _end(db, account.name, tokens=True)
        return changed

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password; sessions the user has end.

        Raises
        ------
        AccountError
            Where there is no such user, or the password is not worth having.
        """
        account = self.get(name)
        passwords.check(password, account.name)
        digest = passwords.digest(password)
        with self._database.transaction() as db:
            db.execute("UPDATE users SET password = ? WHERE name = ?", (digest, account.name))
            _end(db, account.name, tokens=False)

    def remove(self, name: str) -> None:
        """Remove a user, with all sessions and tokens.

        Raises
        ------
        AccountError
            Where there is no such user, or no administrator would be left to others.
        """
        with self._database.transaction() as db:
            account = _find(db, name.lower())
            if account is None:
                raise _unknown(name)
            db.execute("DELETE FROM users WHERE name = ?", (account.name,))
            _keep_an_admin(db, account)

    def verify(self, name: str, password: str) -> Account | None:
        """Return the user whose name and password these are, None where they are nobody's."""
        name = name.lower()
        with self._database.reading() as db:
            row = db.execute("SELECT password FROM users WHERE name = ?", (name,)).fetchone()
        if not passwords.matches(password, None if row is None else str(row[0])):
            return None
        return self.find(name)


def checked_name(name: str) -> str:
    """Return a user's name in lower case.

    Raises
    ------
    AccountError
        Where it is no name.
    """
    if not _NAME.fullmatch(name.lower()):
        raise AccountError(
            f"'{name}' is no name for a user",
            where="NAME",
            remedy="Take letters a to z, digits, and . _ @ - between them, 64 at most",
        )
    return name.lower()


def _find(db: sqlite3.Connection, name: str) -> Account | None:
    row = db.execute("SELECT name, role, identities, created FROM users WHERE name = ?", (name,)).fetchone()
    return None if row is None else _account(row)


def _account(row: tuple[str, str, int, int]) -> Account:
    return Account(row[0], Role(row[1]), bool(row[2]), row[3])


def _unknown(name: str) -> AccountError:
    return AccountError(
        "there is no such user", where=f"user {name}", remedy="'edge-retrieve user list' names them"
    )


def _end(db: sqlite3.Connection, name: str, *, tokens: bool) -> None:
    db.execute("DELETE FROM sessions WHERE user = ?", (name,))
    if tokens:
        db.execute("DELETE FROM tokens WHERE user = ?", (name,))


def _keep_an_admin(db: sqlite3.Connection, before: Account) -> None:
    """Refuse the change that takes the last administrator from users who are left."""
    if before.role is not Role.ADMIN:
        return
    (admins,) = db.execute("SELECT count(*) FROM users WHERE role = ?", (Role.ADMIN.value,)).fetchone()
    (users,) = db.execute("SELECT count(*) FROM users").fetchone()
    if users and not admins:
        raise AccountError(
            "nobody would be left to administer",
            where=f"user {before.name}",
            remedy="Make another user an administrator first",
        )
