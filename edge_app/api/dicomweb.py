"""STOW-RS: X-rays sent over HTTP, as the DICOM standard has it (PS3.18, 10.5).

Not in the interface's description: the standard is its description, and its bodies are none that OpenAPI has
words for.
"""

from __future__ import annotations

import re

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_retrieve.edge_app.access.middleware import passage_of
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.dicom_node import stow
from edge_retrieve.edge_app.problems import NotFoundError
from edge_retrieve.runtime.errors import QueryError

router = APIRouter(include_in_schema=False)

_UID = re.compile(r"[0-9.]{1,64}")  # PS3.5, 9.1


@router.post("/dicom-web/studies")
async def store(request: Request, use: Use) -> Response:
    """Receive objects of any study."""
    return await _store(request, use, "")


@router.post("/dicom-web/studies/{study}")
async def store_in_study(study: str, request: Request, use: Use) -> Response:
    """Receive objects of one study; those of another are refused."""
    if not _UID.fullmatch(study):
        raise QueryError("this is no Study Instance UID", where="study", remedy="Digits and dots alone")
    return await _store(request, use, study)


async def _store(request: Request, use: Use, study: str) -> Response:
    node = getattr(request.app.state, "dicom_node", None)
    if node is None or not use.settings.dicom_web:
        raise NotFoundError("this server takes no objects", remedy="Start it with --dicom-web")
    boundary = stow.boundary_of(request.headers.get("content-type", ""))
    body = await request.body()
    passage = passage_of(request.scope)
    user = passage.principal.audited_as if passage.principal is not None else ""

    def work() -> Response:
        outcomes = stow.store_parts(
            node.spool,
            stow.split_parts(body, boundary),
            study=study,
            keep_free_mib=use.settings.dicom_keep_free_mib,
            user=user,
            address=passage.address,
        )
        status, document = stow.answer(outcomes)
        return Response(document, status, media_type=stow.MEDIA_TYPE)

    return await to_thread.run_sync(work)
