"""The pictures of stored studies and of uploads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from edge_retrieve.edge_app.api.services import Use

_SMALLEST_SIDE, _LARGEST_SIDE = 16, 1024  # pixels of a reduced picture
# A stored picture never changes, but it is a patient's: no shared cache may keep it.
_KEPT = {"cache-control": "private, max-age=3600"}

Side = Annotated[int | None, Query(ge=_SMALLEST_SIDE, le=_LARGEST_SIDE)]

router = APIRouter(tags=["pixels"])


@router.get("/api/studies/{study:path}/image.png")
def study_image(study: str, use: Use, side: Side = None) -> Response:
    """Return a study's picture, its longer side reduced to `side` pixels where given."""
    picture = use.thumbnails.of(study, side) if side else use.workspace.store.preview(study)
    return Response(picture, media_type="image/png", headers=_KEPT)


@router.get("/api/uploads/{upload}/image.png")
def upload_image(upload: str, use: Use) -> Response:
    """Return an upload's picture."""
    return Response(use.uploads.get(upload).content.preview, media_type="image/png")
