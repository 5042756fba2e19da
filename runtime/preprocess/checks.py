"""What is refused before any pixel is decoded: too large, not X-ray, not chest, many frames."""

from __future__ import annotations

import re
from typing import Any

import numpy.typing as npt

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.types import Flag

# The largest flat detectors give about 30 megapixels. The limits bound the memory that one file can ask
# for, whatever its header claims.
MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 512 * 1024 * 1024
MIN_SIDE = 64

_XRAY_MODALITIES = {"CR", "DX", "RG"}
_UNSPECIFIC_MODALITIES = {"OT", "SC", ""}
XRAY_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image Storage
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray Image Storage - For Presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray Image Storage - For Processing
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
    "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.3",  # Multi-frame Grayscale Word Secondary Capture
    "",
}
"""SOP classes of what is read as an X-ray; a file may also say nothing."""

_CHEST = re.compile(r"CHEST|THORA|TORAX|LUNG|CXR|PULM|HEMITHORAX", re.IGNORECASE)
_NO_BODY_PART = {"", "UNKNOWN", "OTHER", "UNDEFINED", "NONE", "N/A"}
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription", "PerformedProcedureStepDescription")


def check_size(width: int, height: int, where: str) -> None:
    """Refuse images too small to show a chest or too large to decode safely.

    Raises
    ------
    UnreadableFileError, UnsupportedImageError
    """
    if min(width, height) < 1:
        raise UnreadableFileError(
            "Rows and Columns are missing or zero", where=where, remedy="Copy the file again from its source"
        )
    if min(width, height) < MIN_SIDE:
        raise UnsupportedImageError(
            f"the image has {width} x {height} pixels, a chest X-ray needs at least {MIN_SIDE} a side",
            where=where,
            remedy="Give the original image, not an icon of it",
        )
    if width * height > MAX_PIXELS:
        raise UnsupportedImageError(
            f"the image claims {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels",
            where=where,
            remedy="Give the image at its detector's resolution",
        )


def check_not_blank(values: npt.NDArray[Any], where: str) -> None:
    """Refuse an image, or the values of it that count, where all are the same.

    Raises
    ------
    UnsupportedImageError
    """
    if values.size == 0 or values.min() == values.max():
        raise UnsupportedImageError(
            "all pixels have the same value", where=where, remedy="The image shows nothing; export it again"
        )


def check_file_size(size: int, where: str) -> None:
    """Refuse empty files and files too large to read into memory.

    Raises
    ------
    UnreadableFileError, UnsupportedImageError
    """
    if size == 0:
        raise UnreadableFileError("the file is empty", where=where, remedy="Copy it again from its source")
    if size > MAX_FILE_BYTES:
        raise UnsupportedImageError(
            f"the file has {size} bytes, more than {MAX_FILE_BYTES // 1024**2} MiB",
            where=where,
            remedy="Give a single-frame X-ray",
        )


def check_radiograph(header: Header, where: str) -> tuple[Flag, ...]:
    """Refuse a DICOM object that is no single-frame chest X-ray.

    Returns
    -------
    tuple of Flag
        `Flag.UNDECLARED` where nothing in the header contradicts a chest X-ray but nothing says so either,
        `Flag.RAW_DETECTOR` for an image that is not meant for display.

    Raises
    ------
    UnsupportedImageError
    """
    frames = header.integer("NumberOfFrames")
    if frames is not None and frames > 1:
        raise UnsupportedImageError(
            f"the object has {frames} frames", where=where, remedy="Give single-frame X-rays"
        )
    modality = header.word("Modality")
    if modality not in _XRAY_MODALITIES | _UNSPECIFIC_MODALITIES:
        raise UnsupportedImageError(
            f"Modality {modality} is not a plain X-ray", where=where, remedy="Give CR or DX images"
        )
    if header.text("SOPClassUID") not in XRAY_CLASSES:
        name = getattr(header.raw("SOPClassUID"), "name", "unknown")
        raise UnsupportedImageError(
            f"SOP class {name} is not a plain X-ray", where=where, remedy="Give CR or DX images"
        )
    chest = _shows_chest(header, where)
    flags = []
    if not chest or modality not in _XRAY_MODALITIES:
        flags.append(Flag.UNDECLARED)
    if header.word("PresentationIntentType") == "FOR PROCESSING":
        flags.append(Flag.RAW_DETECTOR)
    colour = (header.integer("SamplesPerPixel") or 1) > 1
    if colour and modality not in _XRAY_MODALITIES and not chest:
        raise UnsupportedImageError(
            "a colour picture whose header does not speak of a chest X-ray",
            where=where,
            remedy="Give CR or DX images",
        )
    return tuple(flags)


def _shows_chest(header: Header, where: str) -> bool:
    """Return whether the header says chest, False where it says nothing; refuse other body parts."""
    part = header.word("BodyPartExamined")
    if part not in _NO_BODY_PART:
        if _CHEST.search(part):
            return True
        raise UnsupportedImageError(
            f"Body Part Examined is {part}, not CHEST",
            where=where,
            remedy="Correct the header if it is a chest X-ray all the same",
        )
    regions = [item.text("CodeMeaning") for item in header.items("AnatomicRegionSequence")]
    if regions and not any(_CHEST.search(region) for region in regions):
        raise UnsupportedImageError(
            f"Anatomic Region is {regions[0] or 'not named'}, not the chest",
            where=where,
            remedy="Correct the header if it is a chest X-ray all the same",
        )
    return bool(regions) or any(_CHEST.search(header.text(keyword)) for keyword in _DESCRIPTIONS)
