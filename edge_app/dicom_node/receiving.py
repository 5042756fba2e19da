"""Answering C-STORE: an object is put on disk, unread, and only then acknowledged."""

from __future__ import annotations

import logging
import threading

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom import evt
from pynetdicom.association import Association

from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.status import ReceivingCounts
from edge_retrieve.runtime.preprocess.checks import MAX_FILE_BYTES
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

# PS3.4, table B.2-1.
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000

_PREAMBLE = b"\0" * 128 + b"DICM"
_MEBIBYTE = 1 << 20


class Receiver:
    """Handles C-STORE requests, of a caller or in the course of a C-GET. Safe to share between threads.

    Parameters
    ----------
    spool : Spool
    ae_title : str
        Ours, for the record.
    keep_free_mib : int
        Objects are refused where the disk would have less free space than this, MiB.
    way : Way
        How objects come here.
    """

    def __init__(self, spool: Spool, ae_title: str, keep_free_mib: int, way: Way = Way.C_STORE) -> None:
        self._spool, self._ae_title, self._keep_free_mib = spool, ae_title, keep_free_mib
        self._way = way
        self._lock = threading.Lock()
        self._open: dict[Association, ReceivingCounts] = {}
        self.counts = ReceivingCounts()

    def store(self, event: evt.Event) -> int:
        """Put an object into the spool and return the status to answer; bound to ``EVT_C_STORE``."""
        try:
            # pydicom warns of identifiers that are not as they should be, and quotes them.
            with captured_warnings():
                file = self._file(event)
            status = self._keep(file, arrival_of(event.assoc, self._way))
        except OSError as error:
            _LOG.error("an object was refused: it cannot be written (%s)", error.strerror)
            status = OUT_OF_RESOURCES
        except Exception as error:
            # A request whose parts make no sense; the sender is told, and keeps what it has.
            _LOG.error("an object was refused: %s", type(error).__name__)
            status = CANNOT_UNDERSTAND
        stored = status == SUCCESS
        with self._lock:
            self.counts = self.counts.and_one(stored)
            self._open[event.assoc] = self._open.get(event.assoc, ReceivingCounts()).and_one(stored)
        return status

    def ended(self, association: Association) -> ReceivingCounts | None:
        """Return what an association was answered, once; None where it asked for nothing."""
        with self._lock:
            return self._open.pop(association, None)

    def _keep(self, parts: list[bytes], arrival: Arrival) -> int:
        size = sum(map(len, parts))
        if size > MAX_FILE_BYTES:
            _LOG.error("an object was refused: it is larger than %d MiB", MAX_FILE_BYTES // _MEBIBYTE)
            return CANNOT_UNDERSTAND
        if self._spool.free_bytes() - size < self._keep_free_mib * _MEBIBYTE:
            _LOG.error("an object was refused: less than %d MiB is free", self._keep_free_mib)
            return OUT_OF_RESOURCES
        self._spool.put(parts, arrival=arrival)
        return SUCCESS

    def _file(self, event: evt.Event) -> list[bytes]:
        """Return a DICOM file of what was received, its data set as it came, unread."""
        meta = event.file_meta
        meta.SourceApplicationEntityTitle = event.assoc.remote["ae_title"]
        meta.ReceivingApplicationEntityTitle = self._ae_title
        stream = DicomBytesIO()
        write_file_meta_info(stream, meta)
        return [_PREAMBLE, stream.getvalue(), event.encoded_dataset(include_meta=False)]


def arrival_of(association: Association, way: Way) -> Arrival:
    """Return who is at the other side of an association."""
    remote = association.remote
    return Arrival(way, str(remote["ae_title"] or ""), str(remote["address"] or ""))
