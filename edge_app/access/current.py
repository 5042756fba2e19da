"""Who the request under way comes from, and what it shows, for rooms that no request is handed to."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar

LOCAL = "local"
"""Whoever uses a server without users: a person at this machine."""

_user: ContextVar[str] = ContextVar("edge_retrieve_user", default=LOCAL)


def current_user() -> str:
    """Return the user's name; `LOCAL` where there are no users, and outside of requests."""
    return _user.get()


def set_current_user(name: str) -> None:
    """Say whose request this task, and the threads it starts, work on."""
    _user.set(name)


_shown: ContextVar[list[str] | None] = ContextVar("edge_retrieve_shown", default=None)


def note_shown(studies: Iterable[str]) -> None:
    """Say which studies the answer to the request under way shows; the audit trail refers to them."""
    shown = _shown.get()
    if shown is not None:
        shown.extend(studies)


def collect_shown(studies: list[str]) -> None:
    """Have `note_shown` add to a list, in this task and the threads it starts."""
    _shown.set(studies)
