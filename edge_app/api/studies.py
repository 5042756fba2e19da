"""The stored studies: the list, and each with its report."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.wire import Json, study_json, summary_json

_PAGE = 50  # studies
_LARGEST_PAGE = 500  # studies

router = APIRouter(tags=["studies"])


@router.get("/api/studies")
def studies(
    use: Use,
    search: Annotated[str, Query(max_length=1000)] = "",
    limit: Annotated[int, Query(ge=1, le=_LARGEST_PAGE)] = _PAGE,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Json:
    """Return a page of the studies."""
    store = use.workspace.store
    found = store.studies(limit=limit, offset=offset, search=search)
    return {
        "total": store.count(search),
        "offset": offset,
        "studies": [summary_json(summary) for summary in found],
    }


@router.get("/api/studies/{study:path}")
def study(study: str, use: Use) -> Json:
    """Return a study with its report, what its sentences state, and the boxes of its regions."""
    return study_json(use.workspace.store.study(study))
