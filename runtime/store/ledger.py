"""What became of the files that were read: told from their size and time, they need not be opened again.

An entry is written in the transaction that stores what the file holds, so that neither is ever there without
the other. It names the file by a keyed digest of its path, for paths are named after patients.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import Enum

from edge_retrieve.runtime.store.seals import Terms

NO_BYTES = b""


class Fate(str, Enum):
    """What became of a file."""

    STORED = "stored"
    """What it holds is in the store."""
    REJECTED = "rejected"
    DELETED = "deleted"
    """Its study was deleted: it is not taken in again by the way."""


@dataclass(frozen=True)
class Sight:
    """A file as it lay there before it was read.

    Parameters
    ----------
    path : bytes
        Digest of its path.
    size : int
        Bytes.
    mtime_ns : int
        When it was last modified, nanoseconds.
    said : bytes
        Digest of what the sources of reports say of it.
    """

    path: bytes
    size: int
    mtime_ns: int
    said: bytes


@dataclass(frozen=True)
class ReadFile:
    """A file that was read, as noted for the next time.

    Parameters
    ----------
    sight : Sight
    terms : bytes
        Digest of what else decided: the bundle, what cases pass before they are stored.
    fate : Fate
        `STORED` or `REJECTED`.
    reason : str
        What to tell of it the next time; no path in it.
    study : str
        Identifier of the study that holds its image; empty where it was rejected.
    spoke : bool
        Whether it brought a report, be it kept or not.
    """

    sight: Sight
    terms: bytes
    fate: Fate
    reason: str = ""
    study: str = ""
    spoke: bool = False


_COLUMNS = "f.path, f.size, f.mtime_ns, f.said, f.terms, f.fate, f.reason, f.study, f.spoke, f.report"


def note_files(db: sqlite3.Connection, files: Iterable[ReadFile], terms: Terms) -> None:
    """Write entries, each in the place of an earlier one of its path."""
    for file in files:
        number, report = db.execute(
            "SELECT max(s.id), max(r.id) FROM studies s LEFT JOIN reports r ON r.study = s.id"
            " WHERE s.study = ?",
            (file.study,),
        ).fetchone()
        if file.fate is Fate.STORED and number is None:
            continue  # deleted meanwhile
        row = (
            *astuple(file.sight),
            file.terms,
            file.fate.value,
            file.reason,
            number,
            int(file.spoke),
            report if file.spoke else None,
        )
        _put(db, row, terms)


def find_file(db: sqlite3.Connection, path: bytes, terms: Terms) -> ReadFile | None:
    """Return the entry of a file by the digest of its path.

    None also where it is damaged, or where the study got another report since than the one it had when the
    file was read: what the file says of it is to be looked at again.
    """
    row = db.execute(
        f"SELECT {_COLUMNS}, f.checksum, s.study, r.id FROM files f LEFT JOIN studies s ON s.id = f.study"
        " LEFT JOIN reports r ON r.study = f.study WHERE f.path = ?",
        (path,),
    ).fetchone()
    if row is None:
        return None
    *held, checksum, study, report_now = row
    if checksum != _checksum(held, terms):
        return None
    _, size, mtime_ns, said, of, fate, reason, _, spoke, report = held
    if spoke and report != report_now:
        return None
    sight = Sight(path, size, mtime_ns, said)
    return ReadFile(sight, of, Fate(fate), reason, study or "", bool(spoke))


def forget_study(db: sqlite3.Connection, number: int, terms: Terms) -> None:
    """Take out what is noted of a study that is about to be deleted.

    What is left is that something at a path, of a size and time, is not to be taken in again by the way.
    """
    rows = db.execute("SELECT path, size, mtime_ns FROM files WHERE study = ?", (number,)).fetchall()
    for path, size, mtime_ns in rows:
        bare = (path, size, mtime_ns, NO_BYTES, NO_BYTES, Fate.DELETED.value, "", None, 0, None)
        _put(db, bare, terms)


def count_damaged(db: sqlite3.Connection, terms: Terms) -> int:
    """Return how many entries do not match their checksums."""
    rows = db.execute(f"SELECT {_COLUMNS}, f.checksum FROM files f")
    return sum(checksum != _checksum(held, terms) for *held, checksum in rows)


def _put(db: sqlite3.Connection, row: tuple[object, ...], terms: Terms) -> None:
    db.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, _checksum(row, terms))
    )


def _checksum(row: Iterable[object], terms: Terms) -> int:
    return terms.start("file", ascii(tuple(row)))
