"""Tokens that programs log in with."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass

from edge_retrieve.edge_app.access.accounts import Account, Accounts, Clock
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import AccountError
from edge_retrieve.edge_app.access.roles import Role, permissions
from edge_retrieve.edge_app.access.secrets import digest_of, new_secret

PREFIX = "ert"
"""Begins every token, so that scanners of leaked secrets know one."""

LONGEST_DAYS = 366
_DAY_S = 86400


@dataclass(frozen=True)
class Token:
    """A token, without its secret.

    Parameters
    ----------
    id : str
        Names it where it is listed or revoked.
    user : str
    role : Role
        What it may do; at most what its user may.
    identities : bool
    expires : int
        Seconds since 1970.
    """

    id: str
    user: str
    role: Role
    identities: bool
    expires: int


class Tokens:
    """The tokens of a site.

    Parameters
    ----------
    database : AccessDatabase
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: AccessDatabase, clock: Clock = time.time) -> None:
        self._database, self._clock = database, clock

    def make(self, user: str, role: Role, days: int, *, identities: bool = False) -> tuple[Token, str]:
        """Make a token; return it with the text that a program sends, which is kept nowhere.

        Raises
        ------
        AccountError
            Where there is no such user, or the token would do more than the user may.
        """
        account = Accounts(self._database).get(user)
        if not 1 <= days <= LONGEST_DAYS:
            raise AccountError(
                f"a token cannot last {days} days", where="--days", remedy=f"Give 1 to {LONGEST_DAYS}"
            )
        if not permissions(role, identities) <= permissions(account.role, account.identities):
            raise AccountError(
                "a token may do no more than its user",
                where=f"user {account.name}",
                remedy=f"Make it for the role {account.role.value}, or give the user more rights first",
            )
        now = int(self._clock())
        token = Token(secrets.token_hex(8), account.name, role, identities, now + days * _DAY_S)
        secret = new_secret()
        with self._database.transaction() as db:
            db.execute("DELETE FROM tokens WHERE expires <= ?", (now,))
            db.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    token.id,
                    digest_of(secret),
                    token.user,
                    role.value,
                    int(identities),
                    now,
                    token.expires,
                ),
            )
        return token, f"{PREFIX}_{token.id}_{secret}"

    def find(self, text: str) -> Account | None:
        """Return whom a token speaks for, with the token's rights; None where it is not valid."""
        prefix, _, rest = text.partition("_")
        name, _, secret = rest.partition("_")
        if prefix != PREFIX:
            return None
        with self._database.reading() as db:
            row = db.execute(
                "SELECT t.digest, t.user, t.role, t.identities, t.created, t.expires, u.role, u.identities"
                " FROM tokens t JOIN users u ON u.name = t.user WHERE t.id = ?",
                (name,),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[0], digest_of(secret)):
            return None
        _, user, role, identities, created, expires, users_role, users_identities = row
        if self._clock() >= expires:
            return None
        scope = permissions(Role(role), bool(identities))
        if not scope <= permissions(Role(users_role), bool(users_identities)):
            return None
        return Account(user, Role(role), bool(identities), created)

    def all(self) -> tuple[Token, ...]:
        """Return all tokens, by user and time."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, user, role, identities, expires FROM tokens ORDER BY user, expires"
            ).fetchall()
        return tuple(Token(row[0], row[1], Role(row[2]), bool(row[3]), row[4]) for row in rows)

    def revoke(self, token: str) -> None:
        """End a token.

        Raises
        ------
        AccountError
            Where there is none of that name.
        """
        with self._database.transaction() as db:
            if db.execute("DELETE FROM tokens WHERE id = ?", (token,)).rowcount == 0:
                raise AccountError(
                    "there is no such token",
                    where=f"token {token}",
                    remedy="'edge-retrieve user list' names them",
                )
