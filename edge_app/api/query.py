"""Similar cases."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.answering import priors, search, shown_hits
from edge_retrieve.edge_app.api.bodies import FORM, image_form, is_form, json_body
from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.api.uploads import keep
from edge_retrieve.edge_app.asking import Question, read_question
from edge_retrieve.edge_app.feedback import Asked
from edge_retrieve.edge_app.feedback.questions import describe
from edge_retrieve.edge_app.forms import form_document
from edge_retrieve.edge_app.metrics import Stage
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.shapes import Answer
from edge_retrieve.edge_app.wire import result_shape
from edge_retrieve.runtime.errors import QueryError

router = APIRouter(tags=["query"])

_BODY = {"content": {"application/json": {"schema": QUERY_SCHEMA}, FORM: image_form(False)}, "required": True}


@dataclass(frozen=True)
class Ready:
    """A question with its image, ready to be asked.

    Parameters
    ----------
    question : Question
    image : ReadImage or None
        Of the upload it names.
    asked : Asked
        Its name.
    """

    question: Question
    image: ReadImage | None
    asked: Asked


@router.post("/api/query", openapi_extra={"requestBody": _BODY})
async def query(request: Request, use: Use) -> Answer:
    """Return the similar cases of a query, a JSON object or a form with an image."""
    document: object
    if is_form(request):
        async with request.form() as form:
            fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            document = form_document(fields)
            if isinstance(form.get("image"), UploadFile):
                document["upload"] = (await keep(use, form.get("image"))).id
    else:
        document = await json_body(request)
    ready = make_ready(use, document)
    answer = await use.turns.run(lambda: answered(use, ready))
    use.questions.note(ready.asked)
    return answer


def make_ready(use: Services, document: object) -> Ready:
    """Check a query and find its image.

    Raises
    ------
    QueryError
        Where it cannot be asked.
    NotFoundError
        Where its upload is no longer kept.
    """
    question = read_question(document, use.settings.max_hits)
    if question.study is None and question.upload is None and question.query.text is None:
        raise QueryError("the query is empty", remedy="Give an image, a text, or both")
    image = use.uploads.get(question.upload).content if question.upload else None
    return Ready(question, image, describe(question, image))


def answered(use: Services, ready: Ready) -> Answer:
    """Search the archive.

    Raises
    ------
    QueryError
        Where the question is empty or contradicts itself.
    UnknownStudyError
        Where the asking study is not in the store.
    """
    start = time.perf_counter()
    store = use.workspace.store
    with use.metrics.stage(Stage.SEARCH):
        found = result_shape(search(use.workspace, ready.question, ready.image))
    use.metrics.answer([hit.score for hit in found.hits], found.abstained)
    note_shown(hit.study for hit in found.hits)
    return Answer(
        **{**vars(found), "hits": shown_hits(store, found.hits)},
        query_id=ready.asked.query_id,
        priors=priors(store, ready.question.study, ready.image, use.workspace.deidentifier()),
        took_ms=round((time.perf_counter() - start) * 1000, 1),
    )
