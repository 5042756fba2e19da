"""What every request passes: host check, root path, size limit, security headers."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_retrieve.edge_app.metrics import Metrics
from edge_retrieve.edge_app.problems import HostError, TooLargeError, problem_of
from edge_retrieve.edge_app.settings import ServerSettings

# Nothing is loaded from anywhere but this server; data: and blob: are the page's own pictures.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HostCheck:
    """Refuse requests addressed to other names, so that no foreign page can rebind its name to us."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._hosts = app, settings.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with 421."""
        if scope["type"] == "http" and "*" not in self._hosts:
            host = _header(scope, b"host")
            if _name(host) not in self._hosts:
                error = HostError(
                    f"this server does not answer to the name '{_name(host)}'",
                    where="Host header",
                    remedy="Open it under the address it printed, or start it with --allowed-hosts",
                )
                await problem_of(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RootPath:
    """Serve below a path, whether or not the proxy in front removes it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the root path taken off its path."""
        if self._root and scope["type"] == "http":
            path: str = scope["path"]
            if path == self._root:
                # Relative addresses in the page need the closing slash.
                await RedirectResponse(self._root + "/", 307)(scope, receive, send)
                return
            if not path.startswith(self._root + "/"):
                path = self._root + path
            scope = {**scope, "path": path, "root_path": self._root}
        await self._app(scope, receive, send)


class SizeLimit:
    """Refuse requests with a larger body than allowed, also those that do not announce its size."""

    def __init__(self, app: ASGIApp, limit_mib: int) -> None:
        self._app, self._limit_mib = app, limit_mib

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, error = self._limit_mib << 20, self._error()
        announced = _header(scope, b"content-length")
        if announced.isdigit() and int(announced) > limit:
            await problem_of(error)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise error
            return message

        await self._app(scope, counted, send)

    def _error(self) -> TooLargeError:
        return TooLargeError(
            f"the request is larger than {self._limit_mib} MiB",
            where="request body",
            remedy="Send a smaller file, or start the server with a larger --max-upload-mib",
        )


class Timing:
    """Note how long each request took, by the form of its address: an address itself names a study.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note when its answer began."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                address = getattr(scope.get("route"), "path", "other")
                seconds = time.perf_counter() - start
                self._metrics.request(_method(scope), address, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, noted)


class Headers:
    """Add the security headers; keep answers that hold patient data out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer's headers."""

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store" if "/api/" in scope["path"] else "no-cache")
            await send(message)

        await self._app(scope, receive, completed)


def _method(scope: Scope) -> str:
    """Return the method, one name for all that are unheard of: whoever asks must not fill the memory."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _name(host: str) -> str:
    """Return the host name of a Host header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
