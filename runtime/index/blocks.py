"""Files whose every block has a checksum: written whole under a name of their own, verified before use."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class CheckedFile:
    """A file as it was written.

    Parameters
    ----------
    name : str
        Without a folder. Part of it is made from the content, so a file never takes another's place.
    size : int
        Bytes.
    blocks : tuple of str
        SHA-256 of each block of `BLOCK_BYTES`, the last one shorter.
    """

    name: str
    size: int
    blocks: tuple[str, ...]

    def damage(self, folder: Path, *, contents: bool = True) -> str:
        """Return what is wrong with the file in a folder, '' where it is as written.

        Parameters
        ----------
        folder : Path
        contents : bool
            Read every block; else the size alone is compared.

        Raises
        ------
        FileNotFoundError
            Where it is not there.
        OSError
            Where it cannot be read.
        """
        with (folder / self.name).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != self.size:
                return f"{self.name} has {size} bytes in place of {self.size}"
            for number, expected in enumerate(self.blocks if contents else ()):
                if hashlib.sha256(stream.read(BLOCK_BYTES)).hexdigest() != expected:
                    return f"block {number + 1} of {len(self.blocks)} of {self.name} is damaged"
        return ""


def write_checked(
    folder: Path, stem: str, suffix: str, write: Callable[[Path], object], *, expected_size: int
) -> CheckedFile:
    """Write a file under a temporary name, force it to the disk, and rename it to ``STEM.HASH.SUFFIX``.

    Raises
    ------
    OSError
        Where the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary = folder / f".{stem}.{suffix}.{writer()}.tmp"
    try:
        write(temporary)
        # usearch can report success on a full disk.
        if temporary.stat().st_size != expected_size:
            raise OSError(f"{temporary} is incomplete: is the disk full?")
        sync(temporary)
        blocks = _block_hashes(temporary)
        generation = hashlib.sha256("".join(blocks).encode()).hexdigest()[:12]
        checked = CheckedFile(f"{stem}.{generation}.{suffix}", expected_size, blocks)
        temporary.replace(folder / checked.name)
    finally:
        temporary.unlink(missing_ok=True)
    return checked


def writer() -> str:
    """Name this process and thread, for temporary files of their own."""
    return f"{os.getpid()}-{threading.get_ident()}"


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _block_hashes(path: Path) -> tuple[str, ...]:
    hashes = []
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            hashes.append(hashlib.sha256(block).hexdigest())
    return tuple(hashes)
