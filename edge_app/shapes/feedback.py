"""What readers thought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class VerdictShape:
    """What a reader thinks of a hit, and what had been asked."""

    query_id: str
    study: str
    verdict: str
    note: str
    at: str
    query: dict[str, Any]


@dataclass(frozen=True)
class VerdictList:
    """Some of the verdicts, newest first."""

    total: int
    feedback: list[VerdictShape]


@dataclass(frozen=True)
class RevealedShape:
    """When the hits of a read were first shown, and which."""

    at: str
    studies: list[str]
    abstained: bool


@dataclass(frozen=True)
class FinalShape:
    """What a reader thinks after the hits."""

    impression: str
    findings: list[str]
    sure: float | None
    at: str


@dataclass(frozen=True)
class ReadShape:
    """A read: the impression before the hits, their reveal, and the impression after."""

    read: str
    query_id: str
    query: dict[str, Any]
    asked_before: bool
    impression: str
    findings: list[str]
    sure: float | None
    at: str
    revealed: RevealedShape | None
    final: FinalShape | None


@dataclass(frozen=True)
class ReadList:
    """Some of the reads, newest first."""

    total: int
    reads: list[ReadShape]
