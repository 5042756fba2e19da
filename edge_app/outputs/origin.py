"""What made a result: read from an open workspace."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from edge_retrieve.edge_app.outputs.content import Origin
from edge_retrieve.edge_app.workspace import Workspace


def origin_of(workspace: Workspace) -> Origin:
    """Return the model and the archive that a workspace answers with, as they are now."""
    try:
        software = version("edge-retrieve")
    except PackageNotFoundError:  # run from a tree that was never installed
        software = "unknown"
    store = workspace.store
    return Origin(
        software=software,
        model_id=workspace.bundle.manifest.model_id,
        bundle_id=workspace.bundle.bundle_id,
        archive=workspace.label.name,
        archive_sha256=store.content_digest(),
        studies=store.count(),
        synthetic=workspace.label.synthetic,
    )
