"""Tables of a data set, read row by row; lookups that stay on disk."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import DataSetError

Row = Mapping[str, str]

_CACHE_KIB = 4096
_BROKEN = (OSError, EOFError, UnicodeDecodeError, csv.Error)


def require(root: Path, *patterns: str, download: str) -> Path:
    """Return the first path below a folder that matches one of several patterns.

    Parameters
    ----------
    root : Path
    patterns : str
        Relative glob patterns, best first. A name also matches with ``.gz`` behind it.
    download : str
        What the publisher calls the download that brings it.

    Raises
    ------
    DataSetError
        Where `root` is no folder or holds none of them; names the file and its download.
    """
    if not root.is_dir():
        raise DataSetError(
            "there is no such folder", where=str(root), remedy=f"Name the unpacked folder of {download}"
        )
    for pattern in patterns:
        for candidate in (pattern, f"{pattern}.gz"):
            found = min(root.glob(candidate), default=None)
            if found is not None:
                return found
    packed = next((p.name for p in root.glob("**/*.zip")), "")
    hint = f"; {packed} is there, still packed" if packed else ""
    raise DataSetError(
        f"there is no {' or '.join(patterns)}{hint}",
        where=str(root),
        remedy=f"Download and unpack it: {download}",
    )


def open_text(path: Path) -> io.TextIOWrapper:
    """Open a text file, packed with gzip or not; a byte-order mark is dropped."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.GzipFile(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file, plain or packed with gzip.

    The header is checked before this returns, the rows are read as they are asked for.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Columns that must be there.

    Raises
    ------
    DataSetError
        The file cannot be read, is cut off, or lacks a column.
    """
    try:
        with open_text(path) as stream:
            header = next(csv.reader(stream), [])
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataSetError(
            f"the table has no column {', '.join(missing)} (it has {', '.join(header)[:200]})",
            where=str(path),
            remedy="Use the publisher's file as it is",
        )
    return _rows(path)


def _rows(path: Path) -> Iterator[Row]:
    try:
        with open_text(path) as stream:
            yield from csv.DictReader(stream, restval="")
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def read_cells(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a CSV file as lists, for headers that commas have torn apart.

    Raises
    ------
    DataSetError
        The file cannot be read or is cut off.
    """
    try:
        with open_text(path) as stream:
            yield from csv.reader(stream)
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    DataSetError
        The file is missing, cut off or no JSON.
    """
    try:
        with open_text(path) as stream:
            return json.load(stream)
    except (*_BROKEN, ValueError) as error:
        raise _unreadable(path, error) from error


def number(row: Row, column: str, path: Path) -> float:
    """Return a cell as a number.

    Raises
    ------
    DataSetError
        It is none.
    """
    try:
        return float(row[column])
    except ValueError:
        raise DataSetError(
            f"'{row[column]}' in column {column} is no number",
            where=str(path),
            remedy="Use the publisher's file as it is",
        ) from None


def _unreadable(path: Path, error: Exception) -> DataSetError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataSetError(
        f"the file cannot be read ({reason})", where=str(path), remedy="Unpack or download it again"
    )


class DiskIndex:
    """Rows by key, kept in a temporary file: a table of any length takes a few MiB of memory.

    SQLite's private on-disk database (an empty name) has no file that outlives it.
    """

    def __init__(self) -> None:
        # A loader's iterator may be handed to a thread that prefetches; it is used by one at a time.
        self._connection = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.execute("CREATE TABLE rows (key TEXT NOT NULL, cells TEXT NOT NULL)")

    def __del__(self) -> None:
        self._connection.close()

    @classmethod
    def of(cls, rows: Iterator[Row], key: str, columns: Sequence[str]) -> DiskIndex:
        """Return an index of the named columns of a table's rows by one column."""
        return cls.of_pairs((row[key], [row.get(name) or "" for name in columns]) for row in rows)

    @classmethod
    def of_pairs(cls, pairs: Iterator[tuple[str, Sequence[str]]]) -> DiskIndex:
        """Return an index of rows that come with their keys."""
        index = cls()
        index._connection.execute("BEGIN")
        index._connection.executemany(
            "INSERT INTO rows VALUES (?, ?)", ((name, json.dumps(list(cells))) for name, cells in pairs)
        )
        index._connection.execute("CREATE INDEX by_key ON rows (key)")
        index._connection.execute("COMMIT")
        return index

    def first(self, key: str) -> tuple[str, ...] | None:
        """Return the first row with a key, None where there is none."""
        found = self._connection.execute(
            "SELECT cells FROM rows WHERE key = ? ORDER BY rowid LIMIT 1", (key,)
        ).fetchone()
        return None if found is None else tuple(json.loads(found[0]))

    def all(self, key: str) -> list[tuple[str, ...]]:
        """Return the rows with a key, in the order of the table."""
        found = self._connection.execute("SELECT cells FROM rows WHERE key = ? ORDER BY rowid", (key,))
        return [tuple(json.loads(cells)) for (cells,) in found]

    def keys(self) -> Iterator[str]:
        """Yield every key once, in sorted order."""
        return (key for (key,) in self._connection.execute("SELECT DISTINCT key FROM rows ORDER BY key"))
