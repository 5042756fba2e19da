"""The index's files: written whole, checked before anything is made of them.

A partition has three: ``NAME.rows`` (owners, studies, float32 rows), ``NAME.usearch`` (a usearch index of
them, unless there are none) and ``NAME.json``, which names the store, the bundle and the watermark, and
carries the size and SHA-256 of the other two. usearch crashes the process on a file with flipped bytes, so
the checksum is verified before it opens one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.runtime.index.partition import Segment, new_graph
from edge_retrieve.runtime.store import Vectors, Watermark

FORMAT_VERSION = 2
"""Goes up with a change of what the files hold, or of the rows from which a graph has links to walk."""

_BLOCK = 1 << 20


class FileState(str, Enum):
    """What a partition's files are worth."""

    CURRENT = "current"
    BEHIND = "behind the store: newer rows are read from it"
    MISSING = "missing"
    STALE = "stale: of another store, bundle or version, or rows were removed"
    DAMAGED = "damaged: a checksum or a size does not match"


@dataclass(frozen=True)
class Sidecar:
    """What ``NAME.json`` holds.

    Parameters
    ----------
    store_id, bundle_id : str
    last, removals : int
        The store's watermark when the rows were read.
    rows, dim : int
        Shape of the matrix.
    rows_sha256 : str
    graph_sha256 : str
        Empty where there are no rows.
    format_version : int
    """

    store_id: str
    bundle_id: str
    last: int
    removals: int
    rows: int
    dim: int
    rows_sha256: str
    graph_sha256: str
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class PartitionFiles:
    """The files of one partition.

    Parameters
    ----------
    folder : Path
    name : str
    """

    folder: Path
    name: str

    @property
    def sidecar(self) -> Path:
        """Path of the checksums."""
        return self.folder / f"{self.name}.json"

    @property
    def rows(self) -> Path:
        """Path of the vectors."""
        return self.folder / f"{self.name}.rows"

    @property
    def graph(self) -> Path:
        """Path of the usearch index."""
        return self.folder / f"{self.name}.usearch"

    def inspect(
        self, store_id: str, bundle_id: str, watermark: Watermark
    ) -> tuple[FileState, Sidecar | None]:
        """Read the sidecar and verify both files' checksums; open neither."""
        try:
            sidecar = Sidecar(**json.loads(self.sidecar.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return FileState.MISSING, None
        except (OSError, ValueError, TypeError):
            return FileState.DAMAGED, None
        if (sidecar.format_version, sidecar.store_id, sidecar.bundle_id, sidecar.removals) != (
            FORMAT_VERSION,
            store_id,
            bundle_id,
            watermark.removals,
        ) or sidecar.last > watermark.last:
            return FileState.STALE, None
        try:
            intact = (
                self.rows.stat().st_size == sidecar.rows * (16 + 4 * sidecar.dim)
                and _sha256(self.rows) == sidecar.rows_sha256
                and (sidecar.rows == 0 or _sha256(self.graph) == sidecar.graph_sha256)
            )
        except FileNotFoundError:
            return FileState.MISSING, None
        except OSError:
            return FileState.DAMAGED, None
        if not intact:
            return FileState.DAMAGED, None
        return (FileState.CURRENT if sidecar.last == watermark.last else FileState.BEHIND), sidecar

    def load(self, sidecar: Sidecar) -> Segment | None:
        """Map verified files into memory; None where the graph does not fit the rows after all."""
        count, dim = sidecar.rows, sidecar.dim
        if count == 0:
            return Segment(empty_vectors(dim), None)
        raw = np.memmap(self.rows, dtype=np.uint8, mode="r")
        vectors = Vectors(
            owners=raw[: 8 * count].view("<i8"),
            studies=raw[8 * count : 16 * count].view("<i8"),
            rows=raw[16 * count :].view("<f4").reshape(count, dim),
        )
        graph = new_graph(dim)
        try:
            graph.view(str(self.graph))
        except (RuntimeError, ValueError):
            return None
        # Opening resets the shape and the links to the file's, whatever we asked for.
        return Segment(vectors, graph) if (len(graph), graph.ndim) == (count, dim) else None

    def save(self, segment: Segment, store_id: str, bundle_id: str, watermark: Watermark) -> None:
        """Write the files; whoever is killed in between leaves some that do not verify.

        Raises
        ------
        OSError
            Where the folder cannot be written or the disk is full.
        """
        self.folder.mkdir(exist_ok=True)
        vectors = segment.vectors

        def write_rows(path: Path) -> None:
            with path.open("wb") as stream:
                stream.write(vectors.owners.astype("<i8").tobytes())
                stream.write(vectors.studies.astype("<i8").tobytes())
                stream.write(np.ascontiguousarray(vectors.rows, dtype="<f4").data)

        count, dim = vectors.rows.shape
        rows_sha256 = _replace(self.rows, write_rows, expected_size=count * (16 + 4 * dim))
        graph_sha256 = ""
        if segment.graph is not None:
            graph: Any = segment.graph
            graph_sha256 = _replace(
                self.graph, lambda path: graph.save(str(path)), expected_size=graph.serialized_length
            )
        else:
            self.graph.unlink(missing_ok=True)
        text = json.dumps(
            asdict(
                Sidecar(
                    store_id=store_id,
                    bundle_id=bundle_id,
                    last=watermark.last,
                    removals=watermark.removals,
                    rows=count,
                    dim=dim,
                    rows_sha256=rows_sha256,
                    graph_sha256=graph_sha256,
                )
            )
        ).encode()
        _replace(self.sidecar, lambda path: _write_bytes(path, text), expected_size=len(text))
        _sync_folder(self.folder)


def empty_vectors(dim: int) -> Vectors:
    """Return no vectors at all."""
    return Vectors(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, dim), np.float32))


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _replace(path: Path, write: Callable[[Path], None], *, expected_size: int) -> str:
    """Write a file under a temporary name, force it to the disk, rename it; return its SHA-256."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        # usearch can report success on a full disk.
        if temporary.stat().st_size != expected_size:
            raise OSError(f"{temporary} is incomplete: is the disk full?")
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        digest = _sha256(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
