"""The listening side: C-ECHO and C-STORE. What is received is put on disk and acknowledged, nothing more."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded
from pynetdicom.transport import ThreadedAssociationServer

from edge_retrieve.edge_app.dicom_node.contexts import storage_contexts
from edge_retrieve.edge_app.dicom_node.library import quieten
from edge_retrieve.edge_app.dicom_node.peers import DicomError, TlsFiles, check_ae_title
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.status import ScpStatus
from edge_retrieve.runtime.preprocess.checks import MAX_FILE_BYTES

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

# PS3.4, table B.2-1.
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_PREAMBLE = b"\0" * 128 + b"DICM"
_LARGEST_PDU = 1 << 18  # bytes; the default of 16 KiB makes a thousand pieces of an X-ray
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ScpSettings:
    """How a node listens.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        0 takes a free one.
    ae_title : str
        Ours. An association that calls another is rejected.
    callers : frozenset of str
        AE titles that may call; empty for any.
    associations : int
        Most at a time; more are rejected for the moment.
    keep_free_mib : int
        Objects are refused where the disk has less free space than this, MiB.
    tls : TlsFiles or None
        None to listen without encryption.
    """

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "EDGE_RETRIEVE"
    callers: frozenset[str] = frozenset()
    associations: int = 16
    keep_free_mib: int = 512
    tls: TlsFiles | None = None


@dataclass
class _Counts:
    """What was answered so far."""

    echoes: int = 0
    received: int = 0
    refused: int = 0
    rejected: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str) -> None:
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)


class StorageScp:
    """A storage service class provider (PS3.4 annex B).

    Parameters
    ----------
    spool : Spool
    settings : ScpSettings

    Raises
    ------
    ConfigError
        Where the AE title or a TLS file is wrong.
    """

    def __init__(self, spool: Spool, settings: ScpSettings) -> None:
        quieten()
        self._spool, self._settings = spool, settings
        self._counts = _Counts()
        self._server: ThreadedAssociationServer | None = None
        self._tls = settings.tls.server_context() if settings.tls else None
        self._ae = AE(check_ae_title(settings.ae_title, "--ae-title"))
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = sorted(settings.callers)
        self._ae.maximum_associations = settings.associations
        self._ae.maximum_pdu_size = _LARGEST_PDU
        self._ae.add_supported_context(Verification)
        for sop_class, syntaxes in storage_contexts().items():
            self._ae.add_supported_context(sop_class, list(syntaxes))

    @property
    def port(self) -> int:
        """The port listened on; 0 before it starts."""
        return self._server.server_address[1] if self._server is not None else 0

    @property
    def status(self) -> ScpStatus:
        """What it has done."""
        counts, settings = self._counts, self._settings
        return ScpStatus(
            ae_title=settings.ae_title,
            host=settings.host,
            port=self.port,
            tls=self._tls is not None,
            associations=len(self._server.active_associations) if self._server is not None else 0,
            echoes=counts.echoes,
            received=counts.received,
            refused=counts.refused,
            rejected=counts.rejected,
        )

    def start(self) -> None:
        """Listen, in threads of its own; returns at once.

        Raises
        ------
        DicomError
            Where the address cannot be listened on.
        """
        handlers: list[Any] = [
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_REJECTED, self._rejected),
        ]
        address = (self._settings.host, self._settings.port)
        try:
            self._server = self._ae.start_server(
                address, block=False, evt_handlers=handlers, ssl_context=self._tls
            )
        except OSError as error:
            raise DicomError(
                f"cannot listen there ({error.strerror or error})",
                where=f"{address[0]}:{address[1]}",
                remedy="Choose another --dicom-port, or end the program that uses it",
            ) from error

    def stop(self, seconds: float = 10.0) -> None:
        """Accept no more, let open associations end by themselves for so long, then abort them."""
        server, self._server = self._server, None
        if server is None:
            return
        # What it does at once: closing the listening socket; open associations go on.
        server.shutdown()
        deadline = time.monotonic() + seconds
        while server.active_associations and time.monotonic() < deadline:
            time.sleep(0.05)
        for association in server.active_associations:
            association.abort()

    def _echo(self, event: evt.Event) -> int:
        self._counts.add("echoes")
        return _SUCCESS

    def _rejected(self, event: evt.Event) -> None:
        self._counts.add("rejected")
        _LOG.warning(
            "an association was rejected: its AE titles are not those expected, or too many are open"
        )

    def _store(self, event: evt.Event) -> int:
        """Put an object into the spool: only what is on disk is acknowledged."""
        try:
            parts = self._file(event)
            size = sum(map(len, parts))
            if size > MAX_FILE_BYTES:
                self._counts.add("refused")
                return _CANNOT_UNDERSTAND
            if self._spool.free_bytes() - size < self._settings.keep_free_mib * _MEBIBYTE:
                _LOG.error(
                    "an object was refused: the disk has less than %d MiB", self._settings.keep_free_mib
                )
                self._counts.add("refused")
                return _OUT_OF_RESOURCES
            self._spool.put(parts)
        except OSError as error:
            _LOG.error("an object was refused: it cannot be written (%s)", error.strerror)
            self._counts.add("refused")
            return _OUT_OF_RESOURCES
        except Exception as error:
            # A request whose parts make no sense; the sender is told, and keeps what it has.
            _LOG.error("an object was refused: %s", type(error).__name__)
            self._counts.add("refused")
            return _CANNOT_UNDERSTAND
        self._counts.add("received")
        return _SUCCESS

    def _file(self, event: evt.Event) -> list[bytes]:
        """Return a DICOM file of what was received, its data set as it came, unread."""
        meta = event.file_meta
        meta.SourceApplicationEntityTitle = event.assoc.requestor.ae_title
        meta.ReceivingApplicationEntityTitle = self._settings.ae_title
        stream = DicomBytesIO()
        write_file_meta_info(stream, meta)
        return [_PREAMBLE, stream.getvalue(), event.encoded_dataset(include_meta=False)]
