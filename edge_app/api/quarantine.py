"""Received objects that could not be stored: listed, tried again, deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from starlette.responses import Response

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.access.middleware import passage_of
from edge_retrieve.edge_app.api.pages import Limit, Offset
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.audit.references import as_archived
from edge_retrieve.edge_app.dicom_node.keeping import named_study
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.quarantine import (
    Fault,
    QuarantineEntry,
    discard,
    file_of,
    quarantined,
    quarantined_shape,
    release,
)
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.refusals import ConflictError, NotFoundError
from edge_retrieve.edge_app.shapes.quarantine import QuarantinedShape, QuarantinePage, ReleasedShape
from edge_retrieve.runtime.errors import UnknownStudyError

ObjectName = Annotated[str, InPath(max_length=100)]

router = APIRouter(tags=["received objects"])


@router.get("/api/quarantine")
def quarantine(request: Request, use: Use, limit: Limit = 50, offset: Offset = 0) -> QuarantinePage:
    """Return the received objects that could not be stored, the oldest first; not whose they are."""
    spool = _spool(request, use)
    held = quarantined(spool) if spool is not None else ()
    return QuarantinePage(
        len(held), offset, [quarantined_shape(each) for each in held[offset : offset + limit]]
    )


@router.post("/api/quarantine/retry")
def retry_all(request: Request, use: Use) -> ReleasedShape:
    """Have all of them tried again."""
    spool = _working_spool(request, use)
    released = 0
    for each in quarantined(spool):
        with suppress(UnknownStudyError):  # somebody else was faster
            release(spool, each.id)
            released += 1
    passage_of(request.scope).about = f"{released} objects"
    return ReleasedShape(released)


@router.post("/api/quarantine/{object}/retry")
def retry(object: ObjectName, request: Request, use: Use) -> QuarantinedShape:
    """Have one tried again; the answer says what it was."""
    spool = _working_spool(request, use)
    entry = _entry(spool, object)
    _note(request, use, spool, entry)
    release(spool, entry.id)
    return quarantined_shape(entry)


@router.delete("/api/quarantine/{object}", status_code=204)
def delete(object: ObjectName, request: Request, use: Use) -> Response:
    """Delete one for good."""
    spool = _spool(request, use)
    if spool is None:
        raise _unknown(object)
    entry = _entry(spool, object)
    _note(request, use, spool, entry)
    discard(spool, entry.id)
    return Response(status_code=204)


def _node(request: Request) -> DicomNode | None:
    return getattr(request.app.state, "dicom_node", None)


def _spool(request: Request, use: Services) -> Spool | None:
    """Return the folders of received objects; None where nothing was ever received."""
    node = _node(request)
    if node is not None:
        return node.spool
    folder: Path = use.settings.spool_folder(use.workspace.store.path)
    return Spool(folder) if folder.is_dir() else None


def _working_spool(request: Request, use: Services) -> Spool:
    node = _node(request)
    if node is None:
        raise ConflictError(
            "nothing would try it again: this server takes in no objects",
            where="quarantine",
            remedy="Start it with --dicom-port, --dicom-web or --drop-folder",
        )
    return node.spool


def _entry(spool: Spool, name: str) -> QuarantineEntry:
    found = next((each for each in quarantined(spool) if each.id == name), None)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        "no such object is in quarantine", where=f"object {name}", remedy="Take one from GET /api/quarantine"
    )


def _note(request: Request, use: Services, spool: Spool, entry: QuarantineEntry) -> None:
    """Have the audit trail tell which object it was, and of which study where that may be looked at."""
    passage_of(request.scope).about = f"object {entry.id}"
    if entry.fault is not Fault.FAILED:
        study = named_study(file_of(spool, entry.id))
        note_shown([as_archived(use.workspace.site, study)] if study else [])
