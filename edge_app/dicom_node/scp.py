"""The listening side: C-ECHO and C-STORE. What is received is put on disk and acknowledged, nothing more."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded
from pynetdicom.transport import ThreadedAssociationServer

from edge_retrieve.edge_app.dicom_node.accounting import Accounting
from edge_retrieve.edge_app.dicom_node.arrival import Way
from edge_retrieve.edge_app.dicom_node.contexts import storage_contexts
from edge_retrieve.edge_app.dicom_node.library import quieten
from edge_retrieve.edge_app.dicom_node.peers import DicomError, check_ae_title
from edge_retrieve.edge_app.dicom_node.receiving import SUCCESS, Receiver, arrival_of
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.status import ScpStatus

_LOG = logging.getLogger("edge_retrieve.edge_app.dicom_node")

_LARGEST_PDU = 1 << 18  # bytes; the default of 16 KiB makes a thousand pieces of an X-ray


@dataclass
class _Counts:
    """What was answered so far."""

    echoes: int = 0
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
    accounting : Accounting, optional
        Told who called, and what came of it.

    Raises
    ------
    ConfigError
        Where the AE title or a TLS file is wrong.
    """

    def __init__(self, spool: Spool, settings: ScpSettings, accounting: Accounting | None = None) -> None:
        quieten()
        self._settings = settings
        self._accounting = accounting or Accounting()
        self._receiver = Receiver(spool, settings.ae_title, settings.keep_free_mib)
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
            received=self._receiver.counts.received,
            refused=self._receiver.counts.refused,
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
            (evt.EVT_C_STORE, self._receiver.store),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_CONN_CLOSE, self._ended),
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
        while time.monotonic() < deadline:
            # One that has not even introduced itself has begun nothing.
            if not any(each.is_established for each in server.active_associations):
                break
            time.sleep(0.05)
        for association in server.active_associations:
            association.abort()

    def _echo(self, event: evt.Event) -> int:
        self._counts.add("echoes")
        return SUCCESS

    def _rejected(self, event: evt.Event) -> None:
        self._counts.add("rejected")
        self._accounting.rejected(arrival_of(event.assoc, Way.C_STORE))
        _LOG.warning(
            "an association was rejected: its AE titles are not those expected, or too many are open"
        )

    def _ended(self, event: evt.Event) -> None:
        """However it ended: released, aborted, or the connection is gone."""
        counts = self._receiver.ended(event.assoc)
        self._accounting.ended(arrival_of(event.assoc, Way.C_STORE), counts)
