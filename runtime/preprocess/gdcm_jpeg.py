"""JPEG Lossless and 12-bit JPEG Extended through GDCM, the one GPL-free decoder of both.

pydicom's own plugin for GDCM refuses 12-bit JPEG Extended, which GDCM decodes.
"""

from __future__ import annotations

import gdcm
import numpy as np
from pydicom.uid import UID

from edge_retrieve.runtime.preprocess.types import UIntImage

# Its C++ code would write to the terminal; what went wrong is reported by exception instead.
gdcm.Trace.DebugOff()
gdcm.Trace.WarningOff()
gdcm.Trace.ErrorOff()


def decode_with_gdcm(
    frame: bytes, syntax: UID, rows: int, columns: int, allocated: int, stored: int
) -> UIntImage:
    """Decode one frame of a single-sample image.

    Parameters
    ----------
    frame : bytes
        The JPEG codestream.
    syntax : UID
        Its transfer syntax.
    rows, columns : int
    allocated, stored : int
        Bits a value, 8 or 16, and the bits of it in use.

    Returns
    -------
    uint8 or uint16 array of shape [rows, columns]
        The stored bits; their sign is left to the caller.

    Raises
    ------
    ValueError
        GDCM gives no image, or one of another size.
    """
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2"))
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(syntax))))
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, stored, stored - 1, 0))
    buffer = image.GetBuffer()
    # SWIG hands C++ bytes over as text with surrogates for what is not UTF-8.
    data = buffer if isinstance(buffer, bytes) else (buffer or "").encode("utf-8", "surrogateescape")
    if len(data) != rows * columns * allocated // 8:
        raise ValueError(f"GDCM gives {len(data)} bytes for {rows} x {columns} values of {allocated} bits")
    if allocated == 8:
        return np.frombuffer(data, dtype=np.uint8).reshape(rows, columns)
    return np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(rows, columns)
