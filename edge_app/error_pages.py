"""Refusals as pages, where a person's browser asked for one."""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_retrieve.edge_app.notice import Notice
from edge_retrieve.edge_app.pages import problem_page, wants_page

_PROBLEM = "application/problem+json"
_KEPT = ("retry-after", "www-authenticate", "allow")


class ErrorPages:
    """Answer a browser that opens an address with a page in place of a problem document.

    Parameters
    ----------
    app : ASGIApp
    notice : callable
        Returns what stands at the page's foot.
    """

    def __init__(self, app: ASGIApp, notice: Callable[[], Notice]) -> None:
        self._app, self._notice = app, notice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its answer anew where it is a problem."""
        if not wants_page(scope):
            await self._app(scope, receive, send)
            return
        begun: Headers | None = None  # of a problem document that is being held back
        body = b""

        async def sending(message: Message) -> None:
            nonlocal begun, body
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if headers.get("content-type", "").startswith(_PROBLEM):
                    begun = headers
                    return
            if begun is None:
                await send(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                answer = problem_page(json.loads(body), scope, self._notice())
                answer.headers.update({name: begun[name] for name in _KEPT if name in begun})
                answer.headers["vary"] = "accept"
                await answer(scope, receive, send)

        await self._app(scope, receive, sending)
