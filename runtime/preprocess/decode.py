"""Pixel data of a DICOM data set to codes or colours, with decoders named one by one and memory bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess.codestream import is_complete, read_codestream
from edge_retrieve.runtime.preprocess.gdcm_jpeg import decode_with_gdcm
from edge_retrieve.runtime.preprocess.grayscale import StoredForm
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.rle import decode_rle
from edge_retrieve.runtime.preprocess.types import UIntImage

_NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
}
# The plugin of pydicom that decodes each codestream; none of them is under the GPL.
_PLUGINS = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
}
_GDCM = {uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
TRANSFER_SYNTAXES = frozenset({*_NATIVE, *_PLUGINS, *_GDCM, uid.RLELossless})
"""Transfer syntaxes that are decoded."""

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

    codes: UIntImage
    form: StoredForm


@dataclass(frozen=True)
class Colour:
    """A decoded colour picture.

    Parameters
    ----------
    channels : uint8 or uint16 array of shape [H, W, 3]
        Red, green, blue.
    """

    channels: UIntImage


@dataclass(frozen=True)
class _Layout:
    """The attributes that say how pixel data is laid out."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str

    @property
    def row_bytes(self) -> int:
        return self.columns * self.samples * self.allocated // 8

    @property
    def frame_bytes(self) -> int:
        whole = self.rows * self.row_bytes
        return whole // 3 * 2 if self.photometric == "YBR_FULL_422" else whole


def decode(header: Header, syntax: uid.UID, where: str) -> Grey | Colour:
    """Decode the only frame of a data set.

    Raises
    ------
    UnreadableFileError
        Truncated or damaged pixel data, or attributes that do not fit it.
    UnsupportedImageError
        A transfer syntax, bit depth or photometric interpretation outside what X-rays use.
    """
    layout = _layout(header, where)
    data = header.raw("PixelData")
    if not isinstance(data, (bytes, bytearray)) or not data:
        _unreadable("the pixel data is empty or cannot be read", where)
    try:
        if syntax in _NATIVE:
            _check_length(len(data), layout, where)
            array = _with_pydicom(header, syntax, layout, "")
        else:
            array = _decode_frame(header, syntax, layout, bytes(data), where)
        if layout.photometric == "PALETTE COLOR":
            array = apply_color_lut(array, header.dataset)
    except (UnreadableFileError, UnsupportedImageError):
        raise
    except Exception as error:
        # Decoders meet arbitrary bytes here and raise many types.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnreadableFileError(
            f"the pixel data ({syntax.name}) cannot be decoded ({reason})",
            where=where,
            remedy="Copy the file again, or export it uncompressed",
        ) from error
    if layout.photometric in _GREY:
        return _grey(array, syntax, layout, where)
    if array.ndim != 3 or array.shape[2] < 3 or array.dtype.kind != "u":
        _unreadable(f"the {layout.photometric} image decodes to shape {array.shape}", where)
    return Colour(array[..., :3])


def _layout(header: Header, where: str) -> _Layout:
    allocated = header.integer("BitsAllocated") or 0
    stored = header.integer("BitsStored") or allocated
    high = header.integer("HighBit")
    layout = _Layout(
        rows=header.integer("Rows") or 0,
        columns=header.integer("Columns") or 0,
        samples=header.integer("SamplesPerPixel") or 1,
        allocated=allocated,
        stored=stored,
        high=stored - 1 if high is None else high,
        signed=header.integer("PixelRepresentation") == 1,
        photometric=header.word("PhotometricInterpretation"),
    )
    if layout.photometric not in _GREY | _COLOUR:
        raise UnsupportedImageError(
            f"Photometric Interpretation {layout.photometric or 'missing'} is not handled",
            where=where,
            remedy="Export the image as MONOCHROME2",
        )
    if allocated not in {8, 16} or not 1 <= stored <= layout.high + 1 <= allocated:
        raise UnsupportedImageError(
            f"{allocated} bits allocated, {stored} stored, high bit {layout.high} is not handled",
            where=where,
            remedy="Export the image with 8 or 16 bits allocated",
        )
    single = layout.photometric in _GREY or layout.photometric == "PALETTE COLOR"
    if layout.samples != (1 if single else 3):
        _unreadable(f"{layout.photometric} with {layout.samples} samples a pixel", where)
    return layout


