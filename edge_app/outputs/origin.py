"""What made a result: read from an open workspace."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from edge_retrieve.edge_app.outputs.content import Origin
from edge_retrieve.edge_app.workspace import Workspace


def origin_of(workspace: Workspace) -> Origin:
    """Return the model and the archive that a workspace answers with, as they are now."""
    store = workspace.store
    return replace(
        origin_of_model(workspace.bundle.manifest.model_id, workspace.bundle.bundle_id),
        archive=workspace.label.name,
        archive_sha256=store.content_digest(),
        studies=store.count(),
        synthetic=workspace.label.synthetic,
    )


def origin_of_model(model_id: str, bundle_id: str) -> Origin:
    """Return the model alone, of what no archive had a part in."""
    try:
        software = version("edge-retrieve")
    except PackageNotFoundError:  # run from a tree that was never installed
        software = "unknown"
    return Origin(
        software=software,
        model_id=model_id,
        bundle_id=bundle_id,
        archive="",
        archive_sha256="",
        studies=0,
        synthetic=False,
    )
