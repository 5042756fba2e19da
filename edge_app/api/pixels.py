"""The pictures of stored studies and of uploads: windowed, and as grey values."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.pictures import Held, Pictures, Shown
from edge_retrieve.edge_app.shapes import GreyWindow, PixelFacts

_SMALLEST_SIDE, _LARGEST_SIDE = 16, 1024  # pixels of a reduced picture
_FARTHEST = 1_000_000.0  # a window's edge, grey values
_NARROWEST = 1e-3
# A stored picture never changes, but it is a patient's: no shared cache may keep it.
_KEPT = {"cache-control": "private, max-age=3600"}

Side = Annotated[int | None, Query(ge=_SMALLEST_SIDE, le=_LARGEST_SIDE)]
Level = Annotated[float | None, Query(ge=-_FARTHEST, le=_FARTHEST, allow_inf_nan=False)]
Width = Annotated[float | None, Query(ge=_NARROWEST, le=_FARTHEST, allow_inf_nan=False)]

router = APIRouter(tags=["pixels"])


def _described(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string", "contentMediaType": media_type}}}}}


_PNG = _described("image/png")
_GREY = _described("application/octet-stream")
_GREY[200]["headers"] = {
    name: {"schema": {"type": "integer"}, "required": True} for name in ("x-rows", "x-columns")
}


@router.get("/api/studies/{study:path}/image.png", response_class=Response, responses=_PNG)
async def study_image(
    study: str,
    use: Use,
    side: Side = None,
    level: Level = None,
    window: Width = None,
    invert: bool = False,
) -> Response:
    """Return a study's picture, through a window of the reader's where `level` and `window` are given."""
    shown = Shown(level, window, invert, side)
    return _png(await use.turns.run(lambda: use.pictures.study_png(study, shown)))


@router.get("/api/studies/{study:path}/pixels.json")
async def study_pixel_facts(study: str, use: Use) -> PixelFacts:
    """Return what a study's grey values mean, and windows to begin with."""
    return pixel_facts(await use.turns.run(lambda: use.pictures.of_study(study)))


@router.get("/api/studies/{study:path}/pixels", response_class=Response, responses=_GREY)
async def study_pixels(study: str, request: Request, use: Use) -> Response:
    """Return a study's grey values: 16 bits each, little-endian, row by row."""

    def work() -> Response:
        return _raw(use.pictures, use.pictures.of_study(study), request)

    return await use.turns.run(work)


@router.get("/api/uploads/{upload}/image.png", response_class=Response, responses=_PNG)
async def upload_image(
    upload: str,
    use: Use,
    side: Side = None,
    level: Level = None,
    window: Width = None,
    invert: bool = False,
) -> Response:
    """Return an upload's picture, as a study's."""
    shown, kept = Shown(level, window, invert, side), use.uploads.get(upload)
    return _png(await use.turns.run(lambda: use.pictures.upload_png(kept, shown)))


@router.get("/api/uploads/{upload}/pixels.json")
async def upload_pixel_facts(upload: str, use: Use) -> PixelFacts:
    """Return what an upload's grey values mean, and windows to begin with."""
    kept = use.uploads.get(upload)
    return pixel_facts(await use.turns.run(lambda: use.pictures.of_upload(kept)))


@router.get("/api/uploads/{upload}/pixels", response_class=Response, responses=_GREY)
async def upload_pixels(upload: str, request: Request, use: Use) -> Response:
    """Return an upload's grey values at full size, as a study's."""
    kept = use.uploads.get(upload)

    def work() -> Response:
        return _raw(use.pictures, use.pictures.of_upload(kept), request)

    return await use.turns.run(work)


def pixel_facts(held: Held) -> PixelFacts:
    """Return what grey values mean."""
    grey = held.grey
    return PixelFacts(
        rows=grey.values.shape[0],
        columns=grey.values.shape[1],
        width=held.width,
        height=held.height,
        minimum=int(grey.values.min()),
        maximum=int(grey.values.max()),
        scale=grey.scale.kind.value,
        bits=grey.scale.bits,
        windows=[GreyWindow(window.name, window.center, window.width) for window in grey.scale.windows],
        note=held.note,
    )


def _png(picture: bytes) -> Response:
    return Response(picture, media_type="image/png", headers=_KEPT)


def _raw(pictures: Pictures, held: Held, request: Request) -> Response:
    compressed = takes_gzip(request.headers.get("accept-encoding", ""))
    rows, columns = held.grey.values.shape
    headers = {**_KEPT, "x-rows": str(rows), "x-columns": str(columns), "vary": "accept-encoding"}
    if compressed:
        headers["content-encoding"] = "gzip"
    body = pictures.packed(held, compressed=compressed)
    return Response(body, media_type="application/octet-stream", headers=headers)


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding header takes gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        try:
            weights[name.strip()] = float(weight.partition("=")[2] or 1)
        except ValueError:
            weights[name.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
