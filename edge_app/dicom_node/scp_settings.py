"""How a node listens."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.dicom_node.peers import TlsFiles


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
