"""The server answers at once and is ready only when the model has run."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.runtime.errors import BackendError


class _Encoder:
    """The real encoder, but for its first run."""

    def __init__(self, encoder, before: Callable[[], None]) -> None:
        self._encoder, self._before = encoder, before

    def __getattr__(self, name: str):
        return getattr(self._encoder, name)

    def encode_image(self, pixels):
        self._before()
        return self._encoder.encode_image(pixels)


@pytest.fixture
def served(workspace) -> Iterator[Callable[[Callable[[], None]], TestClient]]:
    """Return a function that serves the archive with an encoder whose runs begin with the given work."""
    clients = []

    def serve(before: Callable[[], None]) -> TestClient:
        slow = copy.copy(workspace)
        slow.encoder = _Encoder(workspace.encoder, before)
        client = TestClient(create_app(slow), base_url="http://localhost")
        clients.append(client)
        return client.__enter__()

    yield serve
    for client in clients:
        client.__exit__(None, None, None)


def test_it_is_alive_but_not_ready_until_the_model_has_run(served) -> None:
    may_run = threading.Event()
    client = served(lambda: None if may_run.wait(60) else pytest.fail("never let go"))
    try:
        assert client.get("/healthz").status_code == 200
        warming = client.get("/readyz")
        assert warming.status_code == 503
        assert warming.json()["status"] == "warming up"
        assert warming.headers["retry-after"] == "1"
        assert client.get("/api/studies").json()["total"] == 6
    finally:
        may_run.set()
    assert client.app.state.warm_up.wait(60)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["studies"]) == (200, "ready", 6)


def test_where_the_model_does_not_run_it_never_is_and_says_why(served) -> None:
    def broken() -> None:
        raise BackendError("the engine failed (out of memory)", where="card 0", remedy="Free some")

    client = served(broken)
    assert client.app.state.warm_up.wait(60)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failed"
    assert "out of memory" in answer.json()["what"]
    assert client.get("/healthz").status_code == 200
