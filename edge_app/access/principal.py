"""Somebody who asks, as far as the server knows."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.access.accounts import Account
from edge_retrieve.edge_app.access.current import LOCAL
from edge_retrieve.edge_app.access.roles import Permission, permissions


@dataclass(frozen=True)
class Principal:
    """Somebody who asks.

    Parameters
    ----------
    name : str
        A user's, or `LOCAL`.
    permissions : frozenset of Permission
    csrf : str or None
        What a request that changes something must repeat; None where no cookie vouches for it.
    by_token : bool
        Whether a program asks in the user's name.
    """

    name: str
    permissions: frozenset[Permission]
    csrf: str | None = None
    by_token: bool = False

    @property
    def audited_as(self) -> str:
        """The name in the audit trail."""
        return f"token of {self.name}" if self.by_token else self.name


ANYBODY_HERE = Principal(LOCAL, frozenset(Permission))
"""Whoever uses a server that has no users."""


def principal_of(account: Account, *, csrf: str | None = None, by_token: bool = False) -> Principal:
    """Return the principal that an account stands for."""
    return Principal(account.name, permissions(account.role, account.identities), csrf, by_token)