def _check_length(length: int, layout: _Layout, where: str) -> None:
    """Refuse uncompressed pixel data that does not fit Rows and Columns.

    One byte pads to even length. Less than a row and less than a column of surplus is taken for padding;
    more of it means that the width or height is wrong, and the picture would be sheared or cut without
    a word.
    """
    needed = layout.frame_bytes
    one_less = min(layout.row_bytes, needed // layout.columns) - 1
    if not needed <= length <= needed + max(2, one_less):
        raise UnreadableFileError(
            f"the pixel data has {length} bytes where Rows x Columns need {needed}",
            where=where,
            remedy="Copy the file again, or correct Rows and Columns",
        )


def _decode_frame(
    header: Header, syntax: uid.UID, layout: _Layout, data: bytes, where: str
) -> npt.NDArray[Any]:
    """Decode compressed pixel data, after its codestream was found to fit the header."""
    if syntax not in TRANSFER_SYNTAXES:
        raise UnsupportedImageError(
            f"transfer syntax {syntax.name} is not handled",
            where=where,
            remedy="Export the image uncompressed or as JPEG 2000",
        )
    frame = get_frame(data, 0, number_of_frames=1)
    single = layout.samples == 1
    if not single and syntax not in _PLUGINS:
        raise UnsupportedImageError(
            f"a colour image in {syntax.name} is not handled", where=where, remedy="Export it as MONOCHROME2"
        )
    if syntax == uid.RLELossless:
        return decode_rle(frame, layout.rows, layout.columns, layout.allocated // 8)
    found = read_codestream(frame)
    if found is None:
        _unreadable("the compressed image has no readable header", where)
    if (found.width, found.height, found.components) != (layout.columns, layout.rows, layout.samples):
        _unreadable(
            f"the compressed image is {found.width} x {found.height} x {found.components} where the header "
            f"says {layout.columns} x {layout.rows} x {layout.samples}",
            where,
        )
    if not is_complete(frame):
        _unreadable("the compressed image stops before its end marker", where)
    if syntax in _GDCM:
        stored = max(layout.stored, 8)
        return decode_with_gdcm(frame, syntax, layout.rows, layout.columns, layout.allocated, stored)
    return _with_pydicom(header, syntax, layout, _PLUGINS[syntax])


def _with_pydicom(header: Header, syntax: uid.UID, layout: _Layout, plugin: str) -> npt.NDArray[Any]:
    raw = layout.samples == 1
    array, _ = get_decoder(syntax).as_array(
        header.dataset, index=0, raw=raw, decoding_plugin=plugin, correct_unused_bits=False
    )
    return np.asarray(array)


def _grey(array: npt.NDArray[Any], syntax: uid.UID, layout: _Layout, where: str) -> Grey:
    """Cut the stored bits out of decoded values."""
    if array.shape != (layout.rows, layout.columns) or array.dtype.itemsize > 2:
        _unreadable(f"the image decodes to {array.dtype} of shape {array.shape}", where)
    # A big-endian file decodes to a big-endian array.
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    unsigned: npt.NDArray[Any] = array.view(np.uint8 if array.dtype.itemsize == 1 else np.uint16)
    mask = 2**layout.stored - 1
    if syntax in _NATIVE or syntax == uid.RLELossless:
        # Whole words: overlays or garbage may lie around the stored bits.
        unsigned = unsigned >> (layout.high + 1 - layout.stored)
    elif not layout.signed and int(unsigned.max()) > mask:
        _unreadable(f"the compressed values need more than {layout.stored} bits", where)
    return Grey(unsigned & mask, StoredForm(layout.stored, layout.signed))


def _unreadable(what: str, where: str) -> NoReturn:
    raise UnreadableFileError(what, where=where, remedy="Copy the file again, or export it uncompressed")
