"""What this server holds and works with: the archive, the model, the regions."""

from __future__ import annotations

from fastapi import APIRouter

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.notice import DISCLAIMER
from edge_retrieve.edge_app.shapes import Archive, FindingList, Limits, ModelInUse, RegionList
from edge_retrieve.edge_app.wire import region_name
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.findings import Finding

router = APIRouter(tags=["archive"])


@router.get("/api/archive")
def archive(use: Use) -> Archive:
    """Return the archive's name and size, the model, and the limits of requests."""
    manifest = use.workspace.bundle.manifest
    return Archive(
        name=use.workspace.label.name,
        synthetic=use.workspace.label.synthetic,
        studies=use.workspace.store.count(),
        model=ModelInUse(manifest.model_id, use.workspace.bundle.bundle_id, manifest.training_data),
        limits=Limits(use.settings.max_upload_mib, use.settings.max_hits),
        disclaimer=DISCLAIMER,
    )


@router.get("/api/regions")
async def regions() -> RegionList:
    """Return the anatomical regions in the order of the model's outputs."""
    return RegionList([region_name(region) for region in REGIONS])


@router.get("/api/findings")
async def findings() -> FindingList:
    """Return the findings that reports are read for, which hits can be narrowed to."""
    return FindingList([finding.value for finding in Finding])
