"""The asking side: C-FIND, C-GET and C-MOVE of earlier studies, C-STORE of results."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from edge_retrieve.edge_app.dicom_node.arrival import Way
from edge_retrieve.edge_app.dicom_node.checking import check_reachable, refusal
from edge_retrieve.edge_app.dicom_node.contexts import storage_contexts
from edge_retrieve.edge_app.dicom_node.library import quieten
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer, check_ae_title
from edge_retrieve.edge_app.dicom_node.receiving import Receiver
from edge_retrieve.edge_app.dicom_node.remote import (
    RemoteStudy,
    Sent,
    Transfer,
    check_search,
    newest_first,
    remote_study,
)
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_TIMEOUT_S = 30.0
_PENDING = (0xFF00, 0xFF01)
_KEEP_FREE_MIB = 512
_FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve Information Model - FIND
_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_GET = "1.2.840.10008.5.1.4.1.2.2.3"


def find_studies(
    peer: Peer, *, patient: str = "", study: str = "", accession: str = ""
) -> tuple[RemoteStudy, ...]:
    """Ask for the studies of a patient (C-FIND, study root), the newest first.

    Parameters
    ----------
    peer : Peer
    patient, study, accession : str
        What is searched by; at least one. Wildcards are not sent on.

    Raises
    ------
    QueryError
        Where nothing is searched by, or a wildcard would match other patients.
    DicomError
        Where the other system cannot be reached or answers with a failure.
    """
    check_search(patient, study, accession)
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.PatientID, asked.StudyInstanceUID, asked.AccessionNumber = patient, study, accession
    asked.StudyDate = asked.StudyDescription = asked.ModalitiesInStudy = ""
    found = []
    with _associated(peer, [build_context(_FIND)]) as association, captured_warnings():
        for status, answer in association.send_c_find(asked, _FIND):
            if _code(status, peer) in _PENDING and answer is not None:
                found.append(remote_study(answer))
    return newest_first(found)


def get_study(peer: Peer, study: str, spool: Spool) -> Transfer:
    """Fetch a study's X-rays and reports into a spool over the same connection (C-GET).

    Raises
    ------
    DicomError
        Where the other system cannot be reached or answers with a failure.
    """
    receiver = Receiver(spool, peer.calling, _KEEP_FREE_MIB, Way.C_GET)
    accepted = storage_contexts()
    # One context for each syntax: objects come as they are kept there, not decompressed.
    contexts = [build_context(each, [syntax]) for each in accepted for syntax in accepted[each]]
    roles = [build_role(sop_class, scp_role=True) for sop_class in accepted]
    with _associated(
        peer, [*contexts, build_context(_GET)], roles, [(evt.EVT_C_STORE, receiver.store)]
    ) as association:
        return _transfer(association.send_c_get(_study_level(study), _GET), peer)


def move_study(peer: Peer, study: str, destination: str) -> Transfer:
    """Have a study sent to a node that the other system knows, by its AE title (C-MOVE).

    Raises
    ------
    ConfigError
        Where `destination` is no AE title.
    DicomError
        Where the other system cannot be reached, does not know the destination, or fails.
    """
    check_ae_title(destination, "destination")
    with _associated(peer, [build_context(_MOVE)]) as association:
        return _transfer(association.send_c_move(_study_level(study), destination, _MOVE), peer)


def send_files(
    peer: Peer, files: Sequence[Path], progress: Callable[[int, int, str], None] | None = None
) -> tuple[Sent, ...]:
    """Send DICOM files as they are (C-STORE), over one association.

    Parameters
    ----------
    peer : Peer
    files : sequence of Path
    progress : callable, optional
        Called with files done, their total and the file's name.

    Raises
    ------
    DicomError
        Where the other system cannot be reached.
    """
    return _send_all(peer, {path: path for path in files}, progress)


def send_objects(
    peer: Peer, objects: Mapping[str, bytes], progress: Callable[[int, int, str], None] | None = None
) -> tuple[Sent, ...]:
    """Send DICOM objects that are no files yet (C-STORE), over one association.

    Parameters
    ----------
    peer : Peer
    objects : mapping
        Each a whole file (Part 10), by the name that the outcome calls it.
    progress : callable, optional
        As of `send_files`.

    Raises
    ------
    DicomError
        Where the other system cannot be reached.
    """
    return _send_all(peer, {Path(name): io.BytesIO(data) for name, data in objects.items()}, progress)


def _send_all(
    peer: Peer,
    sources: Mapping[Path, Path | io.BytesIO],
    progress: Callable[[int, int, str], None] | None,
) -> tuple[Sent, ...]:
    outcomes: dict[Path, Sent] = {}
    objects: dict[Path, Dataset] = {}
    contexts: dict[tuple[str, str], PresentationContext] = {}
    for path, source in sources.items():
        try:
            # What is in memory already is read whole.
            dataset = pydicom.dcmread(source, defer_size=1 << 16 if isinstance(source, Path) else None)
            key = (str(dataset.SOPClassUID), str(dataset.file_meta.TransferSyntaxUID))
            named = str(dataset.get("SOPInstanceUID", ""))
        except Exception:
            # The parser meets arbitrary bytes here.
            outcomes[path] = Sent(path, False, "not a DICOM file that can be read")
            continue
        if not named:
            outcomes[path] = Sent(path, False, "it has no SOP Instance UID")
            continue
        objects[path] = dataset
        contexts.setdefault(key, build_context(key[0], [key[1]]))
    if len(contexts) > 128:
        raise QueryError("these files have more than 128 kinds and codings", remedy="Send fewer at once")
    if objects:
        with _associated(peer, list(contexts.values())) as association, captured_warnings():
            for done, (path, dataset) in enumerate(objects.items()):
                if progress:
                    progress(done, len(objects), path.name)
                outcomes[path] = _send(association, path, dataset)
    return tuple(outcomes[path] for path in sources)


def _send(association: Association, path: Path, dataset: Dataset) -> Sent:
    try:
        status = association.send_c_store(dataset)
    except ValueError:
        name = uid.UID(dataset.file_meta.TransferSyntaxUID).name
        return Sent(path, False, f"the other system does not take {dataset.SOPClassUID.name} as {name}")
    except RuntimeError:
        return Sent(path, False, "the association has ended")
    code = status.get("Status")
    if code is None:
        return Sent(path, False, "no answer")
    # PS3.7, annex C: 0000 and the warnings Bxxx mean that it is kept.
    return Sent(path, code == 0 or code >> 12 == 0xB, f"status 0x{code:04X}")


@contextmanager
def _associated(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    roles: Sequence[Any] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Association]:
    """Open an association and release it; `DicomError` says why it did not come about."""
    quieten()
    # What it cannot reach, pynetdicom calls an aborted association.
    check_reachable(peer, _TIMEOUT_S).require()
    entity = AE(peer.calling)
    entity.acse_timeout = entity.connection_timeout = _TIMEOUT_S
    entity.dimse_timeout = entity.network_timeout = 2 * _TIMEOUT_S
    start = time.monotonic()
    association = entity.associate(
        peer.host,
        peer.port,
        list(contexts),
        ae_title=peer.called,
        ext_neg=list(roles),
        tls_args=(peer.tls.client_context(), peer.host) if peer.tls else None,
        evt_handlers=list(handlers),
    )
    if not association.is_established:
        what, remedy = refusal(association, peer, timed_out=time.monotonic() - start >= _TIMEOUT_S)
        raise DicomError(
            what,
            where=peer.label,
            remedy=f"{remedy}. 'edge-retrieve dicom echo' tries it step by step",
        )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _study_level(study: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = study
    return asked


def _code(status: Dataset, peer: Peer) -> int:
    """Return the code of an answer; raise where there is none or it is a failure."""
    code = status.get("Status") if status else None
    if code is None:
        raise DicomError("the association ended without an answer", where=peer.label)
    if code not in (0, 0xFE00, 0xB000, *_PENDING):
        told = {0xA801: "it does not know the destination's AE title"}.get(code, f"status 0x{code:04X}")
        raise DicomError(
            f"the request failed: {told}",
            where=peer.label,
            remedy="Have our AE title, host and port entered there"
            if code == 0xA801
            else "Look at the log of the other system",
        )
    return int(code)


def _transfer(answers: Iterator[tuple[Dataset, Dataset | None]], peer: Peer) -> Transfer:
    completed = failed = 0
    with captured_warnings():
        for status, _ in answers:
            _code(status, peer)
            completed = int(status.get("NumberOfCompletedSuboperations", completed) or 0)
            completed += int(status.get("NumberOfWarningSuboperations", 0) or 0)
            failed = int(status.get("NumberOfFailedSuboperations", failed) or 0)
    return Transfer(completed, failed)
