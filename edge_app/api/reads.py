"""Commit before reveal: impressions noted before the hits are shown, and after."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from edge_retrieve.edge_app.api.pages import Limit, Offset
from edge_retrieve.edge_app.api.query import answered, make_ready
from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.feedback import Final, Impression, Read, Revealed
from edge_retrieve.edge_app.shapes import Answer, FinalShape, ReadList, ReadShape, RevealedShape
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.findings.names import finding_named

_LONGEST = 20_000  # characters

router = APIRouter(tags=["reads"])


class ImpressionRequest(BaseModel):
    """What a reader thinks of an image."""

    model_config = ConfigDict(extra="forbid")

    impression: str = Field(strict=True, min_length=1, max_length=_LONGEST)
    findings: list[str] = Field(default=[], max_length=len(Finding))
    sure: float | None = Field(default=None, strict=True, ge=0, le=1, allow_inf_nan=False)

    def checked(self) -> Impression:
        """Return it with its findings' proper names, or raise `QueryError`."""
        names = tuple(dict.fromkeys(finding_named(name).value for name in self.findings))
        return Impression(self.impression, names, self.sure)


class ReadRequest(ImpressionRequest):
    """An impression and the query whose hits are to be shown after it."""

    query: Annotated[dict[str, Any], WithJsonSchema(QUERY_SCHEMA)]


@router.post("/api/reads", status_code=201)
async def begin(given: ReadRequest, use: Use) -> ReadShape:
    """Keep an impression; it is on disk when this is answered."""
    ready = make_ready(use, given.query)
    before = use.questions.get(ready.asked.query_id) is not None
    read = await use.turns.run(
        lambda: use.reads.begin(ready.asked, given.query, given.checked(), asked_before=before)
    )
    return _shape(read)


@router.get("/api/reads")
def reads(use: Use, limit: Limit = 50, offset: Offset = 0) -> ReadList:
    """Return the reads, newest first."""
    page = use.reads.page(limit=limit, offset=offset)
    return ReadList(page.total, [_shape(read) for read in page.reads])


@router.get("/api/reads/{read}")
def read(read: str, use: Use) -> ReadShape:
    """Return a read."""
    return _shape(use.reads.get(read))


@router.post("/api/reads/{read}/reveal")
async def reveal(read: str, use: Use) -> Answer:
    """Ask the read's query and answer as `/api/query` does; which hits were first shown is kept."""

    def work() -> Answer:
        ready = make_ready(use, use.reads.get(read).document)
        answer = answered(use, ready)
        use.reads.reveal(read, [hit.study for hit in answer.hits], abstained=answer.abstained)
        use.questions.note(ready.asked)
        return answer

    return await use.turns.run(work)


@router.post("/api/reads/{read}/final", status_code=201)
def end(read: str, given: ImpressionRequest, use: Use) -> ReadShape:
    """Keep the impression after the hits."""
    return _shape(use.reads.end(read, given.checked()))


def _shape(read: Read) -> ReadShape:
    return ReadShape(
        read=read.read,
        query_id=read.asked.query_id,
        query=json.loads(read.asked.described),
        asked_before=read.asked_before,
        impression=read.impression.impression,
        findings=list(read.impression.findings),
        sure=read.impression.sure,
        at=read.at,
        revealed=None if read.revealed is None else _revealed(read.revealed),
        final=None if read.final is None else _final(read.final),
    )


def _revealed(revealed: Revealed) -> RevealedShape:
    return RevealedShape(revealed.at, list(revealed.studies), revealed.abstained)


def _final(final: Final) -> FinalShape:
    return FinalShape(final.impression, list(final.findings), final.sure, final.at)
