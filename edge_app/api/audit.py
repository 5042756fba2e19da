"""The audit trail, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from edge_retrieve.edge_app.access.middleware import passage_of

_MOST = 1000

router = APIRouter(tags=["access"])


@router.get("/api/audit")
def latest(request: Request, last: Annotated[int, Query(ge=1, le=_MOST)] = 100) -> dict[str, Any]:
    """Return the latest lines of the audit trail, newest first; who asks for them is the next one."""
    return {"entries": [entry.fields() for entry in passage_of(request.scope).guard.latest(last)]}
