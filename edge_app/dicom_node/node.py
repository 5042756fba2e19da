"""A node as one object: what listens, what watches, what stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.edge_app.dicom_node.accounting import Accounting
from edge_retrieve.edge_app.dicom_node.gate import Gate, OpenGate
from edge_retrieve.edge_app.dicom_node.pseudonym_gate import PseudonymGate
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.status import NodeStatus, spool_status
from edge_retrieve.edge_app.dicom_node.storing import ObjectStorer
from edge_retrieve.edge_app.dicom_node.worker import Worker
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.store import Store

if TYPE_CHECKING:
    from edge_retrieve.edge_app.dicom_node.drop_folder import DropFolder
    from edge_retrieve.edge_app.dicom_node.scp import StorageScp


class DicomNode:
    """A node beside a server. Use it as a context manager: it listens and works inside.

    Parameters
    ----------
    spool : Spool
    store : Store
    encoder : Encoder
        Of the store's bundle; shared with the queries.
    scp : ScpSettings, optional
        None not to listen.
    drop_folder : Path, optional
        None not to watch one.
    gate : Gate, optional
        What objects pass before they are stored; all of them as they are where None.
    deidentifier : Deidentifier, optional
        What cases pass before they are stored; none where None.
    on_searchable : callable, optional
        Told the seconds from arrival to being searchable, for each image.
    recorder : Recorder, optional
        Writes into the audit trail what comes in; closed when the node stops.

    Raises
    ------
    ConfigError
        Where a setting is wrong.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store,
        encoder: Encoder,
        *,
        scp: ScpSettings | None = None,
        drop_folder: Path | None = None,
        gate: Gate | None = None,
        on_searchable: Callable[[float], None] | None = None,
        deidentifier: Deidentifier | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.spool = spool
        self._accounting = Accounting(recorder)
        self._scp: StorageScp | None = None
        self._drop: DropFolder | None = None
        # Loaded where asked for: a server without them needs no library of the extra `dicom`.
        if scp is not None:
            from edge_retrieve.edge_app.dicom_node.scp import StorageScp

            self._scp = StorageScp(spool, scp, self._accounting)
        if drop_folder is not None:
            from edge_retrieve.edge_app.dicom_node.drop_folder import DropFolder

            self._drop = DropFolder(drop_folder, spool, self._accounting)
        if gate is None:
            gate = OpenGate() if deidentifier is None else PseudonymGate(deidentifier)
        storer = ObjectStorer(spool, store, encoder, gate, on_searchable, deidentifier, self._accounting)
        self._storer = storer
        self._worker = Worker(spool, storer)

    @property
    def port(self) -> int:
        """The port listened on; 0 where it does not listen."""
        return self._scp.port if self._scp is not None else 0

    @property
    def status(self) -> NodeStatus:
        """How it fares."""
        return NodeStatus(
            scp=self._scp.status if self._scp is not None else None,
            work=self._worker.status,
            spool=spool_status(self.spool),
            drop_folder=str(self._drop.folder) if self._drop is not None else "",
        )

    def use(self, store: Store, encoder: Encoder) -> None:
        """Store with these from now on: the archive has another bundle."""
        self._storer.use(store, encoder)

    def start(self) -> None:
        """Begin to work off what an earlier run left, then to listen.

        Raises
        ------
        DicomError
            Where the port cannot be listened on.
        """
        if self._scp is not None:
            self._scp.start()
        if self._drop is not None:
            self._drop.start()
        self._worker.start()

    def stop(self) -> None:
        """Accept no more, end what is in hand; what waits is worked off after the next start."""
        if self._scp is not None:
            self._scp.stop()
        if self._drop is not None:
            self._drop.stop()
        self._worker.stop()
        self._accounting.close()

    def __enter__(self) -> DicomNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
