"""Sending results to a PACS, as a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Outcome
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer
from edge_retrieve.edge_app.dicom_node.scu import send_objects
from edge_retrieve.edge_app.jobs.runner import Cancelled, Progress, Result, Work
from edge_retrieve.edge_app.outputs.kinds import Output


def send_results(peer: Peer, outputs: Sequence[Output], told: Callable[[Outcome, str], None]) -> Work:
    """Return the work that sends the DICOM objects of a result over one association (C-STORE).

    Parameters
    ----------
    peer : Peer
    outputs : sequence of Output
        Made before: what is sent is what was asked for, whatever the archive holds by then.
    told : callable
        Told that it begins, and how it ended, however that was, for the audit trail. What it raises at the
        beginning ends the work: what cannot be recorded is not done.
    """
    objects = {output.file_name: output.data for output in outputs}

    def work(progress: Progress) -> Result:
        told(Outcome.DONE, f"C-STORE to {peer.label} begins: {', '.join(objects)}")
        try:
            sent = send_objects(peer, objects, progress)
        except BaseException:
            # Also where it is cancelled in between; what went wrong first is told.
            with suppress(AuditError):
                told(Outcome.FAILED, f"C-STORE to {peer.label} did not end")
            raise
        taken = sum(each.ok for each in sent)
        outcome = Outcome.DONE if taken == len(sent) else Outcome.FAILED
        told(outcome, f"C-STORE to {peer.label}: {taken} of {len(sent)} objects taken")
        left = [f"{each.path.name}: {each.what}" for each in sent if not each.ok]
        if left:
            raise DicomError(
                f"{taken} of {len(sent)} objects were taken ({'; '.join(left)})",
                where=peer.label,
                remedy="Have the system take these kinds of objects, or look at its log",
            )
        with suppress(Cancelled):  # too late: all of it is there
            progress(len(sent), len(sent), "")
        return {"destination": peer.called, "sent": taken, "objects": ", ".join(objects)}

    return work
