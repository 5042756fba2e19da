"""Logging in and out."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from edge_retrieve.edge_app.access.middleware import CSRF_COOKIE, SESSION_COOKIE, Passage, passage_of
from edge_retrieve.edge_app.access.roles import Permission
from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.notice import Notice
from edge_retrieve.edge_app.pages import page
from edge_retrieve.edge_app.wire import Json

router = APIRouter(tags=["access"])

_LONGEST_NAME, _LONGEST_PASSWORD = 64, 1024


class Credentials(BaseModel):
    """A user's name and password."""

    user: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
    password: Annotated[str, Field(min_length=1, max_length=_LONGEST_PASSWORD)]


@router.get("/login", include_in_schema=False)
def login_page(use: Use) -> HTMLResponse:
    """Return the page to log in with."""
    return page("login.html", Notice.of(use.workspace))


@router.post("/api/login")
async def log_in(credentials: Credentials, request: Request) -> JSONResponse:
    """Begin a session; its cookies are in the answer."""
    passage = passage_of(request.scope)
    guard = passage.guard
    if not guard.has_users:
        return JSONResponse(_me(passage))
    work = partial(guard.log_in, credentials.user, credentials.password, passage.address)
    session = await to_thread.run_sync(work)
    await to_thread.run_sync(guard.end_session, passage.session)
    answer = JSONResponse({"user": credentials.user.lower()})
    path = request.scope.get("root_path", "") or "/"
    for name, value, hidden in (
        (SESSION_COOKIE, session.secret, True),
        # The page's scripts read this one and repeat it in a header; another site's cannot.
        (CSRF_COOKIE, session.csrf, False),
    ):
        answer.set_cookie(
            name,
            value,
            max_age=guard.longest_session_s,
            path=path,
            secure=guard.secure_cookies,
            httponly=hidden,
            samesite="strict",
        )
    return answer


@router.post("/api/logout", status_code=204)
async def log_out(request: Request) -> Response:
    """End the session."""
    passage = passage_of(request.scope)
    if passage.principal is not None:
        work = partial(passage.guard.log_out, passage.principal, passage.session, passage.address)
        await to_thread.run_sync(work)
    answer = Response(status_code=204)
    path = request.scope.get("root_path", "") or "/"
    for name in (SESSION_COOKIE, CSRF_COOKIE):
        answer.delete_cookie(name, path=path, secure=passage.guard.secure_cookies, samesite="strict")
    return answer


@router.get("/api/me")
async def me(request: Request) -> Json:
    """Return who is logged in and what he may do; ``login`` is false on a server without users."""
    return _me(passage_of(request.scope))


def _me(passage: Passage) -> dict[str, Any]:
    principal = passage.principal
    assert principal is not None  # the table admits nobody else
    return {
        "user": principal.name,
        "login": passage.guard.has_users,
        "permissions": [each.value for each in Permission if each in principal.permissions],
    }
