"""The drafts that were shown lately, so that what a person accepts can be held against what was drafted."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from edge_retrieve.edge_app.access.current import current_user
from edge_retrieve.edge_app.feedback import Asked
from edge_retrieve.edge_app.refusals import NotFoundError
from edge_retrieve.runtime.explain.draft import Draft

_REMEMBERED = 256


@dataclass(frozen=True)
class Drafted:
    """A draft that was shown to somebody.

    Parameters
    ----------
    name : str
        Unguessable.
    asked : Asked
        The query that it answers.
    study : str
        The stored study that asked; empty for an upload or a text.
    draft : Draft
    reader : str
        Who it was shown to: nobody else is told of it.
    """

    name: str
    asked: Asked
    study: str
    draft: Draft
    reader: str


class Drafts:
    """The latest drafts; the oldest is forgotten when there are many. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[str, Drafted] = OrderedDict()

    def note(self, asked: Asked, study: str, draft: Draft) -> Drafted:
        """Remember a draft under a name of its own."""
        drafted = Drafted(secrets.token_urlsafe(12), asked, study, draft, current_user())
        with self._lock:
            self._items[drafted.name] = drafted
            while len(self._items) > _REMEMBERED:
                self._items.popitem(last=False)
        return drafted

    def get(self, name: str) -> Drafted:
        """Return a draft.

        Raises
        ------
        NotFoundError
            Where it is unknown, was forgotten, or was shown to somebody else.
        """
        with self._lock:
            found = self._items.get(name)
        if found is None or found.reader != current_user():
            raise NotFoundError(
                "the draft is no longer kept", where=f"draft {name}", remedy="Have it drafted again"
            )
        return found
