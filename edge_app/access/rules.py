"""The decision table: what each address needs, and as what it is audited.

A test holds it equal to the application's routes; an address without an entry is refused to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.routing import compile_path

from edge_retrieve.edge_app.access.roles import Permission
from edge_retrieve.edge_app.audit.events import Action


@dataclass(frozen=True)
class Rule:
    """What one address needs.

    Parameters
    ----------
    permission : Permission
    action : Action or None
        As what a request is audited; None where it shows and changes nothing of patients.
    of_patients : bool
        Whether it shows what is in the archive: where a store keeps identities, only those may who may see
        them.
    """

    permission: Permission
    action: Action | None = None
    of_patients: bool = False


_OPEN = Rule(Permission.PUBLIC)
_FRAME = Rule(Permission.READ)

RULES: Mapping[tuple[str, str], Rule] = {
    # The page and what surrounds it.
    ("GET", "/"): _FRAME,
    ("GET", "/login"): _OPEN,
    ("GET", "/healthz"): _OPEN,
    ("GET", "/readyz"): _OPEN,
    ("GET", "/metrics"): Rule(Permission.OPERATE),
    ("GET", "/docs"): _FRAME,
    ("GET", "/openapi.json"): _FRAME,
    # Logging in and out is audited where it happens: only there is known who it was.
    ("POST", "/api/login"): _OPEN,
    ("POST", "/api/logout"): Rule(Permission.READ),
    ("GET", "/api/me"): Rule(Permission.READ),
    ("GET", "/api/audit"): Rule(Permission.ADMINISTER, Action.READ_TRAIL),
    # The archive.
    ("GET", "/api/archive"): _FRAME,
    ("GET", "/api/regions"): _FRAME,
    ("GET", "/api/findings"): _FRAME,
    ("GET", "/api/studies"): Rule(Permission.READ, Action.LIST, of_patients=True),
    ("GET", "/api/studies/{study:path}/image.png"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    ("GET", "/api/studies/{study:path}/ground.png"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    ("GET", "/api/studies/{study:path}/pixels.json"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    ("GET", "/api/studies/{study:path}/pixels"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    ("GET", "/api/studies/{study:path}"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    # Asking.
    ("POST", "/api/encode"): Rule(Permission.READ, Action.UPLOAD),
    ("GET", "/api/uploads/{upload}/image.png"): Rule(Permission.READ),
    ("GET", "/api/uploads/{upload}/pixels"): Rule(Permission.READ),
    ("GET", "/api/uploads/{upload}"): Rule(Permission.READ),
    ("POST", "/api/query"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("GET", "/api/uploads/{upload}/pixels.json"): Rule(Permission.READ),
    ("GET", "/api/uploads/{upload}/ground.png"): Rule(Permission.READ),
    ("POST", "/api/ground"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/ground/report"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/explain"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/alterations"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/draft"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/drafts/accept"): Rule(Permission.READ, Action.ACCEPT, of_patients=True),
    ("GET", "/api/drafts/accepted"): Rule(Permission.READ, Action.VIEW, of_patients=True),
    # What readers say of hits, and what they note before they see them.
    ("POST", "/api/feedback"): Rule(Permission.READ, Action.NOTE),
    ("GET", "/api/feedback"): Rule(Permission.READ, of_patients=True),
    ("POST", "/api/reads"): Rule(Permission.READ, Action.NOTE),
    ("GET", "/api/reads"): Rule(Permission.READ, of_patients=True),
    ("GET", "/api/reads/{read}"): Rule(Permission.READ, of_patients=True),
    ("POST", "/api/reads/{read}/reveal"): Rule(Permission.READ, Action.SEARCH, of_patients=True),
    ("POST", "/api/reads/{read}/final"): Rule(Permission.READ, Action.NOTE),
    # Results to take away.
    ("POST", "/api/results.zip"): Rule(Permission.READ, Action.EXPORT, of_patients=True),
    ("POST", "/api/results/{kind}"): Rule(Permission.READ, Action.EXPORT, of_patients=True),
    ("GET", "/api/destinations"): Rule(Permission.OPERATE),
    ("POST", "/api/send"): Rule(Permission.OPERATE, Action.EXPORT, of_patients=True),
    # Long work: ingest, rebuild, backup.
    ("POST", "/api/jobs"): Rule(Permission.OPERATE, Action.MAINTAIN),
    ("GET", "/api/jobs"): Rule(Permission.OPERATE),
    ("GET", "/api/jobs/{job}"): Rule(Permission.OPERATE),
    ("DELETE", "/api/jobs/{job}"): Rule(Permission.OPERATE, Action.MAINTAIN),
    ("GET", "/api/jobs/{job}/events"): Rule(Permission.OPERATE),
    # Received objects that could not be stored: nothing shown of them tells whose they are.
    ("GET", "/api/quarantine"): Rule(Permission.OPERATE),
    ("POST", "/api/quarantine/retry"): Rule(Permission.OPERATE, Action.MAINTAIN),
    ("POST", "/api/quarantine/{object}/retry"): Rule(Permission.OPERATE, Action.MAINTAIN),
    ("DELETE", "/api/quarantine/{object}"): Rule(Permission.OPERATE, Action.DELETE),
    # X-rays sent over HTTP.
    ("POST", "/dicom-web/studies"): Rule(Permission.OPERATE, Action.INGEST),
    ("POST", "/dicom-web/studies/{study}"): Rule(Permission.OPERATE, Action.INGEST),
}

PUBLIC_FOLDERS = ("/static/",)
"""Folders of files that are part of this program: styles and scripts, nothing of patients."""

_NOWHERE = Rule(Permission.READ)
"""An address that does not exist: told only to those who are logged in."""


class DecisionTable:
    """The table in the order in which the application looks at its routes.

    Parameters
    ----------
    routes : iterable of (str, str)
        Method and path of every route, first looked at first.
    """

    def __init__(self, routes: Iterable[tuple[str, str]]) -> None:
        self._routes: list[tuple[str, str, re.Pattern[str]]] = [
            (method, path, compile_path(path)[0]) for method, path in routes
        ]

    def find(self, method: str, path: str) -> tuple[Rule | None, str, str]:
        """Return the rule of a request, the pattern of its address, and the study it names.

        Parameters
        ----------
        method, path : str
            The path without the root path.

        Returns
        -------
        Rule or None
            None where the route has no entry: nobody may use it.
        str
            The pattern, as in `RULES`; empty where the address does not exist.
        str
            Empty where it names no study.
        """
        if path.startswith(PUBLIC_FOLDERS) and method in ("GET", "HEAD"):
            return _OPEN, PUBLIC_FOLDERS[0], ""
        for known, pattern, expression in self._routes:
            match = expression.match(path)
            if match and known == method:
                return RULES.get((known, pattern)), pattern, match.groupdict().get("study", "")
        return _NOWHERE, "", ""
