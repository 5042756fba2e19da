"""Drafts that a person accepts: only then do their words leave, and what was changed is kept."""

from __future__ import annotations

import json
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.access.errors import ForbiddenError
from edge_retrieve.edge_app.api.pages import Limit, Offset
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.asking import LONGEST_NAME
from edge_retrieve.edge_app.feedback import Accepted, Words
from edge_retrieve.edge_app.outputs.content import LONGEST_REPORT, acceptance_by
from edge_retrieve.edge_app.shapes import AcceptedList, AcceptedShape
from edge_retrieve.runtime.errors import QueryError

_LONGEST_PERSON = 64  # characters

router = APIRouter(tags=["explanation"])


class AcceptRequest(BaseModel):
    """A draft as a person makes it his own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    draft: str = Field(min_length=1, max_length=LONGEST_NAME)
    report: str = Field(min_length=1, max_length=LONGEST_REPORT)
    name: str = Field(min_length=1, max_length=_LONGEST_PERSON)
    organization: str = Field(min_length=1, max_length=_LONGEST_PERSON)


@router.post("/api/drafts/accept", status_code=201)
def accept(given: AcceptRequest, request: Request, use: Use) -> AcceptedShape:
    """Keep a draft's words as a person accepts them, beside those drafted; on disk when this is answered."""
    if request.headers.get("authorization"):
        raise ForbiddenError(
            "a program's token cannot accept a draft",
            where="draft",
            remedy="Log in: a person answers for a report",
        )
    drafted = use.drafts.get(given.draft)
    if not given.report.strip():
        raise QueryError("the report is blank", where="report", remedy="Write what you answer for")
    # As strict as the objects that it will stand in.
    person = acceptance_by(given.name, given.organization, datetime.now(), given.report)
    if person is None:
        raise QueryError("nobody is named who accepts", where="name", remedy="Give your name")
    note_shown([drafted.study] if drafted.study else [])
    note_shown(drafted.draft.cases())
    words = Words(drafted.draft.writer, drafted.draft.prompt, drafted.draft.report().strip(), person.report)
    kept = use.acceptances.put(
        drafted.asked, words, observer=person.observer, organization=person.organization
    )
    return _shape(kept)


@router.get("/api/drafts/accepted")
def accepted(use: Use, limit: Limit = 50, offset: Offset = 0) -> AcceptedList:
    """Return the accepted drafts, newest first."""
    page = use.acceptances.page(limit=limit, offset=offset)
    return AcceptedList(page.total, [_shape(each) for each in page.accepted])


def _shape(kept: Accepted) -> AcceptedShape:
    return AcceptedShape(
        acceptance=kept.acceptance,
        query_id=kept.asked.query_id,
        query=json.loads(kept.asked.described),
        writer=kept.words.writer,
        prompt=kept.words.prompt or None,
        drafted=kept.words.drafted,
        report=kept.words.report,
        edited=kept.words.edited,
        name=kept.observer,
        organization=kept.organization,
        login=kept.login or None,
        at=kept.at,
    )
