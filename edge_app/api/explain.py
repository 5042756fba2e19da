"""Why these cases, and a preliminary report."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.api.bodies import json_body
from edge_retrieve.edge_app.api.query import Ready, make_ready
from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.draining import Drain
from edge_retrieve.edge_app.explaining import draft_shape, evidence_shape
from edge_retrieve.edge_app.metrics import Stage
from edge_retrieve.edge_app.shapes import DraftError, DraftText, Explanation, KeptDraft, plain
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.explain.draft import Draft
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.explain.llm.writer import LlmWriter
from edge_retrieve.runtime.explain.template import TemplateWriter
from edge_retrieve.runtime.query import require_frontal

router = APIRouter(tags=["explanation"])

_BODY = {"content": {"application/json": {"schema": QUERY_SCHEMA}}, "required": True}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
_LOOK_SECONDS = 0.05  # between looks at what a model has written
_QUIET_SECONDS = 15.0  # after which a comment keeps proxies from closing the stream


@router.post("/api/explain", openapi_extra={"requestBody": _BODY})
async def explain(request: Request, use: Use) -> Explanation:
    """Return what speaks for and against each finding, and a draft in the template's words.

    The body is that of a query, with a study, an upload or a text.
    """
    ready = make_ready(use, await json_body(request))
    evidence = await use.turns.run(partial(gathered, use, ready))
    draft = TemplateWriter().write(evidence)
    return Explanation(
        evidence=evidence_shape(evidence),
        draft=_noted(use, ready, draft),
        language_model=use.settings.llm_model if use.settings.llm else None,
    )


@router.post(
    "/api/draft",
    openapi_extra={"requestBody": _BODY},
    response_class=StreamingResponse,
    responses=_EVENTS,
)
async def draft(request: Request, use: Use) -> StreamingResponse:
    """Return a draft as events: `text` while a language model writes (unchecked), then `draft`, or `error`.

    Whoever closes the connection stops the model. Without one the template's draft comes at once.
    """
    ready = make_ready(use, await json_body(request))
    evidence = await use.turns.run(partial(gathered, use, ready))
    drain: Drain | None = getattr(request.app.state, "drain", None)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    events = _events(use, ready, evidence, drain)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def gathered(use: Services, ready: Ready) -> Evidence:
    """Return the evidence of a query.

    Raises
    ------
    QueryError
        Where its image is a lateral view, or it contradicts itself.
    UnknownStudyError
        Where the asking study is not in the store.
    """
    question, image = ready.question, ready.image
    if image is not None:
        require_frontal(image.radiograph, "upload")
    explainer, placed = use.workspace.explainer, bool(question.query.regions or question.query.boxes)
    with use.metrics.stage(Stage.SEARCH):
        if question.study is not None:
            found = explainer.explain_study(question.study, question.query, compare_sides=placed, rare=True)
        else:
            found = explainer.explain(
                question.query,
                encoding=None if image is None else image.encoding,
                radiograph=None if image is None else image.radiograph,
                compare_sides=placed,
                rare=True,
            )
    note_shown(found.cases())
    return found


def _noted(use: Services, ready: Ready, draft: Draft) -> KeptDraft:
    """Return a draft with the name that it can be accepted by."""
    drafted = use.drafts.note(ready.asked, ready.question.study or "", draft)
    return KeptDraft(**vars(draft_shape(draft)), draft=drafted.name, query_id=ready.asked.query_id)


async def _events(use: Services, ready: Ready, evidence: Evidence, drain: Drain | None) -> AsyncIterator[str]:
    endpoint = use.settings.endpoint()
    if endpoint is None:
        yield _event("draft", _noted(use, ready, TemplateWriter().write(evidence)))
        return
    pieces: SimpleQueue[str | Draft | EdgeRetrieveError] = SimpleQueue()
    stopped = Event()
    writer = LlmWriter(endpoint)

    def write() -> None:
        try:
            pieces.put(writer.write(evidence, stop=stopped.is_set, on_text=pieces.put))
        except EdgeRetrieveError as error:  # such as a public address
            pieces.put(error)

    # A model is waited for, not computed with: it takes no turn at this machine's processor.
    Thread(target=write, name="draft", daemon=True).start()
    quiet = 0.0
    try:
        while True:
            if drain is not None and drain.begun:
                stopped.set()
            while not pieces.empty():
                quiet, piece = 0.0, pieces.get()
                if isinstance(piece, str):
                    yield _event("text", DraftText(piece))
                elif isinstance(piece, Draft):
                    yield _event("draft", _noted(use, ready, piece))
                    return
                else:
                    yield _event("error", DraftError(str(piece)))
                    return
            if quiet >= _QUIET_SECONDS:
                quiet = 0.0
                yield ": waiting\n\n"
            await anyio.sleep(_LOOK_SECONDS)
            quiet += _LOOK_SECONDS
    finally:
        stopped.set()  # whoever asked has gone, or has the draft


def _event(name: str, document: KeptDraft | DraftText | DraftError) -> str:
    return f"event: {name}\ndata: {json.dumps(plain(document))}\n\n"
