"""Query images: sent, read, encoded, and kept for a while."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from edge_retrieve.edge_app.api.bodies import FORM, image_form, require_form
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.reading import ReadImage, read_upload
from edge_retrieve.edge_app.shapes import UploadShape
from edge_retrieve.edge_app.uploads import Upload
from edge_retrieve.edge_app.wire import upload_shape
from edge_retrieve.runtime.errors import QueryError

router = APIRouter(tags=["uploads"])


_BODY = {"content": {FORM: image_form(True)}, "required": True}


@router.post("/api/encode", openapi_extra={"requestBody": _BODY})
async def encode(request: Request, use: Use) -> UploadShape:
    """Read an image and tell where the model sees the regions."""
    require_form(request)
    async with request.form() as form:
        return shape_of(await keep(use, form.get("image")))


@router.get("/api/uploads/{upload}")
async def upload(upload: str, use: Use) -> UploadShape:
    """Return what `/api/encode` returned, while the upload is kept."""
    return shape_of(use.uploads.get(upload))


async def keep(use: Services, file: UploadFile | str | None) -> Upload[ReadImage]:
    """Read a form's file and keep it.

    Raises
    ------
    QueryError
        Where there is none, or it is empty.
    PixelError
        Where it is no X-ray that we read.
    """
    if not isinstance(file, UploadFile):
        raise QueryError("no file was sent", where="image", remedy="Send it as the form field 'image'")
    data, name = await file.read(), file.filename or "image"
    return await use.turns.run(
        lambda: read_upload(use.uploads, data, name, use.workspace.encoder, use.metrics)
    )


def shape_of(upload: Upload[ReadImage]) -> UploadShape:
    """Return an upload's name and what was read of it."""
    return upload_shape(upload.id, upload.file_name, upload.content.radiograph, upload.content.encoding)
