"""What one check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.errors import EdgeRetrieveError


class State(str, Enum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """What one check found.

    Parameters
    ----------
    name : str
        A word for what was looked at, such as ``disk``.
    state : State
    what : str
        What was found, without a final full stop.
    remedy : str
        What to do about it; empty where there is nothing to do.
    details : tuple of str
        What else was found, a sentence each.
    """

    name: str
    state: State
    what: str
    remedy: str = ""
    details: tuple[str, ...] = ()


def ok(name: str, what: str, details: Iterable[str] = ()) -> Check:
    """Return a check that found all well."""
    return Check(name, State.OK, what, details=tuple(details))


def warning(name: str, what: str, remedy: str, details: Iterable[str] = ()) -> Check:
    """Return a check that found something to look after soon."""
    return Check(name, State.WARNING, what, remedy, tuple(details))


def failed(name: str, what: str, remedy: str, details: Iterable[str] = ()) -> Check:
    """Return a check that found something that does not work."""
    return Check(name, State.FAILED, what, remedy, tuple(details))


def failed_by(name: str, error: EdgeRetrieveError) -> Check:
    """Return a failed check from the error that it met."""
    return failed(name, f"{error.where}: {error.what}" if error.where else error.what, error.remedy)


def sizes(count: float) -> str:
    """Return a number of bytes for a reader, such as ``3.2 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit in ("bytes", "KiB") else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
