"""The interface's description: OpenAPI 3.1, and a page that shows it with nothing but shipped files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.notice import DISCLAIMER, Notice
from edge_retrieve.edge_app.pages import page

ABOUT = (
    "Finds earlier chest X-ray cases with the same finding in the same anatomical region. "
    f"{DISCLAIMER} Boxes are [x1, y1, x2, y2] in pixels of the image as displayed."
)

_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: what is wrong, where, and what to do about it.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "what": {"type": "string"},
        "where": {"type": "string"},
        "remedy": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "what", "where", "remedy"],
}
_REFUSED = {
    "description": "The request is refused.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(use: Use) -> HTMLResponse:
    """Return the page that shows ``/openapi.json`` to people."""
    return page("api-docs.html", Notice.whole(use.workspace))


def describe(app: FastAPI) -> None:
    """Have an application describe itself, its errors as problem documents."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation gives


def _description(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    schemas: dict[str, Any] = found.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    found["components"]["responses"] = {"Refused": _REFUSED}
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"$ref": "#/components/responses/Refused"}
    return found
