"""The index's files: written whole, checked before anything is made of them, exchanged in one step.

A partition has two or three: ``NAME.HASH.rows`` (owners, studies, float32 rows), by its form
``NAME.HASH.codes`` (their codes) or ``NAME.HASH.usearch`` (their graph), and ``NAME.json``, which names the
partition, the store, the bundle, the watermark and the others, with the SHA-256 of each of their blocks, and
ends with its own. usearch crashes the process on a file with flipped bytes, so every block is verified before
it opens one. New files get new names and count from when ``NAME.json`` is renamed; whoever has the old ones
open keeps them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.runtime.index.blocks import CheckedFile, sync, write_checked, writer
from edge_retrieve.runtime.index.codes import code_parts, map_codes
from edge_retrieve.runtime.index.segment import Segment, new_graph
from edge_retrieve.runtime.store import Vectors, Watermark

FORMAT_VERSION = 7
"""Goes up with a change of what the files hold."""

_ATTEMPTS = 2  # at reading files that another process may be exchanging


class FileState(str, Enum):
    """What a partition's files are worth."""

    CURRENT = "current"
    BEHIND = "behind the store: newer rows are read from it"
    MISSING = "missing"
    STALE = "stale: of another store, bundle or version, or rows were replaced or erased"
    DAMAGED = "damaged: a checksum or a size does not match"


