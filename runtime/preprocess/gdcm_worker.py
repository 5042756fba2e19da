"""Decodes JPEG codestreams with GDCM, in a process of its own: `gdcm_jpeg` starts it and talks to it.

GDCM throws C++ exceptions that its Python binding does not catch, so one damaged file would abort the
whole program, and its libjpeg prints to the terminal. This file is run by path and imports nothing of the
package, to start fast.

Request, on standard input: six little-endian uint32 (rows, columns, bits allocated, bits stored, length of
the transfer syntax UID, length of the frame), the UID, the frame. Answer, on standard output: a uint32
length and that many bytes of pixels; 0 where there is no image.
"""

from __future__ import annotations

import resource
import struct
import sys

import gdcm

REQUEST = struct.Struct("<6I")
ANSWER = struct.Struct("<I")

# Many times what the largest frame that is let through needs.
MEMORY_LIMIT = 4 * 1024**3


def decode(frame: bytes, syntax: str, rows: int, columns: int, allocated: int, stored: int) -> bytes:
    """Return the decoded pixels, little-endian rows; nothing where GDCM gives no image."""
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
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, stored, stored - 1, 0))
    buffer = image.GetBuffer()
    if buffer is None:
        return b""
    # SWIG hands C++ bytes over as text with surrogates for what is not UTF-8.
    pixels: bytes = buffer.encode("utf-8", "surrogateescape")
    return pixels


def main() -> None:
    """Answer requests until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(REQUEST.size):
        rows, columns, allocated, stored, name_length, frame_length = REQUEST.unpack(head)
        syntax, frame = source.read(name_length).decode("ascii"), source.read(frame_length)
        pixels = decode(frame, syntax, rows, columns, allocated, stored)
        sink.write(ANSWER.pack(len(pixels)))
        sink.write(pixels)
        sink.flush()


if __name__ == "__main__":
    main()
