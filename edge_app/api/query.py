"""Similar cases."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from edge_retrieve.edge_app.answering import answer
from edge_retrieve.edge_app.api.services import Use, in_thread
from edge_retrieve.edge_app.api.uploads import keep
from edge_retrieve.edge_app.asking import read_question
from edge_retrieve.edge_app.forms import form_document
from edge_retrieve.edge_app.wire import Json
from edge_retrieve.runtime.errors import QueryError

router = APIRouter(tags=["query"])


@router.post("/api/query")
async def query(request: Request, use: Use) -> Json:
    """Return the similar cases of a query, a JSON object or a form with an image."""
    document: object
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            document = form_document(fields)
            if isinstance(form.get("image"), UploadFile):
                document["upload"] = (await keep(use, form.get("image"))).id
    else:
        try:
            document = await request.json()
        except ValueError as error:
            raise QueryError(f"the request is not JSON ({error})", where="request body") from error
    question = read_question(document, use.settings.max_hits)
    image = use.uploads.get(question.upload).content if question.upload else None

    def work() -> Json:
        start = time.perf_counter()
        with use.model_lock:
            result = answer(use.workspace, question, image)
        return {**result, "took_ms": round((time.perf_counter() - start) * 1000, 1)}

    return await in_thread(work)
