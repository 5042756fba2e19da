"""Runs jobs: those that change or copy the archive one after another, those that send beside them."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from edge_retrieve.edge_app.jobs.job import Job, JobKind, JobProblem, JobState
from edge_retrieve.edge_app.refusals import ConflictError, NotFoundError
from edge_retrieve.runtime.errors import EdgeRetrieveError

_LOG = logging.getLogger("edge_retrieve.edge_app")

Progress = Callable[[int, int, str], None]
Result = dict[str, int | str]
Work = Callable[[Progress], Result]

_KEPT = 200  # jobs that have ended
_MOST_QUEUED = 100


class Cancelled(Exception):  # noqa: N818 - an order, not an error
    """Raised in a job's work, from its progress, once it is cancelled."""


@dataclass
class _Entry:
    """A job, its work, and whether it is to end."""

    job: Job
    work: Work
    discard: Callable[[], None]
    end: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The jobs of one server; those that have ended are forgotten at length, the oldest first.

    Jobs take turns in two queues, each with a thread: a PACS that is slow holds up no ingest, and an ingest
    of hours no result that is to be sent.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._closing = False
        self._threads: dict[bool, threading.Thread] = {}  # by whether they send

    def begin(self, kind: JobKind, work: Work, *, discard: Callable[[], None] = lambda: None) -> Job:
        """Queue a job.

        Parameters
        ----------
        kind : JobKind
        work : callable
            Called with a function to tell progress to (done, total, step), which ends the work where the job
            is cancelled; returns what the job's `result` is to be.
        discard : callable
            Called in place of `work` where the job is cancelled before its turn.

        Raises
        ------
        ConflictError
            Where too many wait already.
        """
        with self._changed:
            waiting = sum(not entry.job.state.ended for entry in self._entries.values())
            if self._closing or waiting >= _MOST_QUEUED:
                raise ConflictError(
                    f"{waiting} jobs wait already", where="jobs", remedy="Wait until some of them have ended"
                )
            job = Job(secrets.token_hex(6), kind, JobState.QUEUED, _now())
            self._entries[job.job] = _Entry(job, work, discard)
            self._forget()
            sends = _sends(kind)
            if sends not in self._threads:
                name = "jobs that send" if sends else "jobs"
                self._threads[sends] = threading.Thread(
                    target=self._run, args=(sends,), name=name, daemon=True
                )
                self._threads[sends].start()
            self._changed.notify_all()
        return job

    def get(self, job: str) -> Job:
        """Return a job as it is now.

        Raises
        ------
        NotFoundError
            Where there is none of that name.
        """
        with self._changed:
            return self._entry(job).job

    def all(self) -> list[Job]:
        """Return every job, newest first."""
        with self._changed:
            return [entry.job for entry in reversed(self._entries.values())]

    def cancel(self, job: str) -> Job:
        """Have a job end; one that has ended stays as it is.

        Raises
        ------
        NotFoundError
            Where there is none of that name.
        """
        with self._changed:
            entry = self._entry(job)
            entry.end.set()
            if entry.job.state is JobState.QUEUED:
                self._change(entry, state=JobState.CANCELLED, ended=_now())
                entry.discard()
            return entry.job

    def counts(self) -> Mapping[str, int]:
        """Return how many jobs are in each state."""
        with self._changed:
            found = Counter(entry.job.state for entry in self._entries.values())
        return {state.value: found[state] for state in JobState}

    def close(self) -> None:
        """Cancel all jobs and wait for those that run."""
        with self._changed:
            self._closing = True
            for name in list(self._entries):
                self.cancel(name)
            self._changed.notify_all()
        for thread in self._threads.values():
            thread.join()

    def _entry(self, job: str) -> _Entry:
        if job not in self._entries:
            raise NotFoundError(
                "there is no such job", where=f"job {job}", remedy="Take one from GET /api/jobs"
            )
        return self._entries[job]

    def _change(self, entry: _Entry, **values: Any) -> None:
        with self._changed:
            entry.job = replace(entry.job, **values)
            if entry.job.state.ended:
                entry.work = _spent  # what it worked on may be large, and the job is remembered for long
            self._changed.notify_all()

    def _forget(self) -> None:
        ended = [name for name, entry in self._entries.items() if entry.job.state.ended]
        for name in ended[: max(0, len(ended) - _KEPT)]:
            del self._entries[name]

    def _run(self, sends: bool) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._next(sends) is not None)
                entry = self._next(sends)
                if entry is None:
                    return
                self._change(entry, state=JobState.RUNNING, started=_now())
            self._work(entry)

    def _next(self, sends: bool) -> _Entry | None:
        waiting = (entry for entry in self._entries.values() if entry.job.state is JobState.QUEUED)
        return next((entry for entry in waiting if _sends(entry.job.kind) is sends), None)

    def _work(self, entry: _Entry) -> None:
        def progress(done: int, total: int, step: str) -> None:
            if entry.end.is_set():
                raise Cancelled
            self._change(entry, done=done, total=total, step=step)

        try:
            result = entry.work(progress)
            self._change(entry, state=JobState.DONE, ended=_now(), result=result)
        except Cancelled:
            self._change(entry, state=JobState.CANCELLED, ended=_now())
        except EdgeRetrieveError as error:
            problem = JobProblem(error.what, error.where, error.remedy)
            self._change(entry, state=JobState.FAILED, ended=_now(), problem=problem)
        except Exception as error:  # a job may fail in any way, and the next one runs all the same
            _LOG.error("a job failed: %s", type(error).__name__, exc_info=error)
            problem = JobProblem("the job failed", "", "Look at the server's terminal for the reason")
            self._change(entry, state=JobState.FAILED, ended=_now(), problem=problem)


def _sends(kind: JobKind) -> bool:
    return kind is JobKind.SEND


def _spent(_: Progress) -> Result:
    return {}


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
