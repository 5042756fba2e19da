"""Long work: begun by a request, looked at by others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from enum import Enum
from typing import Any, Literal

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.asking import LONGEST_NAME, LONGEST_TEXT
from edge_retrieve.edge_app.draining import Drain
from edge_retrieve.edge_app.jobs import Job, JobKind
from edge_retrieve.edge_app.jobs.work import back_up, ingest_path, ingest_upload, rebuild_store
from edge_retrieve.edge_app.shapes import JobList, JobProblemShape, JobShape
from edge_retrieve.runtime.errors import QueryError

_LONGEST_PATH = 4096  # characters
_LOOK_SECONDS = 0.1  # between looks at a job whose events are sent
_QUIET_SECONDS = 15.0  # after which a comment keeps proxies from closing the stream

router = APIRouter(tags=["jobs"])

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class JobRequest(BaseModel):
    """What to do, and with what."""

    model_config = ConfigDict(extra="forbid")

    # What else there is begins elsewhere: it needs more than a job's name.
    kind: Literal[JobKind.INGEST, JobKind.REBUILD, JobKind.BACKUP]
    upload: str | None = Field(default=None, strict=True, max_length=LONGEST_NAME)
    report: str = Field(default="", strict=True, max_length=LONGEST_TEXT)
    path: str | None = Field(default=None, strict=True, min_length=1, max_length=_LONGEST_PATH)
    name: str = Field(default="", strict=True, max_length=100)


@router.post("/api/jobs", status_code=202)
def begin(wanted: JobRequest, use: Use) -> JobShape:
    """Begin a job."""
    _check(wanted)
    if wanted.kind is JobKind.BACKUP:
        return job_shape(use.jobs.begin(wanted.kind, back_up(use.workspace, wanted.name, use.folders)))
    if wanted.kind is JobKind.REBUILD:
        return job_shape(use.jobs.begin(wanted.kind, rebuild_store(use.workspace)))
    if wanted.path is not None:
        return job_shape(use.jobs.begin(wanted.kind, ingest_path(use.workspace, wanted.path, use.folders)))
    work, discard = ingest_upload(use.workspace, use.uploads.get(str(wanted.upload)), wanted.report)
    return job_shape(use.jobs.begin(wanted.kind, work, discard=discard))


@router.get("/api/jobs")
def jobs(use: Use) -> JobList:
    """Return all jobs, newest first."""
    return JobList([job_shape(job) for job in use.jobs.all()])


@router.get("/api/jobs/{job}")
def job(job: str, use: Use) -> JobShape:
    """Return a job."""
    return job_shape(use.jobs.get(job))


@router.delete("/api/jobs/{job}")
def cancel(job: str, use: Use) -> JobShape:
    """Have a job end; one that has ended stays as it is."""
    return job_shape(use.jobs.cancel(job))


@router.get("/api/jobs/{job}/events", response_class=StreamingResponse, responses=_EVENTS)
async def events(job: str, request: Request, use: Use) -> StreamingResponse:
    """Return a job's progress as it comes: events `progress` with the job, and one `end`."""
    first = use.jobs.get(job)
    drain: Drain | None = getattr(request.app.state, "drain", None)

    async def stream() -> AsyncIterator[str]:
        last, quiet = None, 0.0
        now: Job = first
        while True:
            if now != last:
                last, quiet = now, 0.0
                yield _event("end" if now.state.ended else "progress", now)
            elif quiet >= _QUIET_SECONDS:
                quiet = 0.0
                yield ": waiting\n\n"
            if now.state.ended or (drain is not None and drain.begun):
                return
            await anyio.sleep(_LOOK_SECONDS)
            quiet += _LOOK_SECONDS
            now = use.jobs.get(job)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _check(wanted: JobRequest) -> None:
    """Raise `QueryError` where a job is given what it does not take, or lacks what it needs."""
    given = {name for name in ("upload", "report", "path", "name") if getattr(wanted, name)}
    taken = {
        JobKind.INGEST: {"upload", "report"} if wanted.path is None else {"path"},
        JobKind.REBUILD: set(),
        JobKind.BACKUP: {"name"},
    }[wanted.kind]
    if given - taken:
        raise QueryError(
            f"such a job takes no {', '.join(sorted(given - taken))}",
            where="request body",
            remedy="Leave it out",
        )
    if wanted.kind is JobKind.INGEST and not given & {"upload", "path"}:
        raise QueryError("there is nothing to ingest", where="upload, path", remedy="Give one of them")


def _event(name: str, job: Job) -> str:
    return f"event: {name}\ndata: {json.dumps(asdict(job), default=_plain)}\n\n"


def _plain(value: object) -> object:
    assert isinstance(value, Enum)
    return value.value


def job_shape(job: Job) -> JobShape:
    """Return a job as the interface tells of it."""
    held = asdict(job)
    problem = None if job.problem is None else JobProblemShape(**held["problem"])
    return JobShape(**{**held, "kind": job.kind.value, "state": job.state.value, "problem": problem})
