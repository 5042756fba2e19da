"""What the node leaves in the audit trail: what became of each object, what each association brought."""

from __future__ import annotations

import logging
import threading
import time

from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Outcome
from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.edge_app.dicom_node.arrival import Arrival
from edge_retrieve.edge_app.dicom_node.quarantine import Fault
from edge_retrieve.edge_app.dicom_node.spool import SpoolEntry
from edge_retrieve.edge_app.dicom_node.status import ReceivingCounts
from edge_retrieve.runtime.errors import ConfigError

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

_REJECTIONS_EVERY_S = 10.0
_UNKNOWN = "unknown sender"


class Accounting:
    """Tells a site's audit trail what came in. Safe to share between threads.

    There is a line for each object, for each has its own study and its own outcome, when it is stored or set
    aside; and a line for each association, which also tells of what was refused and never became an object.
    Neither costs a write of its own: the trail writes and flushes lines together, twice a second.

    Parameters
    ----------
    recorder : Recorder or None
        None to tell nobody.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._rejected_at = -_REJECTIONS_EVERY_S
        self._untold = 0

    def stored(self, entry: SpoolEntry, sender: str, study: str, what: str) -> None:
        """Tell that an object is stored, or was before.

        Parameters
        ----------
        entry : SpoolEntry
        sender : str
            AE title in the object's file, for one whose arrival is not known.
        study : str
            As the archive has it; empty where it is not known.
        what : str
            What became of it, in a word or two.

        Raises
        ------
        AuditError, ConfigError
            Where the trail cannot be written: the object is to stay in the spool until it can.
        """
        self._of_object(entry, sender, study, what, Outcome.DONE)

    def set_aside(self, entry: SpoolEntry, sender: str, study: str, fault: Fault) -> None:
        """Tell that an object goes into quarantine; the parameters are those of `stored`.

        Raises
        ------
        AuditError, ConfigError
            Where the trail cannot be written.
        """
        outcome = Outcome.REFUSED if fault is Fault.REFUSED else Outcome.FAILED
        self._of_object(entry, sender, study, f"set aside as {fault.value}: object {entry.id}", outcome)

    def ended(self, arrival: Arrival, counts: ReceivingCounts | None) -> None:
        """Tell what an association brought, once it has ended; nothing where it brought nothing."""
        if counts is None:
            return
        told = f"{arrival.way.value}: {counts.received} received, {counts.refused} refused"
        outcome = Outcome.FAILED if counts.refused else Outcome.DONE
        self._note(arrival.user, outcome, arrival.address, told)

    def rejected(self, arrival: Arrival) -> None:
        """Tell that an association was rejected.

        Of many at once only the first of each ten seconds is told, with how many went untold before it:
        whoever may not call is not to fill the disk with lines either.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._rejected_at < _REJECTIONS_EVERY_S:
                self._untold += 1
                return
            self._rejected_at, untold, self._untold = now, self._untold, 0
        more = f", and {untold} before it" if untold else ""
        self._note(arrival.user, Outcome.REFUSED, arrival.address, f"association rejected{more}")

    def taken(self, arrival: Arrival, folder: str, count: int) -> None:
        """Tell that files were taken from a folder."""
        self._note(arrival.user, Outcome.DONE, folder, f"{arrival.way.value}: {count} taken")

    def close(self) -> None:
        """Write what waits."""
        if self._recorder is not None:
            try:
                self._recorder.close()
            except AuditError as error:
                _LOG.error("what was received is not all in the audit trail: %s", error.what)

    def _of_object(self, entry: SpoolEntry, sender: str, study: str, what: str, outcome: Outcome) -> None:
        if self._recorder is None:
            return
        came = entry.arrival
        user = came.user if came else f"AE {sender}" if sender else _UNKNOWN
        self._recorder.record(
            user,
            Action.INGEST,
            outcome,
            address=came.address if came else "",
            studies=[study],
            detail=f"{came.way.value}: {what}" if came else what,
        )

    def _note(self, user: str, outcome: Outcome, address: str, detail: str) -> None:
        """Write what has happened already, whether or not it can be told."""
        if self._recorder is None:
            return
        try:
            self._recorder.record(user, Action.INGEST, outcome, address=address, detail=detail)
        except (AuditError, ConfigError) as error:
            _LOG.error("what was received cannot be told to the audit trail: %s", error.what)
