"""Errors as the HTTP interface tells them: RFC 9457 problem documents with what, where and remedy."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_retrieve.edge_app.access.errors import (
    CredentialsError,
    ForbiddenError,
    LoginRequiredError,
    TooManyAttemptsError,
)
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.notice import Notice
from edge_retrieve.edge_app.pages import problem_page, wants_page
from edge_retrieve.edge_app.refusals import (
    ConflictError,
    HostError,
    MediaTypeError,
    NotFoundError,
    TooLargeError,
)
from edge_retrieve.runtime.errors import (
    EdgeRetrieveError,
    GenerationError,
    MissingExtraError,
    OutputError,
    PixelError,
    QueryError,
    UnknownStudyError,
)

__all__ = [
    "ConflictError",
    "HostError",
    "MediaTypeError",
    "NotFoundError",
    "TooLargeError",
    "on_error",
    "problem",
    "problem_of",
]

_SHOWN = 80  # characters of what was sent

_LOG = logging.getLogger("edge_retrieve.edge_app")


_STATUS: tuple[tuple[type[EdgeRetrieveError], HTTPStatus], ...] = (
    (LoginRequiredError, HTTPStatus.UNAUTHORIZED),
    (CredentialsError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (TooManyAttemptsError, HTTPStatus.TOO_MANY_REQUESTS),
    (AuditError, HTTPStatus.SERVICE_UNAVAILABLE),
    (GenerationError, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UnknownStudyError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (MediaTypeError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (HostError, HTTPStatus.MISDIRECTED_REQUEST),
    (QueryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PixelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (OutputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (MissingExtraError, HTTPStatus.NOT_IMPLEMENTED),
)


def problem(
    status: int, *, what: str, where: str = "", remedy: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a problem document.

    Parameters
    ----------
    status : int
        HTTP status.
    what, where, remedy : str
        As in `EdgeRetrieveError`.
    headers : mapping, optional
        Further headers of the answer.
    """
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{where}: {what}" if where else what,
        "what": what,
        "where": where,
        "remedy": remedy,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def problem_of(error: EdgeRetrieveError) -> JSONResponse:
    """Return the problem document of one of our errors."""
    status = next(
        (code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    headers = None
    if isinstance(error, TooManyAttemptsError):
        headers = {"retry-after": str(error.wait_s)}
    elif isinstance(error, GenerationError):
        headers = {"retry-after": "2"}
    elif isinstance(error, LoginRequiredError):
        headers = {"www-authenticate": "Bearer"}
    return problem(status, what=error.what, where=error.where, remedy=error.remedy, headers=headers)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours, of a request's form, or of the routing; Starlette's exception handler."""
    if isinstance(error, EdgeRetrieveError):
        return problem_of(error)
    if isinstance(error, RequestValidationError):
        return _misread(error.errors())
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, EdgeRetrieveError):
            # Ours, raised while the framework read the body.
            return problem_of(error.__cause__)
        if error.status_code == HTTPStatus.BAD_REQUEST and error.__cause__ is not None:
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                what=f"the body cannot be read ({type(error.__cause__).__name__})",
                where="request body",
                remedy="Send what /openapi.json describes",
            )
        return problem(
            error.status_code,
            what=error.detail,
            where=request.url.path,
            remedy="See /docs for what is answered",
            headers=dict(error.headers or {}),
        )
    # The log may be read by others than the radiologist: the kind of error, no path, no identifier.
    _LOG.error("a request failed: %s", type(error).__name__, exc_info=error)
    answer = problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        what="the server failed to answer",
        remedy="Look at the server's terminal for the reason",
    )
    if not wants_page(request.scope):
        return answer
    # Starlette answers this outside of all that requests pass, where no `ErrorPages` is.
    use = request.app.state.services
    scope = {**request.scope, "root_path": use.settings.root_path}
    return problem_page(json.loads(bytes(answer.body)), scope, Notice.of(use.workspace))


def _misread(errors: Sequence[Any]) -> JSONResponse:
    """Return the problem document of a request that is not as its types say; the first error of several."""
    first = errors[0]
    # ("query", "limit") or ("body", "boxes", 0): the first part is where it was sent.
    place = [str(part) for part in first["loc"]]
    given = repr(first["input"])[:_SHOWN] if "input" in first else ""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        what=f"{given}: {first['msg']}" if given and first["type"] != "missing" else str(first["msg"]),
        where=".".join(place[1:]) or "request body",
        remedy="See /openapi.json for what is accepted",
    )
