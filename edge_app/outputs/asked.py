"""The DICOM file behind a query of the server: an upload's, or the one a stored study came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_retrieve.edge_app.outputs.source import SourceImage, read_source
from edge_retrieve.edge_app.uploads import Upload
from edge_retrieve.runtime.errors import EdgeRetrieveError, OutputError
from edge_retrieve.runtime.store import StoredImage, StudyRecord

_SEND_IT = "Send the DICOM file and ask with it"


def source_of_upload(upload: Upload[Any]) -> SourceImage:
    """Return what is needed of an upload.

    Raises
    ------
    OutputError
        Where its file is no DICOM or lacks an identifier; named as its sender named it.
    """
    try:
        return read_source(upload.path)
    except EdgeRetrieveError as error:
        # Our temporary path says nothing to the one who sent the file.
        raise type(error)(error.what, where=upload.file_name, remedy=error.remedy) from error


def source_of_study(record: StudyRecord) -> SourceImage:
    """Return what is needed of the file that a stored study came from.

    The store keeps neither names nor the identifiers of series: they are read from the file again, where it
    is still the one that was ingested.

    Raises
    ------
    OutputError
        Where the store does not say which file it was, or that is gone, changed, or no DICOM.
    """
    where = f"study {record.study}"
    image = next((image for image in record.images if image.indexed), None)
    if image is None:
        raise OutputError("the study has no image that can be asked with", where=where, remedy=_SEND_IT)
    if not image.source:
        raise OutputError(
            "the store keeps pseudonyms and does not say which file the study came from",
            where=where,
            remedy=_SEND_IT,
        )
    try:
        source = read_source(Path(image.source))
    except OutputError as error:
        raise OutputError(error.what, where=where, remedy=error.remedy) from error
    except EdgeRetrieveError as error:
        # Folders may be named after patients: the path stays here.
        raise OutputError(
            "the file that the study came from is no longer there", where=where, remedy=_SEND_IT
        ) from error
    if not _is(source, image):
        raise OutputError(
            "the file that the study came from holds another image now", where=where, remedy=_SEND_IT
        )
    return source


def _is(source: SourceImage, image: StoredImage) -> bool:
    return source.radiograph.pixels_sha256 == image.pixels_sha256
