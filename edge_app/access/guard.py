"""Who may pass: users, sessions, tokens and the audit trail of one server."""

from __future__ import annotations

import hmac
import logging
import threading
from collections import deque
from collections.abc import Callable

from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import (
    CredentialsError,
    ForbiddenError,
    LoginRequiredError,
    TooManyAttemptsError,
)
from edge_retrieve.edge_app.access.principal import ANYBODY_HERE, Principal, principal_of
from edge_retrieve.edge_app.access.roles import Permission
from edge_retrieve.edge_app.access.rules import Rule
from edge_retrieve.edge_app.access.sessions import NewSession, Sessions
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access.throttle import Throttle
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.access_settings import AccessSettings
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Event, Outcome
from edge_retrieve.edge_app.audit.references import References, references_of
from edge_retrieve.edge_app.audit.trail import AuditTrail
from edge_retrieve.edge_app.audit.verify import Entry, read_trail

_LOG = logging.getLogger("edge_retrieve.edge_app")


class Guard:
    """What decides over requests. Safe to share between threads.

    Without a file of users everybody passes; from the moment there is one, also while the server runs,
    everybody has to say who he is, and that stays so until the server ends.

    Parameters
    ----------
    site : Site
    settings : AccessSettings
    shows_identities : callable
        Whether the store holds the identifiers of patients.

    Raises
    ------
    StoreError
        Where the file of users cannot be opened.
    AuditError
        Where there are users and the audit trail cannot be written.
    """

    def __init__(self, site: Site, settings: AccessSettings, *, shows_identities: Callable[[], bool]) -> None:
        self._site, self._settings = site, settings
        self._shows_identities = shows_identities
        self._opening = threading.Lock()
        self._database: AccessDatabase | None = None
        self._trail: AuditTrail | None = None
        self.references: References = references_of(site.key, make=site.may_make_key())
        if self.has_users:
            self._open_trail()
        else:
            try:
                self._open_trail()
            except AuditError as error:
                # A store on a read-only medium, used by whoever sits here: as it was without a trail.
                self._trail = None
                _LOG.warning("%s: nothing of what is looked at is recorded", error.what)

    @staticmethod
    def find_users(site: Site) -> bool:
        """Return whether a site has users."""
        if not site.database.exists():
            return False
        with AccessDatabase(site.database) as database:
            return Accounts(database).any()

    @property
    def has_users(self) -> bool:
        """Whether one has to log in."""
        if self._database is not None:
            return True
        if not self._site.database.exists():
            return False
        with self._opening:
            if self._database is None:
                database = AccessDatabase(self._site.database)
                if not Accounts(database).any():
                    database.close()
                    return False
                self._database = database
        return True

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers speak TLS with us."""
        return self._settings.speaks_tls

    @property
    def longest_session_s(self) -> int:
        """Seconds from a log-in to the end of its session."""
        return self._settings.session_hours * 3600

    def identify(self, session: str, authorization: str) -> Principal | None:
        """Return who a request comes from, None where it does not say so validly.

        Parameters
        ----------
        session : str
            The cookie; empty where there is none.
        authorization : str
            The header; empty where there is none.
        """
        if not self.has_users:
            return ANYBODY_HERE
        scheme, _, token = authorization.partition(" ")
        if scheme:
            # A request that bears a token is judged by it alone, whatever cookie comes along.
            account = Tokens(self._users).find(token.strip()) if scheme.lower() == "bearer" else None
            return principal_of(account, by_token=True) if account else None
        found = self._sessions.find(session) if session else None
        return principal_of(found.account, csrf=found.csrf) if found else None

    def admit(self, principal: Principal | None, rule: Rule | None) -> None:
        """Raise unless a principal may do what a rule is about.

        Raises
        ------
        LoginRequiredError, ForbiddenError
        """
        if rule is None:
            raise ForbiddenError("this address is closed to everybody: nothing says who may use it")
        needed = {rule.permission}
        if rule.of_patients and self.has_users and self._shows_identities():
            needed.add(Permission.IDENTIFY)
        if needed == {Permission.PUBLIC}:
            return
        if principal is None:
            raise LoginRequiredError("this needs a log-in", remedy="Open the page, or send a valid token")
        missing = needed - principal.permissions
        if Permission.IDENTIFY in missing and len(missing) == 1:
            raise ForbiddenError(
                "this archive holds identities of patients, which this user may not see",
                remedy="An administrator grants that: edge-retrieve user change NAME --identities",
            )
        if missing:
            raise ForbiddenError("this user may not do that", remedy="Ask an administrator")

    def check_csrf(self, principal: Principal, sent: str) -> None:
        """Raise `ForbiddenError` where a cookie vouches for a request without its session's word."""
        if principal.csrf is not None and not hmac.compare_digest(principal.csrf.encode(), sent.encode()):
            raise ForbiddenError(
                "the request does not come from this server's page",
                where="X-CSRF-Token",
                remedy="Load the page again",
            )

    def log_in(self, name: str, password: str, address: str) -> NewSession:
        """Begin a session.

        Raises
        ------
        CredentialsError
            Where name and password do not belong together.
        TooManyAttemptsError
            Where too many attempts failed before.
        """
        shown = name.lower()
        try:
            with Throttle(self._users).attempt(name, address) as attempt:
                account = Accounts(self._users).verify(name, password)
                attempt.succeeded = account is not None
        except TooManyAttemptsError:
            self.record(Event("nobody", Action.LOG_IN, Outcome.REFUSED, address, detail="too many attempts"))
            raise
        if account is None:
            # A name that is nobody's may be a password typed into the wrong field.
            known = Accounts(self._users).find(name) is not None
            self.record(Event(shown if known else "nobody", Action.LOG_IN, Outcome.REFUSED, address))
            raise CredentialsError(
                "name and password do not belong together", where="log-in", remedy="Type them again"
            )
        session = self._sessions.begin(account.name)
        self.record(Event(account.name, Action.LOG_IN, Outcome.DONE, address))
        return session

    def log_out(self, principal: Principal, session: str, address: str) -> None:
        """End a session."""
        if session and self.has_users:
            self._sessions.end(session)
            self.record(Event(principal.audited_as, Action.LOG_OUT, Outcome.DONE, address))

    def end_session(self, session: str) -> None:
        """End the session of a cookie, if it has one: a log-in begins another."""
        if session and self.has_users:
            self._sessions.end(session)

    def record(self, event: Event) -> None:
        """Write an event into the audit trail.

        Raises
        ------
        AuditError
            Where the trail cannot be written.
        """
        if self._trail is None and self.has_users:
            self._open_trail()
        if self._trail is not None:
            self._trail.record(event)

    def latest(self, last: int) -> list[Entry]:
        """Return the latest lines of the audit trail, newest first.

        Raises
        ------
        AuditError
            Where it cannot be read.
        """
        if self._trail is not None:
            self._trail.flush()
        return list(deque(read_trail(self._site.audit), maxlen=last))[::-1]

    def close(self) -> None:
        """Write what waits, and close the files."""
        trail, self._trail = self._trail, None
        try:
            if trail is not None:
                trail.close()
        finally:
            if self._database is not None:
                self._database.close()

    def _open_trail(self) -> None:
        with self._opening:
            if self._trail is None:
                self._trail = AuditTrail(self._site.audit)

    @property
    def _users(self) -> AccessDatabase:
        assert self._database is not None  # has_users was asked before
        return self._database

    @property
    def _sessions(self) -> Sessions:
        return Sessions(self._users, self._settings.session_idle_minutes * 60, self.longest_session_s)
