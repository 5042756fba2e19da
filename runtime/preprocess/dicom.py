"""A DICOM file to a radiograph."""

from __future__ import annotations

import io
import math
import re
import zlib
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import checks
from edge_retrieve.runtime.preprocess.assemble import Identity, assemble
from edge_retrieve.runtime.preprocess.colour import to_grey
from edge_retrieve.runtime.preprocess.decode import Colour, Grey, decode
from edge_retrieve.runtime.preprocess.grayscale import count_codes, display_table
from edge_retrieve.runtime.preprocess.grey import BYTE_TOP, GreyImage, displayed, whole
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.orientation import (
    MAX_ASPECT,
    SQUARE_TOLERANCE,
    pixel_aspect,
    row_and_column_direction,
    square_pixels,
    upright,
)
from edge_retrieve.runtime.preprocess.quiet import captured_warnings
from edge_retrieve.runtime.preprocess.types import Flag, FloatImage, Radiograph, View
from edge_retrieve.runtime.preprocess.view import find_view

_COPY_AGAIN = "Copy the file again from its source"


def load_dicom(path: Path, data: bytes, view: View | None, *, grey: bool = False) -> Radiograph:
    """Read a DICOM image.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : bytes
        The whole file.
    view : View or None
        Overrides what the header says.
    grey : bool
        Keep the grey values, too.

    Raises
    ------
    UnreadableFileError
        Not DICOM, truncated or damaged.
    UnsupportedImageError
        DICOM, but no single-frame chest X-ray.
    """
    where = str(path)
    with captured_warnings() as messages:
        header, syntax = _read(data, where)
        flags = list(checks.check_radiograph(header, where))
        checks.check_size(header.integer("Columns") or 0, header.integer("Rows") or 0, where)
        if "PixelData" not in header.dataset:
            raise UnsupportedImageError(
                "the pixels are not integers", where=where, remedy="Give CR or DX images"
            )
        picture = decode(header, syntax, where)
        applied = [f"decoded: {syntax.name}"]
        pixels, values = _display(picture, header, where, applied, flags, grey=grey)
        pixels = _geometry(pixels, header, where, applied, flags)
        if values is not None:
            # The same steps, which are in the record already.
            turned = _geometry(values.values.astype(np.float32), header, where, [], [])
            values = GreyImage(whole(turned, values.scale.top), values.scale)
        found, note = find_view(header)
        identity = _identity(header)
    if header.damaged:
        applied.append(f"ignored: unreadable {', '.join(sorted(header.damaged))}")
        flags.append(Flag.HEADER_IGNORED)
    if messages:
        applied.append(f"reader: {len(messages)} warnings about the file's coding")
    return assemble(pixels, view, found, note, identity, applied, flags, values)


def _read(data: bytes, where: str) -> tuple[Header, uid.UID]:
    """Parse a file into a header and its transfer syntax."""
    try:
        stream = io.BytesIO(data)
        if _is_deflated(data):
            _check_inflated(data, where)
        dataset = pydicom.dcmread(stream, force=True)
        syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
        if syntax is None:
            syntax = _guessed_syntax(dataset)
    except UnsupportedImageError:
        raise
    except Exception as error:
        # The parser meets arbitrary bytes here and raises many types.
        raise UnreadableFileError(
            "the file cannot be read as DICOM: it is truncated, damaged or no DICOM file",
            where=where,
            remedy=_COPY_AGAIN,
        ) from error
    header = Header(dataset)
    has_pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not has_pixels:
        if "Rows" in dataset:
            raise UnreadableFileError(
                "the header describes an image but the file has no pixel data",
                where=where,
                remedy=_COPY_AGAIN,
            )
        if "SOPClassUID" in dataset or "DirectoryRecordSequence" in dataset:
            raise UnsupportedImageError(
                "the DICOM object has no pixel data", where=where, remedy="Give X-ray images"
            )
        raise UnreadableFileError("the file is not DICOM", where=where, remedy="Give DICOM, PNG or JPEG")
    return header, uid.UID(syntax)


