"""What is known of a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class JobKind(str, Enum):
    """What a job does."""

    INGEST = "ingest"
    REBUILD = "rebuild"
    BACKUP = "backup"
    SEND = "send"


class JobState(str, Enum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobProblem:
    """Why a job failed; as in `EdgeRetrieveError`."""

    what: str
    where: str
    remedy: str


@dataclass(frozen=True)
class Job:
    """A job at one moment.

    Parameters
    ----------
    job : str
        Its name.
    kind : JobKind
    state : JobState
    created : str
        Times are UTC, as ``2026-01-31T08:30:00Z``.
    done, total : int
        Steps; `total` is 0 while unknown.
    step : str
        What it is at.
    started, ended : str or None
    result : dict of str to int or str, or None
        Once it is done.
    problem : JobProblem or None
    """

    job: str
    kind: JobKind
    state: JobState
    created: str
    done: int = 0
    total: int = 0
    step: str = ""
    started: str | None = None
    ended: str | None = None
    result: dict[str, int | str] | None = None
    problem: JobProblem | None = None
