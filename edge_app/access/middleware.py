"""What every request passes: who asks, whether he may, and that it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_retrieve.edge_app.access.current import collect_shown, set_current_user
from edge_retrieve.edge_app.access.errors import ForbiddenError, LoginRequiredError
from edge_retrieve.edge_app.access.guard import Guard
from edge_retrieve.edge_app.access.principal import Principal
from edge_retrieve.edge_app.access.rules import DecisionTable
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Event, Outcome
from edge_retrieve.edge_app.problems import problem_of
from edge_retrieve.runtime.errors import EdgeRetrieveError

SESSION_COOKIE = "edge_session"
CSRF_COOKIE = "edge_csrf"

_UNCHANGING = ("GET", "HEAD", "OPTIONS")
_SCOPE_KEY = "edge_retrieve.access"


@dataclass
class Passage:
    """One request on its way; handlers add the studies that they show.

    Parameters
    ----------
    guard : Guard
    principal : Principal or None
    session : str
        The cookie.
    address : str
        Where the request comes from.
    studies : list of str
        Identifiers of the studies that the answer shows.
    about : str
        A word for the audit trail on what the request was about; names no patient.
    """

    guard: Guard
    principal: Principal | None
    session: str
    address: str
    studies: list[str] = field(default_factory=list)
    about: str = ""


def passage_of(scope: Scope) -> Passage:
    """Return what is known of the request of a scope."""
    passage: Passage = scope[_SCOPE_KEY]
    return passage


class AccessControl:
    """Lets a request pass or refuses it, and audits both.

    Parameters
    ----------
    app : ASGIApp
    guard : Guard
    table : DecisionTable
    """

    def __init__(self, app: ASGIApp, guard: Guard, table: DecisionTable) -> None:
        self._app, self._guard, self._table = app, guard, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with 303, 401 or 403."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # Nothing here speaks by web sockets.
            await send({"type": "websocket.close", "code": 1008})
            return
        method, headers = scope["method"], _headers(scope)
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        rule, pattern, study = self._table.find(method, path)
        session = _cookie(headers.get("cookie", ""))
        address = scope["client"][0] if scope.get("client") else ""
        passage = Passage(self._guard, None, session, address, [study] if study else [])
        try:
            principal = await to_thread.run_sync(
                self._guard.identify, session, headers.get("authorization", "")
            )
            passage.principal = principal
            if method not in _UNCHANGING:
                check_origin(headers)
            self._guard.admit(principal, rule)
            if principal is not None and method not in _UNCHANGING:
                self._guard.check_csrf(principal, headers.get("x-csrf-token", ""))
        except LoginRequiredError as error:
            if (method, pattern) == ("GET", "/"):
                await RedirectResponse(scope.get("root_path", "") + "/login", 303)(scope, receive, send)
                return
            await problem_of(error)(scope, receive, send)
            return
        except ForbiddenError as error:
            # Told in the trail also where the address itself is none that is audited.
            await self._record(passage, rule.action if rule else None, Outcome.REFUSED, f"{method} {pattern}")
            await problem_of(error)(scope, receive, send)
            return
        except EdgeRetrieveError as error:
            await problem_of(error)(scope, receive, send)
            return
        if principal is not None:
            set_current_user(principal.name)
        collect_shown(passage.studies)
        scope[_SCOPE_KEY] = passage
        if rule is None or rule.action is None:
            await self._app(scope, receive, send)
            return
        await self._audited(scope, receive, send, passage, rule.action, f"{method} {pattern}")

    async def _audited(
        self, scope: Scope, receive: Receive, send: Send, passage: Passage, action: Action, detail: str
    ) -> None:
        """Pass the request on; it is in the trail before the first byte of its answer goes out."""
        recorded = refused = False

        async def recording(message: Message) -> None:
            nonlocal recorded, refused
            if message["type"] == "http.response.start" and not recorded:
                recorded = True
                outcome = Outcome.DONE if message["status"] < 400 else Outcome.FAILED
                try:
                    await self._record(passage, action, outcome, detail)
                except AuditError as error:
                    refused = True
                    await problem_of(error)(scope, receive, send)
            # What cannot be recorded is not shown.
            if not refused:
                await send(message)

        await self._app(scope, receive, recording)

    async def _record(self, passage: Passage, action: Action | None, outcome: Outcome, detail: str) -> None:
        event = Event(
            user=passage.principal.audited_as if passage.principal else "nobody",
            action=action or Action.OTHER,
            outcome=outcome,
            address=passage.address,
            subjects=tuple(self._guard.references.of(study) for study in dict.fromkeys(passage.studies)),
            detail=f"{detail}: {passage.about}" if passage.about else detail,
        )
        await to_thread.run_sync(partial(self._guard.record, event))


def check_origin(headers: dict[str, str]) -> None:
    """See that a request that changes something was not sent by another site's page.

    Browsers say where a request comes from; programs say nothing and bear a token.

    Raises
    ------
    ForbiddenError
    """
    fetched = headers.get("sec-fetch-site")
    if fetched is not None:
        foreign = fetched not in ("same-origin", "none")
    else:
        origin = headers.get("origin")
        # "null" is what a page says whose origin is hidden, such as a file or a frame in a sandbox.
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host", "")
    if foreign:
        raise ForbiddenError(
            "the request comes from another site's page", where="Origin", remedy="Use this server's own page"
        )


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers; of several by one name the first."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(SESSION_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
