"""The JSON forms of drafts that a person accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AcceptedShape:
    """A draft that a person accepted; `acceptance` is what results name it by."""

    acceptance: str
    query_id: str
    query: dict[str, Any]
    writer: str
    prompt: str | None
    drafted: str
    report: str
    edited: bool
    name: str
    organization: str
    login: str | None
    at: str


@dataclass(frozen=True)
class AcceptedList:
    """Some of the accepted drafts, newest first."""

    total: int
    accepted: list[AcceptedShape]
