"""Pixel data of a DICOM data set to codes or colours, with decoders named one by one and memory bounded."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess.grayscale import StoredForm
from edge_retrieve.runtime.preprocess.header import Header

# For each syntax the decoders tried, in order; none of them is under the GPL. Pillow's and OpenJPEG's
# decoders survive damaged input better than GDCM's, which is kept for what only it decodes.
_DECODERS: dict[str, tuple[str, ...]] = {
    uid.JPEGBaseline8Bit: ("pillow", "gdcm"),
    uid.JPEGExtended12Bit: ("pillow", "gdcm"),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("pylibjpeg",),
    uid.JPEG2000: ("pylibjpeg",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.RLELossless: ("pydicom",),
}
_NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
}
_GREY = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"}


@dataclass(frozen=True)
class Grey:
    """Stored grey values.

    Parameters
    ----------
    codes : uint8 or uint16 array of shape [H, W]
        The stored bits, without what lies above or below them.
    form : StoredForm
    """

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    form: StoredForm


@dataclass(frozen=True)
class Colour:
    """A decoded colour picture: uint8 or uint16 array of shape [H, W, 3]."""

    channels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def decode(header: Header, syntax: uid.UID, where: str) -> Grey | Colour:
    """Decode the only frame of a data set.

    Raises
    ------
    UnreadableFileError
        Truncated or damaged pixel data, or attributes that do not fit it.
    UnsupportedImageError
        A transfer syntax, bit depth or photometric interpretation outside what X-rays use.
    """
    photometric = header.word("PhotometricInterpretation")
    if photometric not in _GREY | _COLOUR:
        raise UnsupportedImageError(
            f"Photometric Interpretation {photometric or 'missing'} is not handled",
            where=where,
            remedy="Export the image as MONOCHROME2",
        )
    allocated = header.integer("BitsAllocated") or 0
    stored = header.integer("BitsStored") or allocated
    high = header.integer("HighBit")
    high = stored - 1 if high is None else high
    if allocated not in {8, 16} or not 1 <= stored <= high + 1 <= allocated:
        raise UnsupportedImageError(
            f"{allocated} bits allocated, {stored} stored, high bit {high} is not handled",
            where=where,
            remedy="Export the image with 8 or 16 bits allocated",
        )
    _check_length(header, syntax, allocated, where)
    array = _run_decoders(header, syntax, where, raw=photometric in _GREY or photometric == "PALETTE COLOR")
    if photometric in _GREY:
        if array.ndim != 2:
            raise UnreadableFileError(
                f"{photometric} image decodes to shape {array.shape}",
                where=where,
                remedy="Export the image again",
            )
        unsigned = array.view(np.uint8 if array.dtype.itemsize == 1 else np.uint16)
        shift = 0 if syntax.is_encapsulated else high + 1 - stored
        mask = np.asarray(2**stored - 1, dtype=unsigned.dtype)
        codes = (unsigned >> np.asarray(shift, dtype=unsigned.dtype)) & mask if shift else unsigned & mask
        return Grey(codes, StoredForm(stored, signed=header.integer("PixelRepresentation") == 1))
    if photometric == "PALETTE COLOR":
        try:
            array = apply_color_lut(array, header.dataset)
        except Exception as error:
            # The palette is data from outside, and pydicom raises whatever it stumbles over.
            raise UnreadableFileError(
                "the colour palette is damaged", where=where, remedy="Export the image as MONOCHROME2"
            ) from error
    if array.ndim != 3 or array.shape[2] < 3 or array.dtype.kind != "u":
        raise UnreadableFileError(
            f"{photometric} image decodes to shape {array.shape}",
            where=where,
            remedy="Export the image again",
        )
    return Colour(array[..., :3])


def _run_decoders(header: Header, syntax: uid.UID, where: str, *, raw: bool) -> npt.NDArray[np.uint16]:
    if syntax not in _NATIVE and syntax not in _DECODERS:
        raise UnsupportedImageError(
            f"transfer syntax {syntax.name} is not handled",
            where=where,
            remedy="Export the image uncompressed or as JPEG 2000",
        )
    reasons = []
    for plugin in _DECODERS.get(syntax, ("",)):
        try:
            array, _ = get_decoder(syntax).as_array(
                header.dataset, index=0, raw=raw, decoding_plugin=plugin, correct_unused_bits=False
            )
        except Exception as error:
            # Decoders raise many types on damaged data; what counts is that this one gave no image.
            reasons.append(f"{plugin or 'pydicom'}: {' '.join(str(error).split())[:200]}")
        else:
            decoded: npt.NDArray[np.uint16] = np.asarray(array)
            return decoded
    raise UnreadableFileError(
        f"the pixel data ({syntax.name}) cannot be decoded ({'; '.join(reasons)})",
        where=where,
        remedy="Copy the file again, or export it uncompressed",
    )


def _check_length(header: Header, syntax: uid.UID, allocated: int, where: str) -> None:
    """Refuse pixel data that does not fit its header before a decoder allocates anything."""
    rows, columns = header.integer("Rows") or 0, header.integer("Columns") or 0
    samples = header.integer("SamplesPerPixel") or 1
    data = header.raw("PixelData")
    if not isinstance(data, (bytes, bytearray)) or not data:
        raise UnreadableFileError(
            "the pixel data is empty or cannot be read", where=where, remedy="Copy the file again"
        )
    needed = rows * columns * samples * allocated // 8
    if not syntax.is_encapsulated:
        if header.word("PhotometricInterpretation") == "YBR_FULL_422":
            needed = needed // 3 * 2
        # One byte pads to even length; more than a row of surplus means another width or height.
        if not needed <= len(data) <= needed + max(2, columns * samples * allocated // 8 - 1):
            raise UnreadableFileError(
                f"the pixel data has {len(data)} bytes where Rows x Columns need {needed}",
                where=where,
                remedy="Copy the file again, or correct Rows and Columns",
            )
        return
    try:
        frame = get_frame(data, 0, number_of_frames=1)
    except Exception as error:
        # Damaged item tags or lengths; see above.
        raise UnreadableFileError(
            "the compressed pixel data is truncated or damaged", where=where, remedy="Copy the file again"
        ) from error
    if syntax == uid.RLELossless:
        # A run of RLE holds at most 128 bytes in 2; real images never come near double their raw size.
        if len(frame) > 2 * needed + 64:
            raise UnreadableFileError(
                "the RLE data is longer than any image of this size",
                where=where,
                remedy="Copy the file again",
            )
        return
    size = codestream_size(frame)
    if size != (columns, rows):
        found = "has no readable size" if size is None else f"is {size[0]} x {size[1]} pixels"
        raise UnreadableFileError(
            f"the compressed image {found} where the header says {columns} x {rows}",
            where=where,
            remedy="Copy the file again, or correct Rows and Columns",
        )
    if not frame.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise UnreadableFileError(
            "the compressed image stops before its end marker", where=where, remedy="Copy the file again"
        )


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height that a JPEG, JPEG-LS or JPEG 2000 codestream states, None if unreadable."""
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(frame) >= start + 24:
        right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
        return right - left, bottom - top
    if frame[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:  # fill bytes and markers without a length
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}):
            height, width = struct.unpack_from(">2H", frame, place + 5)
            return width, height
        place += 2 + struct.unpack_from(">H", frame, place + 2)[0]
    return None
