"""Reading an uploaded image once: its pixels, its header, and where the model sees the regions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.edge_app.metrics import Metrics, Stage
from edge_retrieve.edge_app.refusals import NotFoundError
from edge_retrieve.edge_app.uploads import Upload, Uploads
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.errors import EdgeRetrieveError, QueryError
from edge_retrieve.runtime.ingest_loading import PREVIEW_SIDE
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.render import shown_png
from edge_retrieve.runtime.preprocess.types import Radiograph


@dataclass(frozen=True)
class ReadImage:
    """An uploaded image as read.

    Parameters
    ----------
    radiograph : Radiograph
        Without its pixels.
    encoding : ImageEncoding
    preview : bytes
        8-bit PNG.
    """

    radiograph: Radiograph
    encoding: ImageEncoding
    preview: bytes


def read_upload(
    uploads: Uploads[ReadImage], data: bytes, file_name: str, encoder: Encoder, metrics: Metrics
) -> Upload[ReadImage]:
    """Keep an upload, read it and encode it.

    Parameters
    ----------
    uploads : Uploads
    data : bytes
        The file.
    file_name : str
        As the sender named it.
    encoder : Encoder
    metrics : Metrics

    Raises
    ------
    PixelError
        Where the file is no X-ray that we read; `where` is the sender's file name.
    QueryError
        Where the file is empty.
    """
    if not data:
        raise QueryError("the file is empty", where=file_name, remedy="Choose a DICOM, PNG or JPEG file")

    def read(path: Path) -> ReadImage:
        with metrics.stage(Stage.DECODE):
            radiograph = load_radiograph(path, grey=True)
        with metrics.stage(Stage.ENCODE):
            encoding = encoder.encode_image(radiograph.pixels)
        metrics.confidences([float(score) for score in encoding.box_scores])
        assert radiograph.grey is not None  # as asked for
        with metrics.stage(Stage.RENDER):
            preview = shown_png(radiograph.grey.reduced(PREVIEW_SIDE))
        # The pixels themselves have done their work; kept, a few large images would fill the memory.
        return ReadImage(replace(radiograph, pixels=radiograph.pixels[:0, :0], grey=None), encoding, preview)

    try:
        return uploads.add(data, file_name, read)
    except EdgeRetrieveError as error:
        # Our temporary path says nothing to the one who sent the file.
        raise type(error)(error.what, where=file_name, remedy=error.remedy) from error


def radiograph_of(upload: Upload[ReadImage]) -> Radiograph:
    """Read an upload again, with its pixels, which are not kept.

    Raises
    ------
    NotFoundError
        Where its file was dropped meanwhile.
    """
    try:
        return load_radiograph(upload.path)
    except EdgeRetrieveError as error:
        raise NotFoundError(
            "the uploaded image is no longer kept", where="upload", remedy="Open the file again"
        ) from error