def _guessed_syntax(dataset: pydicom.Dataset) -> uid.UID:
    """Return the syntax of a data set without file meta information, from how it was parsed."""
    implicit, little = dataset.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _is_deflated(data: bytes) -> bool:
    return uid.DeflatedExplicitVRLittleEndian.encode() in data[:1024]


def _check_inflated(data: bytes, where: str) -> None:
    """Refuse a deflated data set that would fill the memory: pydicom inflates without a bound."""
    if data[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise UnreadableFileError("no file meta group length", where=where, remedy=_COPY_AGAIN)
    start = 144 + int.from_bytes(data[140:144], "little")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total, rest = 0, data[start:]
    while rest and not inflater.eof:
        total += len(inflater.decompress(rest, 1 << 20))
        rest = inflater.unconsumed_tail
        if total > checks.MAX_FILE_BYTES:
            raise UnsupportedImageError(
                f"the deflated data set unpacks to more than {checks.MAX_FILE_BYTES // 1024**2} MiB",
                where=where,
                remedy="Give a single-frame X-ray",
            )


def _display(
    picture: Grey | Colour, header: Header, where: str, applied: list[str], flags: list[Flag], *, grey: bool
) -> tuple[FloatImage, GreyImage | None]:
    """Turn stored values into display intensity, and into grey values where asked."""
    if isinstance(picture, Colour):
        pixels, coloured = to_grey(picture.channels)
        checks.check_not_blank(pixels, where)
        applied.append("colour reduced to luminance (BT.601)")
        if coloured:
            flags.append(Flag.COLOUR)
        return pixels, GreyImage(*displayed(pixels, BYTE_TOP, "as stored")) if grey else None
    table = display_table(header, picture.form, count_codes(picture.codes, picture.form.bits), where)
    applied.extend(table.applied)
    flags.extend(table.flags)
    values = GreyImage(table.grey[picture.codes], table.scale) if grey else None
    return table.intensity[picture.codes], values


def _geometry(
    pixels: FloatImage, header: Header, where: str, applied: list[str], flags: list[Flag]
) -> FloatImage:
    """Make pixels square and the patient upright, right side on the image's left."""
    aspect = pixel_aspect(header)
    if aspect is not None and abs(aspect - 1.0) > SQUARE_TOLERANCE:
        height, width = pixels.shape
        if 1.0 / MAX_ASPECT <= aspect <= MAX_ASPECT:
            grown = max(aspect, 1.0 / aspect)
            checks.check_size(width, math.ceil(height * grown), where)
            pixels = square_pixels(pixels, aspect)
            applied.append(
                f"aspect: pixels {aspect:.3g} times as high as wide, "
                f"{width} x {height} resampled to {pixels.shape[1]} x {pixels.shape[0]}"
            )
        else:
            applied.append(f"ignored: pixels said to be {aspect:.3g} times as high as wide")
            flags.append(Flag.HEADER_IGNORED)
    turned, step = upright(pixels, *row_and_column_direction(header))
    if step:
        applied.append(step)
        flags.append(Flag.REORIENTED)
    return turned


def _identity(header: Header) -> Identity:
    sex = header.word("PatientSex")
    return Identity(
        patient=header.text("PatientID"),
        study=header.text("StudyInstanceUID"),
        sop_instance=header.text("SOPInstanceUID"),
        study_date=_date(header.text("StudyDate")),
        sex=sex if sex in {"M", "F", "O"} else "",
        age=_age(header.word("PatientAge")),
        accession=header.text("AccessionNumber"),
    )


def _date(text: str) -> str:
    digits = text.replace(".", "")
    return digits if re.fullmatch(r"\d{8}", digits) else ""


def _age(text: str) -> float | None:
    """Return years from an age string (``062Y``, ``018M``, ``003W``, ``010D``; a bare number is years)."""
    match = re.fullmatch(r"(\d{1,3})([YMWD]?)", text)
    if match is None:
        return None
    per_year = {"Y": 1.0, "": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
    return int(match[1]) / per_year[match[2]]
