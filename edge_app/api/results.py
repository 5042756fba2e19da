"""What a query found, as DICOM and FHIR objects to be taken away."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_retrieve.edge_app.access.current import LOCAL, current_user, note_shown
from edge_retrieve.edge_app.access.errors import ForbiddenError
from edge_retrieve.edge_app.answering import search
from edge_retrieve.edge_app.api.bodies import json_body
from edge_retrieve.edge_app.api.query import Ready, make_ready
from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.asking import LONGEST_NAME, Question
from edge_retrieve.edge_app.feedback import Accepted
from edge_retrieve.edge_app.feedback.database import local_time
from edge_retrieve.edge_app.fields import check_names, text
from edge_retrieve.edge_app.outputs.asked import source_of_study, source_of_upload
from edge_retrieve.edge_app.outputs.cases import case_names
from edge_retrieve.edge_app.outputs.content import (
    LONGEST_REPORT,
    Acceptance,
    acceptance_by,
    content_of,
)
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.origin import origin_of
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.edge_app.refusals import ConflictError
from edge_retrieve.runtime.errors import MissingExtraError, QueryError

_LONGEST_NAME = 64
_NAME = {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}
RESULT_PROPERTIES: dict[str, Any] = {
    "query": QUERY_SCHEMA,
    "acceptance": {"anyOf": [{"type": "string", "maxLength": LONGEST_NAME}, {"type": "null"}]},
    "accepted_by": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "name": _NAME,
                    "organization": _NAME,
                    "report": {"anyOf": [{"type": "string", "maxLength": LONGEST_REPORT}, {"type": "null"}]},
                },
                "required": ["name", "organization"],
                "additionalProperties": False,
            },
            {"type": "null"},
        ]
    },
}
"""What a result is made of, as OpenAPI describes it; `read_wanted` reads it."""

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": RESULT_PROPERTIES,
    "required": ["query"],
    "additionalProperties": False,
}
_BODY = {"requestBody": {"content": {"application/json": {"schema": _SCHEMA}}, "required": True}}
_BYTES = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_ONE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/dicom": _BYTES, "application/fhir+json": {"schema": {"type": "object"}}}}
}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": _BYTES}}}
# It names a patient: nothing on the way may keep it.
_HEADERS = {"cache-control": "no-store"}

router = APIRouter(tags=["results"])


@router.post("/api/results.zip", openapi_extra=_BODY, response_class=Response, responses=_ZIP)
async def all_results(request: Request, use: Use) -> Response:
    """Return what a query found as all kinds of objects, in one archive."""
    document = await json_body(request)
    wanted = _read(request, use, document)
    outputs = await use.turns.run(lambda: make_results(use, wanted, ()))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for output in outputs:
            archive.writestr(output.file_name, output.data)
    return _attachment(stream.getvalue(), "application/zip", "results.zip")


@router.post("/api/results/{kind}", openapi_extra=_BODY, response_class=Response, responses=_ONE)
async def result(kind: OutputKind, request: Request, use: Use) -> Response:
    """Return what a query found as one object; preliminary and unverified unless a person accepts it."""
    document = await json_body(request)
    wanted = _read(request, use, document)
    (output,) = await use.turns.run(lambda: make_results(use, wanted, (kind,)))
    return _attachment(output.data, output.media_type, output.file_name)


@dataclass(frozen=True)
class Wanted:
    """A checked request for results.

    Parameters
    ----------
    ready : Ready
    made : datetime
    acceptance : Acceptance or None
    """

    ready: Ready
    made: datetime
    acceptance: Acceptance | None


def _read(request: Request, use: Services, document: object) -> Wanted:
    return read_wanted(request, use, check_names(document, set(RESULT_PROPERTIES), "request body"))


def read_wanted(request: Request, use: Services, asked: Mapping[str, object]) -> Wanted:
    """Check what a request wants made, its query and who accepts it.

    Raises
    ------
    QueryError
        Where it cannot be made.
    ForbiddenError
        Where a program would accept it.
    NotFoundError
        Where the accepted draft or the upload is not there.
    ConflictError
        Where the accepted draft belongs to another query.
    """
    now = datetime.now()
    acceptance = _acceptance(asked.get("accepted_by"), now)
    if acceptance is not None and request.headers.get("authorization"):
        raise ForbiddenError(
            "a program's token cannot accept a result",
            where="accepted_by",
            remedy="Leave it out, or log in: a person answers for a result",
        )
    ready = make_ready(use, asked.get("query"))
    kept = text(asked, "acceptance", LONGEST_NAME)
    if kept:
        if acceptance is not None:
            raise QueryError(
                "a result is accepted once", where="acceptance, accepted_by", remedy="Leave one of them out"
            )
        acceptance = _kept_acceptance(use.acceptances.get(kept), ready)
    return Wanted(ready, now, acceptance)


def _kept_acceptance(kept: Accepted, ready: Ready) -> Acceptance:
    """Return the acceptance of a draft, which belongs to its query alone."""
    if kept.asked.query_id != ready.asked.query_id:
        raise ConflictError(
            "the draft was accepted for another query",
            where=f"acceptance {kept.acceptance}",
            remedy="Ask the query that it was drafted for, or accept a draft of this one",
        )
    return Acceptance(kept.observer, kept.organization, local_time(kept.at), kept.words.report, kept.login)


def _acceptance(document: object, now: datetime) -> Acceptance | None:
    if document is None:
        return None
    given = check_names(document, {"name", "organization", "report"}, "accepted_by")
    observer, organization = (text(given, name, _LONGEST_NAME) for name in ("name", "organization"))
    report = text(given, "report", LONGEST_REPORT) or ""
    login = "" if current_user() == LOCAL else current_user()
    return acceptance_by(observer or "", organization or "", now, report, login)


def make_results(use: Services, wanted: Wanted, kinds: Sequence[OutputKind]) -> tuple[Output, ...]:
    """Search, and return what was found as objects of the kinds wanted; of all kinds where none is named.

    Raises
    ------
    OutputError
        Where one cannot be made of the query's image.
    MissingExtraError
        Where the extra that makes them is not installed.
    """
    try:
        from edge_retrieve.edge_app.outputs.making import make_outputs
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "this server makes no DICOM objects: the package 'highdicom' is not installed",
            remedy='Run: pip install "edge-retrieve[dicom]", and start it again',
        ) from error
    question = wanted.ready.question
    source = _source(use, question)
    found = search(use.workspace, question, wanted.ready.image)
    content = content_of(
        found,
        origin_of(use.workspace),
        names=case_names(use.workspace.site.key, make=use.workspace.site.may_make_key()),
        drawn=question.query.boxes,
        made=wanted.made,
        acceptance=wanted.acceptance,
    )
    note_shown([hit.study for hit in found.hits])
    return make_outputs(source, content, kinds)


def _source(use: Services, question: Question) -> SourceImage:
    if question.upload:
        return source_of_upload(use.uploads.get(question.upload))
    if question.study is not None:
        note_shown([question.study])
        return source_of_study(use.workspace.store.study(question.study))
    raise QueryError(
        "the query has no image that a result could be filed with",
        where="query",
        remedy="Name a study or an upload",
    )


def _attachment(data: bytes, media_type: str, name: str) -> Response:
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=media_type, headers=_HEADERS | disposition)
