"""Request bodies: JSON objects read strictly, and the forms that image files come in."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from edge_retrieve.edge_app.problems import MediaTypeError
from edge_retrieve.runtime.errors import QueryError

FORM = "multipart/form-data"
_JSON = "application/json"


def is_form(request: Request) -> bool:
    """Return whether a request's body is a form with files."""
    return _media_type(request) == FORM


async def json_body(request: Request) -> object:
    """Return a request's JSON.

    Raises
    ------
    MediaTypeError
        Where it does not say that it is JSON: a foreign page can send other kinds without asking.
    QueryError
        Where it is none.
    """
    if _media_type(request) != _JSON:
        raise MediaTypeError(
            f"the request's body is not {_JSON}", where="content-type", remedy=f"Send {_JSON}, or a {FORM}"
        )
    try:
        return await request.json()
    except RecursionError as error:
        raise QueryError(
            "the request is nested too deeply", where="request body", remedy="See /openapi.json for its form"
        ) from error
    except ValueError as error:
        raise QueryError(
            f"the request is not JSON ({error})",
            where="request body",
            remedy="See /openapi.json for its form",
        ) from error


def require_form(request: Request) -> None:
    """Raise `MediaTypeError` where a request's body is no form with files."""
    if not is_form(request):
        raise MediaTypeError(
            f"the request's body is not {FORM}", where="content-type", remedy=f"Send the file in a {FORM}"
        )


def image_form(required: bool) -> dict[str, Any]:
    """Return the description of a form with the file ``image``."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"image": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    if required:
        schema["required"] = ["image"]
    return {"schema": schema}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
