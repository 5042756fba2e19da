"""Writing into a site's trail from where no request is under way: a node's threads, and commands."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.events import Action, Event, Outcome
from edge_retrieve.edge_app.audit.references import References, references_of
from edge_retrieve.edge_app.audit.trail import AuditTrail


class Recorder:
    """Writes what happened with studies into the trail of a site. Safe to share between threads.

    The trail is opened by the first event, so that what receives nothing writes nothing.

    Parameters
    ----------
    site : Site
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._trail: AuditTrail | None = None
        self._references: References | None = None

    def record(
        self,
        user: str,
        action: Action,
        outcome: Outcome = Outcome.DONE,
        *,
        address: str = "",
        studies: Iterable[str] = (),
        detail: str = "",
    ) -> None:
        """Take an event; it is on disk within half a second.

        Parameters
        ----------
        user, action, outcome, address, detail
            As of `Event`.
        studies : iterable of str
            Identifiers of the studies concerned, as the archive has them; references stand for them.

        Raises
        ------
        AuditError
            Where the trail cannot be written.
        ConfigError
            Where the site's key cannot be read.
        """
        trail, references = self.open()
        subjects = tuple(references.of(study) for study in dict.fromkeys(studies) if study)
        trail.record(Event(user, action, outcome, address, subjects, detail))

    def close(self) -> None:
        """Write what waits, and end.

        Raises
        ------
        AuditError
            Where it cannot be written.
        """
        with self._lock:
            trail, self._trail = self._trail, None
        if trail is not None:
            trail.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> tuple[AuditTrail, References]:
        """Open the trail now rather than with the first event, and return it with what makes references.

        Raises
        ------
        AuditError, ConfigError
            As `record`.
        """
        with self._lock:
            if self._references is None:
                self._references = references_of(self._site.key, make=self._site.may_make_key())
            if self._trail is None:
                self._trail = AuditTrail(self._site.audit)
            return self._trail, self._references
