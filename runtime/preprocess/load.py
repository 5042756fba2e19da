"""One entry for every format: look at the first bytes, not at the name."""

from __future__ import annotations

from pathlib import Path

from edge_retrieve.runtime.errors import UnreadableFileError, reason_of
from edge_retrieve.runtime.preprocess import checks
from edge_retrieve.runtime.preprocess.dicom import load_dicom
from edge_retrieve.runtime.preprocess.raster import load_raster
from edge_retrieve.runtime.preprocess.types import Radiograph, View

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"


def load_radiograph(path: Path, *, view: View | None = None, grey: bool = False) -> Radiograph:
    """Read a chest X-ray from a DICOM, PNG or JPEG file.

    Parameters
    ----------
    path : Path
    view : View, optional
        The projection where the caller knows it; goes before what the file says.
    grey : bool
        Keep the grey values, too, for a viewer.

    Returns
    -------
    Radiograph
        Display intensity in float32 with the record of every step. A lateral or unknown view is flagged,
        not refused.

    Raises
    ------
    UnreadableFileError
        Missing, empty, truncated, damaged, or in no format that is decoded.
    UnsupportedImageError
        Readable, but no single-frame chest X-ray: another modality or body part, several frames, blank,
        far too small or too large.
    """
    data = _read_bytes(path)
    if data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        return load_raster(path, data, view, grey=grey)
    if looks_like_dicom(data):
        return load_dicom(path, data, view, grey=grey)
    raise UnreadableFileError(
        "the file is neither DICOM, PNG nor JPEG", where=str(path), remedy="Give one of these formats"
    )


def looks_like_dicom(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of DICOM, with or without its preamble."""
    if head[128:132] == b"DICM":
        return True
    # Data sets stored without a preamble start with group 0002 or 0008, in either byte order.
    return head[:2] in {b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08"} and len(head) > 8


def _read_bytes(path: Path) -> bytes:
    where = str(path)
    try:
        if path.is_dir():
            raise UnreadableFileError(
                "this is a folder, not an image file", where=where, remedy="Name a file"
            )
        if not path.is_file():
            raise UnreadableFileError("there is no such file", where=where, remedy="Check the path")
        checks.check_file_size(path.stat().st_size, where)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise UnreadableFileError(
            f"the file cannot be read ({reason_of(error)})",
            where=where,
            remedy="Check the path and its permissions",
        ) from error
