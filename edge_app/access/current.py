"""Who the request under way comes from, for rooms that no request is handed to."""

from __future__ import annotations

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
