"""The files of a trail: ``trail-000001.jsonl`` and on; the last one is written to."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_retrieve.edge_app.audit.lines import GENESIS, parse_line

_LOCK_NAME = "lock"
_NAME = re.compile(r"trail-(\d{6})\.jsonl")
_LONGEST_LINE = 1 << 16  # bytes


@dataclass(frozen=True)
class Tail:
    """Where a trail ends.

    Parameters
    ----------
    number : int
        Of the last line, 0 in an empty trail.
    digest : str
        Of the last line.
    torn : int
        Bytes after it that are no whole line: what a power cut left of a write.
    """

    number: int = 0
    digest: str = GENESIS
    torn: int = 0


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep other processes from writing; commands write to the same trail while the server runs.

    A folder that is missing or read-only is not locked for reading: nobody writes there.
    """
    path = folder / _LOCK_NAME
    if shared and not (path.exists() and os.access(path, os.W_OK)):
        yield
        return
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def trail_files(folder: Path) -> list[tuple[int, Path]]:
    """Return a trail's files with their numbers, oldest first."""
    if not folder.is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def trail_file(folder: Path, number: int) -> Path:
    """Return the path of a trail's nth file."""
    return folder / f"trail-{number:06d}.jsonl"


def open_for_append(path: Path) -> BinaryIO:
    """Open a file for its owner only, to append and to read; make it where it is missing, on disk as well."""
    is_new = not path.exists()
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "ab+", buffering=0)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return stream


def read_tail(stream: BinaryIO) -> Tail | None:
    """Return where a file ends; None where its last whole line is none of ours."""
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        return Tail()
    stream.seek(max(0, size - 2 * _LONGEST_LINE))
    data = stream.read()
    whole, _, torn = data.rpartition(b"\n")
    if not whole:
        # The only line of the file, cut short; or one longer than any of ours.
        return Tail(torn=len(torn)) if size == len(data) else None
    fields = parse_line(whole.rpartition(b"\n")[2].decode("utf-8", "replace"))
    if fields is None:
        return None
    return Tail(fields["number"], fields["digest"], len(torn))
