"""The reading page."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.notice import Notice
from edge_retrieve.edge_app.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/")
def reading_page(use: Use) -> HTMLResponse:
    """Return the page; its scripts and styles are served below ``/static``."""
    return page("index.html", Notice.whole(use.workspace))
