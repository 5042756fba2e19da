"""Where a phrase is on a study or an upload."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.asking import LONGEST_NAME, LONGEST_TEXT
from edge_retrieve.edge_app.grounding import grounding_shape
from edge_retrieve.edge_app.locating import Located, locate, map_png
from edge_retrieve.edge_app.metrics import Stage
from edge_retrieve.edge_app.shapes import Grounded, GroundedText, LocatedBox
from edge_retrieve.edge_app.wire import box_edges
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.grounding.report import ground_text

_LONGEST_PHRASE = 1000  # characters
_MOST_REGIONS = len(Region)
_SIDE = 512  # pixels
_SMALLEST_SIDE, _LARGEST_SIDE = 16, 2048

router = APIRouter(tags=["grounding"])

Phrase = Annotated[str, Query(min_length=1, max_length=_LONGEST_PHRASE)]
Regions = Annotated[Sequence[str], Query(max_length=_MOST_REGIONS)]
Side = Annotated[int, Query(ge=_SMALLEST_SIDE, le=_LARGEST_SIDE)]
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}}}
}


class GroundRequest(BaseModel):
    """What to find, and on which image: a study or an upload."""

    model_config = ConfigDict(extra="forbid", strict=True)

    study: str | None = Field(default=None, max_length=LONGEST_NAME)
    upload: str | None = Field(default=None, max_length=LONGEST_NAME)
    phrase: str = Field(min_length=1, max_length=_LONGEST_PHRASE)
    regions: list[str] = Field(default=[], max_length=_MOST_REGIONS)


class GroundReport(BaseModel):
    """Which sentences to find, and on which image: a study or an upload."""

    model_config = ConfigDict(extra="forbid", strict=True)

    study: str | None = Field(default=None, max_length=LONGEST_NAME)
    upload: str | None = Field(default=None, max_length=LONGEST_NAME)
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    maps: bool = False


@router.post("/api/ground")
async def ground(wanted: GroundRequest, use: Use) -> Grounded:
    """Return where a phrase is on an image, as boxes and a map."""
    start = time.perf_counter()
    found = await _find(use, wanted)
    rows, columns = found.values.shape
    return Grounded(
        phrase=found.phrase,
        ground=found.ground.name.lower(),
        regions=[region.value for region in found.regions],
        findings=[finding.value for finding in found.findings],
        peak=round(found.peak, 4),
        boxes=[LocatedBox(box_edges(box), round(score, 4)) for box, score in found.boxes],
        rows=rows,
        columns=columns,
        values=[[round(value, 4) for value in row] for row in found.values.tolist()],
        width=found.width,
        height=found.height,
        took_ms=round((time.perf_counter() - start) * 1000, 1),
    )


@router.post("/api/ground/report")
async def ground_report(wanted: GroundReport, use: Use) -> GroundedText:
    """Return where each sentence of a report is on an image; of a study in pixels of its stored picture."""
    if not wanted.text.strip():
        raise QueryError("the text is blank", where="text", remedy="Write a phrase or a report")

    def look() -> GroundedText:
        encoding = _encoding(use, wanted)
        with use.metrics.stage(Stage.GROUND):
            found = ground_text(use.workspace.encoder, encoding, wanted.text)
        return grounding_shape(found, encoding.boxes, maps=wanted.maps)

    _require_one(wanted)
    return await use.turns.run(look)


@router.get("/api/studies/{study:path}/ground.png", response_class=Response, responses=_PNG)
async def study_ground(
    study: str,
    use: Use,
    phrase: Phrase,
    regions: Regions = (),
    side: Side = _SIDE,
) -> Response:
    """Return where a phrase is on a study, as a picture to lay over the study's."""
    return _drawn(await _find(use, GroundRequest(study=study, phrase=phrase, regions=list(regions))), side)


@router.get("/api/uploads/{upload}/ground.png", response_class=Response, responses=_PNG)
async def upload_ground(
    upload: str,
    use: Use,
    phrase: Phrase,
    regions: Regions = (),
    side: Side = _SIDE,
) -> Response:
    """Return where a phrase is on an upload, as a picture to lay over the upload's."""
    return _drawn(await _find(use, GroundRequest(upload=upload, phrase=phrase, regions=list(regions))), side)


async def _find(use: Services, wanted: GroundRequest) -> Located:
    _require_one(wanted)
    if not wanted.phrase.strip():
        raise QueryError("the phrase is blank", where="phrase", remedy="Write what to look for")
    regions = [region_named(name) for name in wanted.regions]
    encoder = use.workspace.encoder

    def on_upload() -> Located:
        encoding = use.uploads.get(str(wanted.upload)).content.encoding
        with use.metrics.stage(Stage.GROUND):
            return locate(encoder, encoding, wanted.phrase, regions, (encoding.width, encoding.height))

    def on_study() -> Located:
        held = use.pictures.of_study(str(wanted.study))
        encoding = use.encodings.of(held)
        with use.metrics.stage(Stage.GROUND):
            return locate(encoder, encoding, wanted.phrase, regions, (held.width, held.height))

    return await use.turns.run(on_upload if wanted.study is None else on_study)


def _require_one(wanted: GroundRequest | GroundReport) -> None:
    if (wanted.study is None) == (wanted.upload is None):
        raise QueryError("a phrase is found on one image", where="study, upload", remedy="Give one of them")


def _encoding(use: Services, wanted: GroundReport) -> ImageEncoding:
    if wanted.study is None:
        return use.uploads.get(str(wanted.upload)).content.encoding
    return use.encodings.of(use.pictures.of_study(wanted.study))


def _drawn(found: Located, side: int) -> Response:
    picture = map_png(found.values, found.width, found.height, side)
    return Response(picture, media_type="image/png", headers={"cache-control": "private, max-age=3600"})
