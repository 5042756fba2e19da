"""What commands of the command line leave in the audit trail."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Outcome
from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.runtime.errors import ConfigError


@contextmanager
def audited(
    site: Site, action: Action, *, studies: Sequence[str] = (), detail: str = "", required: bool = False
) -> Iterator[None]:
    """Write into the trail what the block does, and whether it succeeded.

    Parameters
    ----------
    site : Site
    action : Action
    studies : sequence of str
        The studies concerned; a list that the block may add to.
    detail : str
        Names no patient.
    required : bool
        Whether the block is only run where it can be recorded. Otherwise a site that cannot be written (a
        store on a read-only medium) stays usable.

    Raises
    ------
    AuditError
        Where it is required and cannot be written.
    """
    recorder = Recorder(site)
    recorded = True
    try:
        recorder.open()
    except (AuditError, ConfigError):
        if required:
            raise
        recorded = False

    def record(outcome: Outcome) -> None:
        if recorded:
            recorder.record(_who(), action, outcome, studies=studies, detail=detail)
            recorder.close()

    try:
        yield
    except BaseException:
        # A full disk fails both: what went wrong first is told.
        with suppress(AuditError):
            record(Outcome.FAILED)
        raise
    record(Outcome.DONE)


def _who() -> str:
    try:
        return f"system {getpass.getuser()}"
    except (KeyError, OSError):
        # A user number without a name, as in a container.
        return "system"
