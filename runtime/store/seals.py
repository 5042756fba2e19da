"""Checksums of what the database holds, for SQLite keeps none of its own.

A flipped bit in a page leaves a tree that SQLite reads without complaint. So every embedding, every image's
boxes and every preview ends with a CRC-32 that also covers the key it is stored under, and everything else
of a study has one CRC-32 in ``study_seals``. Both start from the store's identifier: rows of another store
that get in among these do not match. A CRC finds accidents (every error of up to 32 bits in a row, all but
one in four thousand million of the others); whoever forges rows can forge it too.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from edge_retrieve.runtime.errors import StoreError

CRC_BYTES = 4

_REMEDY = "Check it ('edge-retrieve store check'), then restore it from a backup"


@dataclass(frozen=True)
class Terms:
    """What a store's rows are written and read under.

    Parameters
    ----------
    store_id : str
    generation : int
        Number of the bundle in force: embeddings of another are in the same tables while they are computed.
    dim : int
        Length of an embedding.
    """

    store_id: str
    generation: int
    dim: int

    def start(self, *key: str | int) -> int:
        """Return the checksum of a key, from which that of a value goes on."""
        return zlib.crc32("\0".join((self.store_id, *map(str, key))).encode())


def seal(value: bytes, start: int) -> bytes:
    """Return a value followed by its checksum."""
    return value + struct.pack("<I", zlib.crc32(value, start))


def unseal(sealed: object, start: int, what: str) -> bytes:
    """Return what was sealed.

    Raises
    ------
    StoreError
        Where it is not as it was written.
    """
    if not isinstance(sealed, bytes) or seal(sealed[:-CRC_BYTES], start) != sealed:
        raise damaged(f"{what} does not match its checksum")
    return sealed[:-CRC_BYTES]


def owner_start(start: int, owner: int) -> int:
    """Return the checksum of a partition's key and an owner."""
    return zlib.crc32(struct.pack("<q", owner), start)


def damaged(what: str) -> StoreError:
    """Return the error for a database that does not hold what was written."""
    return StoreError(f"the store's database is damaged: {what}", remedy=_REMEDY)
