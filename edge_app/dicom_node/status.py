"""How a node fares, as typed objects for metrics, the page and ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_retrieve.edge_app.dicom_node.quarantine import count_quarantined
from edge_retrieve.edge_app.dicom_node.spool import Spool


@dataclass(frozen=True)
class WorkStatus:
    """What the worker has done since it started.

    Parameters
    ----------
    stored : int
        Images stored.
    unchanged : int
        Images that the store had already.
    reports : int
        Reports stored, or laid by until their image comes.
    set_aside : int
        Objects moved to quarantine.
    failing : str
        Why objects are being tried again; empty where all is well.
    """

    stored: int = 0
    unchanged: int = 0
    reports: int = 0
    set_aside: int = 0
    failing: str = ""


@dataclass(frozen=True)
class ReceivingCounts:
    """What C-STORE requests were answered.

    Parameters
    ----------
    received : int
        With success: the object is on disk.
    refused : int
        With a failure: the sender keeps it.
    """

    received: int = 0
    refused: int = 0

    def and_one(self, stored: bool) -> ReceivingCounts:
        """Return them with one more request."""
        return replace(self, received=self.received + stored, refused=self.refused + (not stored))


@dataclass(frozen=True)
class SpoolStatus:
    """What lies in a node's folders.

    Parameters
    ----------
    waiting : int
        Objects acknowledged and not stored yet.
    oldest_s : float
        How long the oldest of them has waited, seconds.
    quarantined : int
        Objects that cannot be stored.
    waiting_reports : int
        Reports whose image has not come yet.
    free_bytes : int
        Free space of the disk.
    """

    waiting: int
    oldest_s: float
    quarantined: int
    waiting_reports: int
    free_bytes: int


@dataclass(frozen=True)
class ScpStatus:
    """What the listening side has done since it started.

    Parameters
    ----------
    ae_title, host : str
    port : int
    tls : bool
    associations : int
        Open now.
    echoes, received, refused : int
        C-ECHO and C-STORE requests answered with success, and C-STORE requests refused for want of space.
    rejected : int
        Associations rejected.
    """

    ae_title: str
    host: str
    port: int
    tls: bool
    associations: int
    echoes: int
    received: int
    refused: int
    rejected: int


@dataclass(frozen=True)
class NodeStatus:
    """All of a node.

    Parameters
    ----------
    scp : ScpStatus or None
        None where it does not listen.
    work : WorkStatus
    spool : SpoolStatus
    drop_folder : str
        The folder watched; empty for none.
    """

    scp: ScpStatus | None
    work: WorkStatus
    spool: SpoolStatus
    drop_folder: str = ""


def spool_status(spool: Spool) -> SpoolStatus:
    """Return what lies in a spool; another process may own it.

    Raises
    ------
    OSError
        Where a folder cannot be listed.
    """
    entries = spool.entries()
    return SpoolStatus(
        waiting=len(entries),
        oldest_s=entries[0].waiting_s if entries else 0.0,
        quarantined=count_quarantined(spool),
        waiting_reports=spool.waiting_reports(),
        free_bytes=spool.free_bytes(),
    )
