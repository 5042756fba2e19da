"""What a store says of its identifiers: whether they are patients' own, or pseudonyms of which key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge_retrieve.runtime.store.opening import DATABASE_NAME

_KEY = "privacy"


class Identities(str, Enum):
    """Whose identifiers a store holds."""

    UNDECIDED = "undecided"
    """Nobody has said: an empty store, or one of an earlier version."""
    REPLACED = "replaced"
    """Pseudonyms."""
    KEPT = "kept"
    """Those of the files, as somebody wanted."""
    SYNTHETIC = "synthetic"
    """Those of phantoms, who are nobody."""


@dataclass(frozen=True)
class PrivacyMark:
    """What is written into a store about its identifiers; backups carry it.

    Parameters
    ----------
    identities : Identities
    key_check : str
        `SiteKey.check` of the key that made the pseudonyms; empty where there are none.
    """

    identities: Identities
    key_check: str = ""


def read_mark(db: sqlite3.Connection) -> PrivacyMark:
    """Return a store's mark."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    if row is None:
        return PrivacyMark(Identities.UNDECIDED)
    word, _, check = str(row[0]).partition(" ")
    return PrivacyMark(Identities(word), check)


def identities_of(folder: Path) -> Identities:
    """Return whose identifiers the store in a folder holds; undecided where there is no store."""
    path = folder / DATABASE_NAME
    if not path.is_file():
        return Identities.UNDECIDED
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return read_mark(db).identities
    except sqlite3.Error:  # damaged, or no store: opening it says so
        return Identities.UNDECIDED


def write_mark(db: sqlite3.Connection, mark: PrivacyMark) -> None:
    """Write a store's mark."""
    value = f"{mark.identities.value} {mark.key_check}".strip()
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, value))
