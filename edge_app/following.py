"""A server that follows its archive: where the store is encoded for another bundle, that one is taken up.

Whoever asks gets the services of one bundle for the whole of his request. Those of the old one go on to be
used by the requests that began with them, each of which ends well or is told to ask again
(`GenerationError`): what the store holds for a bundle is not read with another.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from edge_retrieve.edge_app.api.services import PINNED, Services
from edge_retrieve.edge_app.readiness import Readiness, Stage
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.errors import EdgeRetrieveError

_LOG = logging.getLogger("edge_retrieve.edge_app")

_LOOK_EVERY_S = 1.0
_AGAIN_LATER = 9  # looks left out after one that found no bundle


class Following:
    """The services of an application, those of the bundle that the store has.

    Parameters
    ----------
    first : Services
        Its workspace is closed by the caller, if not before, when another took its place.
    look_every_s : float
        Seconds between two looks at the store.
    """

    def __init__(self, first: Services, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._first, self._current, self._look_every_s = first, first, look_every_s
        self._change: Readiness | None = None
        self._lock = threading.Lock()
        self._users: Counter[int] = Counter()
        self._told: list[Callable[[Services], None]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bundle", daemon=True)

    @property
    def current(self) -> Services:
        """The services that requests get now."""
        return self._current

    @property
    def readiness(self) -> Readiness:
        """How far the change to another bundle is, or the warm-up where there is none."""
        return self._change or self._current.warm_up.readiness

    def tell(self, told: Callable[[Services], None]) -> None:
        """Have a function called with the new services after a change."""
        self._told.append(told)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Look no more, and end the services."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._current.close()
        if self._current is not self._first:
            self._current.retire()  # the first one's is the caller's

    def enter(self) -> Services:
        """Return the services of a request, which stay open until it leaves."""
        with self._lock:
            self._users[id(self._current)] += 1
            return self._current

    def leave(self, services: Services) -> None:
        """Say that a request has ended."""
        with self._lock:
            self._users[id(services)] -= 1

    def _run(self) -> None:
        while not self._ended.wait(self._look_every_s):
            try:
                self._follow()
            except Exception as error:  # whatever it is, the server goes on to look
                self._fail(f"{type(error).__name__}: {error}")
                _LOG.exception("the change to another bundle failed")

    def _follow(self) -> None:
        try:
            other = self._current.workspace.store.other_bundle()
        except EdgeRetrieveError:
            return  # what uses the store will say so
        if other is None:
            self._change = None
            return
        if self._change is None:
            self._change = Readiness(
                Stage.REOPENING, f"the store has been encoded for another bundle ({other})"
            )
            _LOG.warning("the store has been encoded for another bundle (%s): opening that", other)
        try:
            workspace = self._current.workspace.reopened()
        except EdgeRetrieveError as error:
            self._fail(
                f"the store has been encoded for another bundle ({other}), which cannot be opened "
                f"({error.what}): put that bundle where the server's --bundle is, or start the server again "
                "with it"
            )
            # To see whether a bundle is the one, all of it is read.
            self._ended.wait(_AGAIN_LATER * self._look_every_s)
            return
        self._take_up(workspace)

    def _fail(self, reason: str) -> None:
        # Once: it is tried again every second.
        if self._change is None or self._change.reason != reason:
            _LOG.error("%s", reason)
        self._change = Readiness(Stage.FAILED, reason)

    def _take_up(self, workspace: Workspace) -> None:
        new = self._current.of_bundle(workspace)
        new.warm_up.start()
        new.warm_up.wait()
        if new.warm_up.readiness.stage is not Stage.READY:
            workspace.close()
            self._fail(new.warm_up.readiness.reason)
            return
        with self._lock:
            old, self._current = self._current, new
        self._change = None
        new.metrics.count_studies(workspace.store.count)
        for told in self._told:
            told(new)
        _LOG.warning("model %s is in use now", workspace.bundle.manifest.model_id)
        while self._users[id(old)] > 0 and not self._ended.wait(self._look_every_s):
            pass
        del self._users[id(old)]
        old.retire()


class Pinned:
    """Give each request the services of one bundle, from its beginning to its end."""

    def __init__(self, app: ASGIApp, following: Following) -> None:
        self._app, self._following = app, following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        services = self._following.enter()
        try:
            # In place: who measures the request looks into its scope for what the routing found.
            scope[PINNED] = services
            await self._app(scope, receive, send)
        finally:
            self._following.leave(services)
