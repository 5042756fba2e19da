"""Errors as the HTTP interface tells them: RFC 9457 problem documents with what, where and remedy."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from edge_retrieve.runtime.errors import EdgeRetrieveError, PixelError, QueryError, UnknownStudyError

_LOG = logging.getLogger("edge_retrieve.edge_app")


class NotFoundError(EdgeRetrieveError):
    """The address names an upload that is not kept."""


class TooLargeError(EdgeRetrieveError):
    """A request is larger than the server accepts."""


class HostError(EdgeRetrieveError):
    """A request is addressed to a name this server does not answer to."""


_STATUS: tuple[tuple[type[EdgeRetrieveError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UnknownStudyError, HTTPStatus.NOT_FOUND),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (HostError, HTTPStatus.MISDIRECTED_REQUEST),
    (QueryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PixelError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def problem(status: int, *, what: str, where: str = "", remedy: str = "") -> JSONResponse:
    """Return a problem document.

    Parameters
    ----------
    status : int
        HTTP status.
    what, where, remedy : str
        As in `EdgeRetrieveError`.
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
    return JSONResponse(body, status, media_type="application/problem+json")


def problem_of(error: EdgeRetrieveError) -> JSONResponse:
    """Return the problem document of one of our errors."""
    status = next(
        (code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    return problem(status, what=error.what, where=error.where, remedy=error.remedy)


async def on_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of ours or of the routing; Starlette's exception handler."""
    if isinstance(error, EdgeRetrieveError):
        return problem_of(error)
    if isinstance(error, HTTPException):
        return problem(error.status_code, what=error.detail, where=request.url.path)
    # The log may be read by others than the radiologist: the kind of error, no path, no identifier.
    _LOG.error("a request failed: %s", type(error).__name__, exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        what="the server failed to answer",
        remedy="Look at the server's terminal for the reason",
    )
