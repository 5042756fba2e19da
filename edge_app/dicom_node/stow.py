"""STOW-RS (PS3.18, 10.5): objects sent over HTTP go the way of those sent by C-STORE."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

from pydicom import uid
from pydicom.dataset import Dataset
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.contexts import storage_contexts
from edge_retrieve.edge_app.dicom_node.keeping import file_meta, study_of
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.problems import MediaTypeError
from edge_retrieve.runtime.errors import QueryError

MEDIA_TYPE = "application/dicom+json"
_MOST_PARTS = 1000
_MEBIBYTE = 1 << 20

# PS3.18, table I.2-2.
_OUT_OF_RESOURCES, _MISMATCH, _CANNOT_UNDERSTAND = 0xA700, 0xA900, 0xC000
_CLASS_NOT_SUPPORTED, _SYNTAX_NOT_SUPPORTED = 0x0122, 0xC122


@dataclass(frozen=True)
class PartOutcome:
    """What became of one object of a request.

    Parameters
    ----------
    sop_class, sop_instance : str
        Empty where it does not say.
    failure : int
        Failure Reason (0008,1197); 0 where it is on disk.
    """

    sop_class: str
    sop_instance: str
    failure: int = 0


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a request's body.

    Raises
    ------
    MediaTypeError
        Where the body is not ``multipart/related; type="application/dicom"``.
    """
    header = Message()
    header["content-type"] = content_type
    boundary, kind = header.get_param("boundary"), header.get_param("type")
    if (
        header.get_content_type() != "multipart/related"
        or not isinstance(boundary, str)
        or not 0 < len(boundary) <= 70  # RFC 2046, 5.1.1
        or not boundary.isascii()
        or kind not in (None, "application/dicom")
    ):
        raise MediaTypeError(
            "objects are sent as multipart/related",
            where="content-type",
            remedy='Send multipart/related; type="application/dicom"; boundary=...',
        )
    return boundary.encode()


def split_parts(body: bytes, boundary: bytes) -> list[bytes]:
    """Return the parts of a multipart body, without their headers.

    Raises
    ------
    QueryError
        Where it is cut short, or no multipart body, or has no part.
    """
    parts: list[bytearray] = []
    ended = False

    def begin() -> None:
        if len(parts) == _MOST_PARTS:
            raise QueryError(f"more than {_MOST_PARTS} objects", remedy="Send fewer in a request")
        parts.append(bytearray())

    def take(data: bytes, start: int, end: int) -> None:
        parts[-1] += data[start:end]

    def finish() -> None:
        nonlocal ended
        ended = True

    parser = MultipartParser(boundary, {"on_part_begin": begin, "on_part_data": take, "on_end": finish})
    try:
        parser.write(body)
    except MultipartParseError as error:
        raise QueryError("the body is no multipart body", remedy="Check its boundary") from error
    if not ended or not parts:
        raise QueryError("the body is cut short, or holds no object", remedy="Check its boundary")
    return [bytes(part) for part in parts]


def store_parts(
    spool: Spool,
    parts: Sequence[bytes],
    *,
    study: str = "",
    keep_free_mib: int = 512,
    user: str = "",
    address: str = "",
) -> tuple[PartOutcome, ...]:
    """Put objects into a spool; what is said to be stored is on disk.

    Parameters
    ----------
    spool : Spool
    parts : sequence of bytes
        DICOM files.
    study : str
        The Study Instance UID that all of them must have; empty for any.
    keep_free_mib : int
        As for C-STORE.
    user, address : str
        Who sent them, as the audit trail tells it.
    """
    arrival = Arrival(Way.STOW, user, address)
    return tuple(_store(spool, part, study, keep_free_mib * _MEBIBYTE, arrival) for part in parts)


def _store(spool: Spool, part: bytes, study: str, keep_free: int, arrival: Arrival) -> PartOutcome:
    meta = file_meta(io.BytesIO(part))
    outcome = PartOutcome(meta.text("MediaStorageSOPClassUID"), meta.text("MediaStorageSOPInstanceUID"))
    syntax = meta.text("TransferSyntaxUID")
    failure = _refusal(part, outcome.sop_class, syntax, study)
    if not failure:
        try:
            if spool.free_bytes() - len(part) < keep_free:
                failure = _OUT_OF_RESOURCES
            else:
                spool.put([part], arrival=arrival)
        except OSError:
            failure = _OUT_OF_RESOURCES
    return PartOutcome(outcome.sop_class, outcome.sop_instance, failure)


def _refusal(part: bytes, sop_class: str, syntax: str, study: str) -> int:
    if not sop_class or not syntax:
        return _CANNOT_UNDERSTAND
    accepted = storage_contexts().get(uid.UID(sop_class))
    if accepted is None:
        return _CLASS_NOT_SUPPORTED
    if syntax not in accepted:
        return _SYNTAX_NOT_SUPPORTED
    # A deflated data set may be a bomb: it is looked at by the pixel path alone.
    looked_at = study and syntax != uid.DeflatedExplicitVRLittleEndian
    if looked_at and study_of(io.BytesIO(part)) != study:
        return _MISMATCH
    return 0


def answer(outcomes: Sequence[PartOutcome]) -> tuple[HTTPStatus, str]:
    """Return the status and the body, DICOM JSON, of an answer (PS3.18, 10.5.3)."""
    stored = [outcome for outcome in outcomes if not outcome.failure]
    failed = [outcome for outcome in outcomes if outcome.failure]
    document = Dataset()
    if stored:
        document.ReferencedSOPSequence = list(_items(stored))
    if failed:
        document.FailedSOPSequence = list(_items(failed))
    status = HTTPStatus.OK if not failed else HTTPStatus.ACCEPTED if stored else HTTPStatus.CONFLICT
    return status, document.to_json()


def _items(outcomes: Sequence[PartOutcome]) -> Iterator[Dataset]:
    for outcome in outcomes:
        item = Dataset()
        item.ReferencedSOPClassUID = outcome.sop_class
        item.ReferencedSOPInstanceUID = outcome.sop_instance
        if outcome.failure:
            item.FailureReason = outcome.failure
        yield item
