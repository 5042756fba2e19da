"""A node as a server's settings ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.edge_app.dicom_node.gate import Gate
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.peers import read_ae_titles
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import INCOMING, Spool
from edge_retrieve.edge_app.privacy import prepare_ingest
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace


def open_node(
    workspace: Workspace,
    settings: ServerSettings,
    *,
    gate: Gate | None = None,
    on_searchable: Callable[[float], None] | None = None,
) -> DicomNode | None:
    """Return the node that the settings ask for, not started yet.

    Where they ask for none there is one all the same if an earlier run left objects to be stored: what was
    acknowledged is not to wait for somebody to remember the option.

    Parameters
    ----------
    workspace : Workspace
    settings : ServerSettings
    gate, on_searchable
        As for `DicomNode`.

    Raises
    ------
    ConfigError
        Where a setting is wrong.
    StoreError
        Where the folder of received objects cannot be made.
    ModuleNotFoundError
        Where a library of the extra `dicom` is needed and not installed.
    """
    folder = settings.spool_folder(workspace.store.path)
    asked = settings.dicom_port or settings.dicom_web or settings.drop_folder
    if not asked and not has_left_objects(folder):
        return None
    scp = ScpSettings(
        host=settings.dicom_host,
        port=settings.dicom_port,
        ae_title=settings.ae_title,
        callers=read_ae_titles(settings.dicom_callers, "--dicom-callers"),
        associations=settings.dicom_associations,
        keep_free_mib=settings.dicom_keep_free_mib,
        tls=settings.dicom_tls,
    )
    return DicomNode(
        Spool(folder),
        workspace.store,
        workspace.encoder,
        scp=scp if settings.dicom_port else None,
        drop_folder=Path(settings.drop_folder) if settings.drop_folder else None,
        gate=gate,
        on_searchable=on_searchable,
        deidentifier=prepare_ingest(
            workspace.store, workspace.site, [], keep_identities=settings.keep_identities
        ),
        recorder=Recorder(workspace.site),
    )


def has_left_objects(folder: Path) -> bool:
    """Return whether objects wait in a folder of received objects; nothing is made there."""
    try:
        return (folder / INCOMING).is_dir() and bool(Spool(folder).entries())
    except OSError:
        return False