@dataclass(frozen=True)
class Sidecar:
    """What ``NAME.json`` holds.

    Parameters
    ----------
    partition : str
        Name of the partition: files that change places are noticed.
    store_id, bundle_id : str
    watermark : Watermark
        The store's when the rows were read.
    rows, dim : int
        Shape of the matrix.
    vectors : CheckedFile
    codes, graph : CheckedFile or None
        By the partition's form: one of them or neither.
    format_version : int
    """

    partition: str
    store_id: str
    bundle_id: str
    watermark: Watermark
    rows: int
    dim: int
    vectors: CheckedFile
    codes: CheckedFile | None
    graph: CheckedFile | None
    format_version: int = FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """Return the file's content: a line of JSON and its SHA-256."""
        line = json.dumps(asdict(self)).encode()
        return line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Sidecar:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            Where it is damaged, or of another version.
        """
        line, digest, rest = data.split(b"\n")
        if rest or hashlib.sha256(line).hexdigest().encode() != digest:
            raise ValueError("the checksum does not match")
        held = json.loads(line)
        return cls(
            **{
                **held,
                "watermark": Watermark(**held["watermark"]),
                "vectors": _checked(held["vectors"]),
                "codes": held["codes"] and _checked(held["codes"]),
                "graph": held["graph"] and _checked(held["graph"]),
            }
        )

    @property
    def files(self) -> tuple[CheckedFile, ...]:
        """The files it speaks of."""
        return tuple(file for file in (self.vectors, self.codes, self.graph) if file)


def _checked(held: dict[str, Any]) -> CheckedFile:
    return CheckedFile(held["name"], held["size"], tuple(held["blocks"]))


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

    def read(self) -> Sidecar:
        """Read the sidecar.

        Raises
        ------
        OSError
            Where it is not there or cannot be read.
        ValueError, TypeError, KeyError
            Where it is damaged, or of another version.
        """
        return Sidecar.from_bytes(self.sidecar.read_bytes())

    def inspect(
        self, store_id: str, bundle_id: str, watermark: Watermark, *, contents: bool = True
    ) -> tuple[FileState, Sidecar | None]:
        """Read the sidecar and verify every block of the other files, or their sizes alone; open none."""
        for _ in range(_ATTEMPTS):
            try:
                sidecar = self.read()
            except FileNotFoundError:
                return FileState.MISSING, None
            except (OSError, ValueError, TypeError, KeyError):
                # A sidecar without a checksum is one of an earlier version.
                return (FileState.STALE if self._is_of_old() else FileState.DAMAGED), None
            if not self._fits(sidecar, store_id, bundle_id, watermark):
                return FileState.STALE, None
            try:
                if any(file.damage(self.folder, contents=contents) for file in sidecar.files):
                    return FileState.DAMAGED, None
            except FileNotFoundError:
                continue  # exchanged since the sidecar was read, or lost
            except OSError:
                return FileState.DAMAGED, None
            held = sidecar.watermark
            behind = held.last < watermark.last or held.replaced < watermark.replaced
            return (FileState.BEHIND if behind else FileState.CURRENT), sidecar
        return FileState.MISSING, None

    def _fits(self, sidecar: Sidecar, store_id: str, bundle_id: str, watermark: Watermark) -> bool:
        named = (sidecar.format_version, sidecar.partition, sidecar.store_id, sidecar.bundle_id)
        held = sidecar.watermark
        return (
            named == (FORMAT_VERSION, self.name, store_id, bundle_id)
            and held.removals == watermark.removals
            and held.last <= watermark.last
            and held.replaced <= watermark.replaced
            # Files that should have been written anew when deleted studies were erased.
            and watermark.erased <= held.tombstones <= watermark.tombstones
        )

    def _is_of_old(self) -> bool:
        try:
            return int(json.loads(self.sidecar.read_bytes())["format_version"]) < FORMAT_VERSION
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def load(self, sidecar: Sidecar) -> Segment | None:
        """Map verified files into memory; None where the graph does not fit the rows after all."""
        count, dim = sidecar.rows, sidecar.dim
        if not count:
            return Segment(empty_vectors(dim))
        # As a plain array: one of the type memmap takes microseconds to index.
        raw = np.asarray(np.memmap(self.folder / sidecar.vectors.name, dtype=np.uint8, mode="r"))
        vectors = Vectors(
            owners=raw[: 8 * count].view("<i8"),
            studies=raw[8 * count : 16 * count].view("<i8"),
            rows=raw[16 * count :].view("<f4").reshape(count, dim),
        )
        if sidecar.codes is not None:
            return Segment(vectors, codes=map_codes(self.folder / sidecar.codes.name, dim))
        if sidecar.graph is None:
            return Segment(vectors)
        graph = new_graph(dim)
        try:
            graph.view(str(self.folder / sidecar.graph.name))
        except (RuntimeError, ValueError):
            return None
        # Opening resets the shape and the links to the file's, whatever we asked for.
        return Segment(vectors, graph) if (len(graph), graph.ndim) == (count, dim) else None

    def save(self, segment: Segment, store_id: str, bundle_id: str, watermark: Watermark) -> None:
        """Write the files and exchange the old ones for them.

        Whoever is killed in between leaves the old ones in force, and files that nothing names.

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
        rows_file = write_checked(
            self.folder, self.name, "rows", write_rows, expected_size=count * (16 + 4 * dim)
        )
        codes_file = None
        if segment.codes is not None:
            parts = code_parts(segment.codes)
            codes_file = write_checked(
                self.folder,
                self.name,
                "codes",
                lambda path: path.write_bytes(b"".join(parts)),
                expected_size=sum(map(len, parts)),
            )
        graph: Any = segment.graph
        graph_file = None
        if graph is not None:
            graph_file = write_checked(
                self.folder,
                self.name,
                "usearch",
                lambda path: graph.save(str(path)),
                expected_size=graph.serialized_length,
            )
        try:
            before = self.read().files
        except (OSError, ValueError, TypeError, KeyError):
            before = ()
        sidecar = Sidecar(
            self.name, store_id, bundle_id, watermark, count, dim, rows_file, codes_file, graph_file
        )
        self._exchange(sidecar)
        for file in set(before) - set(sidecar.files):
            (self.folder / file.name).unlink(missing_ok=True)

    def _exchange(self, sidecar: Sidecar) -> None:
        temporary = self.folder / f".{self.name}.json.{writer()}.tmp"
        try:
            temporary.write_bytes(sidecar.to_bytes())
            sync(temporary)
            sync(self.folder)  # what it names is there before it is
            temporary.replace(self.sidecar)
        finally:
            temporary.unlink(missing_ok=True)
        sync(self.folder)


def sweep_files(folder: Path, names: Iterable[str], age_s: float) -> None:
    """Remove what killed writers left behind: files of some age that none of these partitions names."""
    named = set()
    for name in names:
        files = PartitionFiles(folder, name)
        with suppress(OSError, ValueError, TypeError, KeyError):
            named |= {files.sidecar.name, *(file.name for file in files.read().files)}
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            if path.name not in named and time.time() - path.stat().st_mtime >= age_s:
                path.unlink()


def empty_vectors(dim: int) -> Vectors:
    """Return no vectors at all."""
    return Vectors(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, dim), np.float32))
