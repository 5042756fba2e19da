"""Which cases change when a region is blanked, or the image mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.api.bodies import json_body
from edge_retrieve.edge_app.api.explain import gathered
from edge_retrieve.edge_app.api.query import Ready, make_ready
from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.explaining import change_shape
from edge_retrieve.edge_app.fields import check_names, choice, texts
from edge_retrieve.edge_app.metrics import Stage
from edge_retrieve.edge_app.reading import radiograph_of
from edge_retrieve.edge_app.shapes import ChangeList
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.explain.counterfactual import (
    Alteration,
    Change,
    StoredPicture,
    Subject,
    each_change,
)
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.stored_picture import displayed

router = APIRouter(tags=["explanation"])

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": QUERY_SCHEMA,
        "regions": {"type": "array", "items": {"type": "string"}},
        "alterations": {
            "type": "array",
            "items": {"enum": [each.value for each in Alteration]},
            "default": [each.value for each in Alteration],
        },
    },
    "required": ["query"],
    "additionalProperties": False,
}
_BODY = {"content": {"application/json": {"schema": _SCHEMA}}, "required": True}


@router.post("/api/alterations", openapi_extra={"requestBody": _BODY})
async def alterations(request: Request, use: Use) -> ChangeList:
    """Return what changes in each place of a query when it is blanked, or the image mirrored.

    Each costs an encoding of the image, which gives way to queries. Whoever closes the connection ends it.
    """
    asked = check_names(await json_body(request), {"query", "regions", "alterations"}, "request body")
    if "query" not in asked:
        raise QueryError("nothing is asked about", where="query", remedy="Give a query, as for /api/query")
    only = tuple(region_named(name) for name in texts(asked, "regions"))
    named = texts(asked, "alterations") or [each.value for each in Alteration]
    kinds = tuple(choice(Alteration, name, "alterations") for name in dict.fromkeys(named))
    ready = make_ready(use, asked.get("query"))
    if ready.question.study is None and ready.image is None:
        raise QueryError("only an image can be altered", where="query", remedy="Name a study or an upload")
    subject = await use.turns.give_way(partial(_subject, use, ready))
    evidence = await use.turns.give_way(partial(_control, use, ready, subject))
    explainer, encoder = use.workspace.explainer, use.workspace.encoder
    remaining = each_change(explainer, encoder, ready.question.query, subject, evidence, kinds, only)
    changes: list[Change] = []
    while (change := await use.turns.give_way(partial(_next, remaining))) is not None:
        changes.append(change)
        if await request.is_disconnected():
            break
    note_shown(study for change in changes for study in (*change.lost, *_cases(change)))
    return ChangeList([change_shape(change) for change in changes])


def _subject(use: Services, ready: Ready) -> Subject:
    """Return the query's image with its pixels, which are kept nowhere."""
    question = ready.question
    with use.metrics.stage(Stage.DECODE):
        if question.upload is not None:
            return radiograph_of(use.uploads.get(question.upload))
    held = use.pictures.of_study(str(question.study))
    return StoredPicture(str(question.study), displayed(held.grey), held.width, held.height)


def _control(use: Services, ready: Ready, subject: Subject) -> Evidence:
    """Return the evidence of the image as it is."""
    if not isinstance(subject, StoredPicture):
        return gathered(use, ready)
    held = use.pictures.of_study(subject.study)
    with use.metrics.stage(Stage.SEARCH):
        return use.workspace.explainer.explain_study(
            subject.study, ready.question.query, encoding=use.encodings.of(held)
        )


def _next(remaining: Iterator[Change]) -> Change | None:
    return next(remaining, None)


def _cases(change: Change) -> tuple[str, ...]:
    return tuple(each.study for each in change.place.neighbours)
