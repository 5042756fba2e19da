"""The stored studies: the worklist, and each with its report."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from edge_retrieve.edge_app.api.pages import Limit, Offset
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.shapes import StudyPage, StudyShape
from edge_retrieve.edge_app.wire import study_line, study_shape
from edge_retrieve.runtime.filters import date_named
from edge_retrieve.runtime.store import Order, Worklist

_PAGE = 50  # studies
_LONGEST = 200  # characters of what is searched for
_DATE = r"^\d{4}-\d{2}-\d{2}$"

Part = Annotated[str, Query(max_length=_LONGEST)]
Day = Annotated[str | None, Query(pattern=_DATE, json_schema_extra={"format": "date"})]

router = APIRouter(tags=["studies"])


@router.get("/api/studies")
def studies(
    use: Use,
    search: Part = "",
    patient: Part = "",
    accession: Part = "",
    date_from: Day = None,
    date_to: Day = None,
    order: Order = Order.NEWEST,
    limit: Limit = _PAGE,
    offset: Offset = 0,
) -> StudyPage:
    """Return a page of the worklist, newest first."""
    store = use.workspace.store
    wanted = Worklist(
        search=search,
        patient=patient,
        accession=accession,
        date_from=date_named(date_from) if date_from else "",
        date_to=date_named(date_to) if date_to else "",
        order=order,
    )
    found = store.studies(limit=limit, offset=offset, wanted=wanted)
    return StudyPage(store.count(wanted=wanted), offset, [study_line(summary) for summary in found])


@router.get("/api/studies/{study:path}")
def study(study: str, use: Use) -> StudyShape:
    """Return a study with its report, what its sentences state, and the boxes of its regions."""
    return study_shape(use.workspace.store.study(study))
