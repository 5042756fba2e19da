"""One question to an OpenAI-compatible server, its answer as it comes, and an end whatever happens."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from edge_retrieve.runtime.errors import LanguageModelError
from edge_retrieve.runtime.explain.llm.endpoint import Endpoint

ANSWER_TOKENS = 1024
"""Of the longest answer that is asked for."""
_LONGEST_ANSWER = 64 * 1024  # characters: far more than a report has
_LONGEST_LINE = 256 * 1024  # bytes of one event
_WAIT_S = 0.1  # between two looks at whether time is up or somebody has stopped it
_FORMAT_UNKNOWN = frozenset({400, 404, 422, 501})

Stop = Callable[[], bool]
OnText = Callable[[str], None]
Message = Mapping[str, str]


class StoppedError(LanguageModelError):
    """Somebody stopped the answer."""


def chat(
    endpoint: Endpoint,
    messages: Sequence[Message],
    schema: Mapping[str, Any],
    *,
    stop: Stop = lambda: False,
    on_text: OnText = lambda text: None,
) -> str:
    """Return what a language model answers.

    The server is asked to keep to the schema; one that knows no schemas is asked again without.

    Parameters
    ----------
    endpoint : Endpoint
    messages : sequence of mappings with ``role`` and ``content``
    schema : mapping
        A JSON schema.
    stop : callable
        Looked at while waiting; the connection is closed once it is true.
    on_text : callable
        Called with each piece of text as it comes.

    Raises
    ------
    LanguageModelError
        Where the server cannot be reached, refuses, answers nothing or too much, or time is up.
    StoppedError
        Where it was stopped.
    ConfigError
        Where its address is public.
    """
    deadline = time.monotonic() + endpoint.timeout_s
    question: dict[str, Any] = {
        "model": endpoint.model,
        "messages": list(messages),
        "temperature": 0,
        "max_tokens": ANSWER_TOKENS,
        "stream": True,
    }
    shaped = {"type": "json_schema", "json_schema": {"name": "draft", "strict": True, "schema": dict(schema)}}
    with _Exchange(endpoint, deadline, stop) as exchange:
        status = exchange.ask({**question, "response_format": shaped})
        if status in _FORMAT_UNKNOWN:
            status = exchange.ask(question)
        if status != http.client.OK:
            raise _wrong(endpoint, f"answered with status {status}")
        return exchange.read(on_text)


class _Exchange:
    """A connection of its own for each question; a watcher cuts it when time is up or somebody stops it."""

    def __init__(self, endpoint: Endpoint, deadline: float, stop: Stop) -> None:
        self._endpoint, self._deadline, self._stop = endpoint, deadline, stop
        self._address = endpoint.address()
        self._line: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="llm-watcher", daemon=True)

    def __enter__(self) -> _Exchange:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        self._close()

    def ask(self, question: Mapping[str, Any]) -> int:
        """Send a question and return the status of the answer."""
        self._close()
        endpoint = self._endpoint
        with self._translated():
            line = socket.create_connection((self._address, endpoint.port), timeout=self._left())
            self._line = line
            if endpoint.secure:
                line = ssl.create_default_context().wrap_socket(line, server_hostname=endpoint.host)
                self._line = line
            connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
            connection.sock = line  # of the address that was looked at, not of a second look-up
            self._connection = connection
            connection.request(
                "POST",
                endpoint.path,
                body=json.dumps(question).encode(),
                headers={"Content-Type": "application/json", "Accept": "text/event-stream, application/json"},
            )
            self._response = connection.getresponse()
        return self._response.status

    def read(self, on_text: OnText) -> str:
        """Return the whole text of the answer."""
        assert self._response is not None
        streamed = "event-stream" in (self._response.getheader("Content-Type") or "")
        pieces: list[str] = []
        length = 0
        with self._translated():
            for piece in self._events() if streamed else self._whole():
                pieces.append(piece)
                length += len(piece)
                if length > _LONGEST_ANSWER:
                    raise _wrong(self._endpoint, "does not come to an end")
                on_text(piece)
        text = "".join(pieces)
        if not text.strip():
            raise _wrong(self._endpoint, "answers nothing")
        return text

    def _events(self) -> Iterator[str]:
        """Yield the pieces of a stream of server-sent events."""
        for line in self._lines():
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            with self._formed():
                choices = json.loads(data)["choices"]
                piece = choices[0].get("delta", {}).get("content") if choices else None
            if piece:
                yield str(piece)
        raise _wrong(self._endpoint, "broke off")

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for block in self._blocks():
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                raise _wrong(self._endpoint, "does not come to an end")
            yield from lines
        if rest:
            yield rest

    def _whole(self) -> Iterator[str]:
        body = b""
        for block in self._blocks():
            body += block
            if len(body) > _LONGEST_LINE:
                raise _wrong(self._endpoint, "does not come to an end")
        with self._formed():
            text = json.loads(body)["choices"][0]["message"]["content"]
        yield str(text or "")

    def _blocks(self) -> Iterator[bytes]:
        assert self._response is not None
        while block := self._response.read1(8192):
            self._left()
            yield block
        self._left()  # a connection that was cut ends like one that is over

    def _watch(self) -> None:
        while not self._over.wait(_WAIT_S):
            if self._stop() or time.monotonic() > self._deadline:
                line = self._line
                if line is not None:
                    with suppress(OSError):
                        line.shutdown(socket.SHUT_RDWR)

    def _left(self) -> float:
        """Return the seconds that are left."""
        if self._stop():
            raise StoppedError("the draft was stopped", where=self._endpoint.url)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _wrong(self._endpoint, f"has not answered within {self._endpoint.timeout_s:g} seconds")
        return left

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            self._left()
            if isinstance(error, TimeoutError):
                raise _wrong(self._endpoint, "cannot be reached in time") from error
            raise _wrong(
                self._endpoint, f"cannot be reached or broke off ({type(error).__name__}: {error})"
            ) from error

    @contextmanager
    def _formed(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise _wrong(self._endpoint, "answers in a form that is not that of OpenAI's chat") from error

    def _close(self) -> None:
        for part in (self._response, self._connection, self._line):
            if part is not None:
                part.close()
        self._response = self._connection = self._line = None


def _wrong(endpoint: Endpoint, what: str) -> LanguageModelError:
    return LanguageModelError(
        f"the language model {what}",
        where=endpoint.url,
        remedy="See that the server runs and knows the model; the template's draft stands meanwhile",
    )
