"""Sending results to a PACS, as a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_retrieve.edge_app.audit.events import Outcome
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer
from edge_retrieve.edge_app.dicom_node.scu import send_objects
from edge_retrieve.edge_app.jobs.runner import Progress, Result, Work
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
        outcome, taken = Outcome.FAILED, 0
        try:
            sent = send_objects(peer, objects, progress)
            taken = sum(each.ok for each in sent)
            outcome = Outcome.DONE if taken == len(sent) else Outcome.FAILED
        finally:
            told(outcome, f"C-STORE to {peer.label}: {taken} of {len(objects)} objects taken")
        left = [f"{each.path.name}: {each.what}" for each in sent if not each.ok]
        if left:
            raise DicomError(
                f"{taken} of {len(sent)} objects were taken ({'; '.join(left)})",
                where=peer.label,
                remedy="Have the system take these kinds of objects, or look at its log",
            )
        progress(len(sent), len(sent), "")
        return {"destination": peer.called, "sent": taken, "objects": ", ".join(objects)}

    return work
