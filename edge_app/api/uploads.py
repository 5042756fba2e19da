"""Query images: sent, read, encoded, and kept for a while."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from edge_retrieve.edge_app.api.services import Services, Use, in_thread
from edge_retrieve.edge_app.reading import ReadImage, read_upload
from edge_retrieve.edge_app.uploads import Upload
from edge_retrieve.edge_app.wire import Json, encoding_json
from edge_retrieve.runtime.errors import QueryError

router = APIRouter(tags=["uploads"])


@router.post("/api/encode")
async def encode(request: Request, use: Use) -> Json:
    """Read an image and tell where the model sees the regions."""
    async with request.form() as form:
        upload = await keep(use, form.get("image"))
    return upload_json(upload)


@router.get("/api/uploads/{upload}")
async def upload(upload: str, use: Use) -> Json:
    """Return what `/api/encode` returned, while the upload is kept."""
    return upload_json(use.uploads.get(upload))


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
    return await in_thread(
        lambda: read_upload(use.uploads, data, name, use.workspace.encoder, use.model_lock)
    )


def upload_json(upload: Upload[ReadImage]) -> Json:
    """Return an upload's name and what was read of it."""
    read = upload.content
    return {
        "upload": upload.id,
        "file_name": upload.file_name,
        **encoding_json(read.radiograph, read.encoding),
    }
