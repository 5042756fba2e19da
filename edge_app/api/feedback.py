"""What readers think of hits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from edge_retrieve.edge_app.api.pages import Limit, Offset
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.asking import LONGEST_NAME
from edge_retrieve.edge_app.feedback import NewVerdict, Verdict, VerdictKind
from edge_retrieve.edge_app.problems import NotFoundError
from edge_retrieve.edge_app.shapes import VerdictList, VerdictShape

_LONGEST_NOTE = 2000  # characters

Name = Annotated[str, Query(max_length=LONGEST_NAME)]

router = APIRouter(tags=["feedback"])


class FeedbackRequest(BaseModel):
    """A verdict on a hit of a query."""

    model_config = ConfigDict(extra="forbid")

    query_id: str = Field(strict=True, max_length=LONGEST_NAME)
    study: str = Field(strict=True, max_length=LONGEST_NAME)
    verdict: VerdictKind
    note: str = Field(default="", strict=True, max_length=_LONGEST_NOTE)


@router.post("/api/feedback")
def give(given: FeedbackRequest, use: Use) -> VerdictShape:
    """Keep a verdict on a hit in place of an earlier one."""
    asked = use.questions.get(given.query_id) or use.verdicts.asked(given.query_id)
    if asked is None:
        raise NotFoundError(
            "no such query was asked lately",
            where="query_id",
            remedy="Ask the query again, then give feedback",
        )
    use.workspace.store.study_number(given.study)  # a study that is not there can be no hit
    return _shape(use.verdicts.put(asked, NewVerdict(given.study, given.verdict, given.note)))


@router.get("/api/feedback")
def kept(
    use: Use, query_id: Name = "", study: Name = "", limit: Limit = 50, offset: Offset = 0
) -> VerdictList:
    """Return verdicts, newest first; of one query or one hit where these are given."""
    page = use.verdicts.page(query_id=query_id, study=study, limit=limit, offset=offset)
    return VerdictList(page.total, [_shape(verdict) for verdict in page.verdicts])


def _shape(verdict: Verdict) -> VerdictShape:
    return VerdictShape(**{**vars(verdict), "verdict": verdict.verdict.value})
