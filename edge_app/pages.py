"""The pages that are sent as HTML, and what stands at the foot of each.

The files lie in ``static``; what only the server knows takes the place of comments: ``<!-- model -->``.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from pathlib import Path

from starlette.responses import HTMLResponse
from starlette.types import Scope

from edge_retrieve.edge_app.notice import Notice

STATIC = Path(__file__).parent / "static"


def page(name: str, notice: Notice) -> HTMLResponse:
    """Return a page of ``static``.

    Parameters
    ----------
    name : str
        Its file.
    notice : Notice
    """
    return HTMLResponse(_filled(name, notice, {}))


def wants_page(scope: Scope) -> bool:
    """Return whether a person's browser asks for a page, rather than a program or a script for an answer."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    return any(b"text/html" in value for name, value in scope["headers"] if name == b"accept")


def problem_page(told: Mapping[str, object], scope: Scope, notice: Notice) -> HTMLResponse:
    """Return a problem document as a page.

    Parameters
    ----------
    told : mapping
        The document: ``status``, ``title``, ``what``, ``where``, ``remedy``.
    scope : Scope
        Of the request.
    notice : Notice
    """
    status = HTTPStatus(int(str(told["status"])))
    root = str(scope.get("root_path", ""))
    to_log_in = status is HTTPStatus.UNAUTHORIZED
    parts = {
        "title": str(told["title"]),
        "what": str(told["what"]),
        "where": str(told["where"]),
        "remedy": str(told["remedy"]),
        "onward": "Log in" if to_log_in else "Open the reading page",
    }
    text = _filled("problem.html", notice, parts)
    # Its address may be any, so what it names has to be found from everywhere.
    text = text.replace('"static/', f'"{escape(root)}/static/')
    text = text.replace('href="./"', f'href="{escape(root)}/{"login" if to_log_in else ""}"')
    return HTMLResponse(text, status)


def _filled(name: str, notice: Notice, parts: Mapping[str, str]) -> str:
    model, archive = notice.words()
    text = (STATIC / name).read_text(encoding="utf-8")
    for part, value in {**parts, "model": model, "archive": archive}.items():
        text = text.replace(f"<!-- {part} -->", escape(value))
    return text
