"""Digests of this package's own source: what was computed by other source is made anew."""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_digest(room: str) -> str:
    """Return the SHA-256 of the Python files of a room of `train`, hexadecimal.

    Parameters
    ----------
    room : str
        Name of the folder, such as ``model``.
    """
    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parent / room).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def renderer_digest() -> str:
    """Return the digest of the phantom's source: archives of different renderers are not the same."""
    return source_digest("phantom")
