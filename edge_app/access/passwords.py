"""Passwords: what is asked of them, and their Argon2id digests (RFC 9106)."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from edge_retrieve.edge_app.access.errors import AccountError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 12  # characters; length is what counts (NIST SP 800-63B, 5.1.1)
LONGEST = 1024

# A check takes 64 MiB for a moment: many at once would fill a small machine's memory.
_turn = threading.Semaphore(2)


def check(password: str, user: str) -> None:
    """See that a password is worth having.

    Raises
    ------
    AccountError
        Where it is too short or too long, made of one or two characters, or holds the user's name.
    """
    reason = ""
    if not SHORTEST <= len(password) <= LONGEST:
        reason = f"it has {len(password)} characters, {SHORTEST} to {LONGEST} are asked for"
    elif len(set(password)) < 4:
        reason = "it is made of fewer than four different characters"
    elif user.lower() in password.lower():
        reason = "it holds the user's name"
    if reason:
        raise AccountError(
            f"the password is not taken: {reason}", where=f"user {user}", remedy="Choose another one"
        )


def digest(password: str) -> str:
    """Return a password's digest, with its salt and its cost in it."""
    with _turn:
        return _hasher().hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Return whether a password is the one of a digest.

    Without a digest (the user does not exist) it takes as long and says no, so that nobody learns from the
    time it takes who exists.
    """
    from argon2.exceptions import Argon2Error, InvalidHashError

    with _turn:
        try:
            return _hasher().verify(stored or _nobody(), password[: LONGEST + 1]) and stored is not None
        except (Argon2Error, InvalidHashError):
            return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    # Imported here: a server without users needs no Argon2.
    from argon2 import PasswordHasher

    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher().hash("the password of nobody")
