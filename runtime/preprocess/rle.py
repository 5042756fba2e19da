"""RLE Lossless (PS3.5 annex G), decoded into a buffer of the size the header states.

pydicom's decoder unpacks first and compares the length after: 16 MB of runs become 1 GB before it warns.
"""

from __future__ import annotations

import struct

import numpy as np

from edge_retrieve.runtime.preprocess.types import UIntImage


def decode_rle(frame: bytes, rows: int, columns: int, itemsize: int) -> UIntImage:
    """Decode one frame of a single-sample image.

    Parameters
    ----------
    frame : bytes
        The frame as stored: a 64-byte header with the segments' offsets, then the segments.
    rows, columns : int
    itemsize : int
        Bytes a value, 1 or 2.

    Returns
    -------
    uint8 or uint16 array of shape [rows, columns]

    Raises
    ------
    ValueError
        Truncated, or not the number of segments or bytes that the image needs.
    """
    if len(frame) < 64:
        raise ValueError("the RLE header is truncated")
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != itemsize:
        raise ValueError(f"{count} RLE segments where {itemsize} are needed")
    starts = offsets[:count]
    ends = [*starts[1:], len(frame)]
    # One segment holds one byte of every value, the most significant first.
    planes = [
        np.frombuffer(_unpack(frame[start:end], rows * columns), dtype=np.uint8)
        for start, end in zip(starts, ends, strict=True)
    ]
    if itemsize == 1:
        return planes[0].reshape(rows, columns)
    words = np.empty((rows * columns, 2), dtype=np.uint8)
    words[:, 0], words[:, 1] = planes
    return words.view(">u2").astype(np.uint16).reshape(rows, columns)


def _unpack(segment: bytes, size: int) -> bytes:
    """Unpack one segment; what follows the `size` bytes wanted is padding and is not unpacked."""
    unpacked = bytearray()
    place = 0
    while len(unpacked) < size and place < len(segment) - 1:
        head = segment[place]
        if head < 128:
            unpacked += segment[place + 1 : place + 2 + head]
            place += 2 + head
        elif head > 128:
            unpacked += segment[place + 1 : place + 2] * (257 - head)
            place += 2
        else:
            place += 1
    if len(unpacked) < size:
        raise ValueError(f"an RLE segment holds {len(unpacked)} bytes where {size} are needed")
    return bytes(unpacked[:size])
