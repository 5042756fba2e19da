"""Long work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobProblemShape:
    """Why a job failed."""

    what: str
    where: str
    remedy: str


@dataclass(frozen=True)
class JobShape:
    """A job at one moment."""

    job: str
    kind: str
    state: str
    created: str
    done: int
    total: int
    step: str
    started: str | None
    ended: str | None
    result: dict[str, int | str] | None
    problem: JobProblemShape | None


@dataclass(frozen=True)
class JobList:
    """All jobs of this run of the server, newest first."""

    jobs: list[JobShape]
