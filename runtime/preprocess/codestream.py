"""What a compressed frame says of itself, read before a decoder allocates memory for it."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Codestream:
    """The header of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Parameters
    ----------
    width, height : int
        Pixels.
    components : int
        Samples a pixel.
    """

    width: int
    height: int
    components: int


def read_codestream(frame: bytes) -> Codestream | None:
    """Return what a codestream's frame header states, None where it has none that can be read."""
    # JPEG 2000 starts with SOC and SIZ, after a few boxes where it is wrapped in a JP2 file.
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(frame) >= start + 42:
        right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
        (components,) = struct.unpack_from(">H", frame, start + 40)
        return Codestream(right - left, bottom - top, components)
    if frame[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 10 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif 0xD0 <= marker <= 0xD8:  # markers without a length
            place += 2
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}):
            height, width, components = struct.unpack_from(">HHB", frame, place + 5)
            return Codestream(width, height, components)
        else:
            place += 2 + struct.unpack_from(">H", frame, place + 2)[0]
    return None


def is_complete(frame: bytes) -> bool:
    """Return whether a codestream ends with its end marker (EOI or EOC), padding aside."""
    return frame.rstrip(b"\0\xff").endswith(b"\xff\xd9")
