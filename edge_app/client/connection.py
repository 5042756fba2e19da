"""Requests to one server over one kept connection."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError, QueryError

JSON = "application/json"

_TIMEOUT_S = 60.0

Parameters = Mapping[str, "str | int | float | bool | list[str] | None"]


class UnreachableError(EdgeRetrieveError):
    """No server answers at the address."""


class RefusedError(EdgeRetrieveError):
    """The server refused a request, or failed.

    Parameters
    ----------
    status : int
        HTTP status.
    what, where, remedy : str
        As in `EdgeRetrieveError`; as the server says.
    """

    def __init__(self, status: int, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


class MisaskedError(RefusedError, QueryError):
    """The server cannot do what was asked: the request itself is wrong (status 422)."""


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Parameters
    ----------
    headers : mapping
        Names in lower case.
    body : bytes
    """

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Body:
    """What is sent.

    Parameters
    ----------
    kind : str
        Media type.
    data : bytes
    """

    kind: str
    data: bytes


@dataclass(frozen=True)
class Event:
    """A server-sent event.

    Parameters
    ----------
    name : str
    data : str
    """

    name: str
    data: str


class Connection:
    """One connection to a server, kept open between requests; threads take turns.

    No proxy is used, whatever the environment says: what is sent are patients' images.

    Parameters
    ----------
    server : str
        ``http://host:port`` or ``https://…``, with the root path where there is one.
    token : str
        API token; empty for none.
    timeout_s : float
    authorities : str
        PEM file of the authorities that may have signed the server's certificate; the system's if empty.

    Raises
    ------
    ConfigError
        Where `server` is no such address, or the token or the authorities cannot be used.
    """

    def __init__(
        self, server: str, token: str = "", timeout_s: float = _TIMEOUT_S, authorities: str = ""
    ) -> None:
        self.server = server.rstrip("/")
        parts = urlsplit(self.server)
        try:
            named = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
        except ValueError:
            named = False
        if not named or parts.query or parts.fragment or parts.username:
            raise ConfigError(
                f"'{server}' is no server's address",
                where="--server",
                remedy="Write it as http://127.0.0.1:8080",
            )
        if not token.isprintable() or not token.isascii():
            raise ConfigError("the token has characters that none has", where="token", remedy="Copy it again")
        self._root = parts.path
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        host, port = str(parts.hostname), parts.port
        self._lock = threading.Lock()
        self._open: http.client.HTTPConnection
        if parts.scheme == "http":
            self._open = http.client.HTTPConnection(host, port, timeout=timeout_s)
        else:
            try:
                context = ssl.create_default_context(cafile=authorities or None)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"the authorities cannot be read ({error})", where=authorities, remedy="Name a PEM file"
                ) from error
            self._open = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)

    def close(self) -> None:
        """Close the connection; another request opens it again."""
        with self._lock:
            self._open.close()

    def ask(
        self, method: str, path: str, parameters: Parameters | None = None, body: Body | None = None
    ) -> Reply:
        """Send a request and return the answer.

        Raises
        ------
        UnreachableError
            Where nobody answers, or not in time.
        RefusedError
            Where the answer is a refusal or a failure.
        """
        target = path + (f"?{written}" if (written := _written(parameters or {})) else "")
        with self._lock, self._reachable():
            answer = self._send(method, target, body)
            reply = Reply({name.lower(): value for name, value in answer.getheaders()}, answer.read())
        if answer.status >= 400:
            raise _problem(answer.status, reply, self._root + path)
        return reply

    def events(self, path: str, body: Body) -> Generator[Event, None, None]:
        """Send a request and yield the events of its answer as they come; closed early, the server is told.

        Raises
        ------
        UnreachableError, RefusedError
            As `ask`.
        """
        with self._lock, self._reachable():
            answer = self._send("POST", path, body)
            if answer.status >= 400:
                reply = Reply({}, answer.read())
                raise _problem(answer.status, reply, self._root + path)
            try:
                yield from _events(answer)
            finally:
                if not answer.isclosed():
                    self._open.close()

    def _send(self, method: str, target: str, body: Body | None) -> http.client.HTTPResponse:
        headers = dict(self._headers) | ({} if body is None else {"content-type": body.kind})
        data = None if body is None else body.data
        try:
            self._open.request(method, self._root + target, body=data, headers=headers)
            return self._open.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A connection that was kept may have been closed meanwhile. Sent again only where that
            # cannot do a thing twice.
            self._open.close()
            if method != "GET":
                raise
            self._open.request(method, self._root + target, body=data, headers=headers)
            return self._open.getresponse()

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            self._open.close()
            raise UnreachableError(
                f"the server does not answer ({error or type(error).__name__})",
                where=self.server,
                remedy="See that it runs ('edge-retrieve serve') and that the address is right",
            ) from error


def segment(name: str) -> str:
    """Return a name as a part of an address: a study's may hold slashes, which stay."""
    return quote(name, safe="/")


def json_body(document: object) -> Body:
    """Return a JSON body."""
    return Body(JSON, json.dumps(document).encode())


def form_body(data: bytes, file_name: str) -> Body:
    """Return a form with one file, ``image`` (RFC 7578)."""
    boundary = secrets.token_hex(16)
    # As browsers do (HTML, multipart form data): what would end the name is percent-encoded.
    name = file_name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="image"; filename="{name}"\r\n'
        "content-type: application/octet-stream\r\n\r\n"
    )
    parts = head.encode("utf-8", "replace") + data + f"\r\n--{boundary}--\r\n".encode()
    return Body(f"multipart/form-data; boundary={boundary}", parts)


def _written(parameters: Parameters) -> str:
    given: dict[str, str | list[str]] = {}
    for name, value in parameters.items():
        if value is not None:
            plain = str(value).lower() if isinstance(value, bool) else value
            given[name] = plain if isinstance(plain, list) else str(plain)
    return urlencode(given, doseq=True)


def _events(answer: http.client.HTTPResponse) -> Iterator[Event]:
    """Yield the events of a stream (HTML, server-sent events); comments keep it open and say nothing."""
    held: dict[str, str] = {}
    while line := answer.readline():
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        if name:
            held[name] = value.removeprefix(" ")
        elif not value and "data" in held:
            yield Event(held.get("event", "message"), held["data"])
            held = {}


def _problem(status: int, reply: Reply, path: str) -> RefusedError:
    kind = MisaskedError if status == HTTPStatus.UNPROCESSABLE_ENTITY else RefusedError
    try:
        told = json.loads(reply.body)
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED) and told["where"] == path:
            return RefusedError(
                status,
                "the server does not know this request: it is of an earlier version",
                where=path,
                remedy="Bring the server to this version, or ask with the version that it has",
            )
        return kind(
            status, str(told["what"]), where=str(told.get("where", "")), remedy=str(told.get("remedy", ""))
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return RefusedError(
            status, f"the server answered {status}", remedy="See that the address is that of edge-retrieve"
        )
