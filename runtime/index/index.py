"""All partitions of a store, opened when first needed and kept up with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index.files import FileState, PartitionFiles, empty_vectors
from edge_retrieve.runtime.index.partition import Partition, Segment, build_segment
from edge_retrieve.runtime.index.switch_points import Form, load_switch_points
from edge_retrieve.runtime.store import Store, Vectors, Watermark

Progress = Callable[[int, int, str], None]

_TAIL_ROWS = 1024
_TAIL_SHARE = 8
_TEMPORARY_LIFE_S = 3600.0


@dataclass(frozen=True)
class PartitionKey:
    """Names a partition.

    Parameters
    ----------
    modality : Modality
    region : Region or None
        None stands for the whole image or report.
    """

    modality: Modality
    region: Region | None

    @property
    def name(self) -> str:
        """Name of its files."""
        place = "whole" if self.region is None else self.region.value.replace(" ", "-")
        return f"{self.modality.value}.{place}"


ALL_PARTITIONS = tuple(PartitionKey(modality, region) for modality in Modality for region in (None, *REGIONS))


@dataclass(frozen=True)
class PartitionState:
    """What `Index.check` found of one partition.

    Parameters
    ----------
    key : PartitionKey
    state : FileState
    """

    key: PartitionKey
    state: FileState


class Index:
    """The partitions of a store.

    Safe to share between threads. Files that are missing, stale, torn or of another bundle are rebuilt
    from the store when they are needed; where they cannot be written the index lives in memory.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[PartitionKey, Partition] = {}
        # The last deletion that the rows held of a partition know of, and the last one there is.
        self._tombstones: dict[PartitionKey, int] = {}
        self._last_tombstone = 0
        self._lock = threading.RLock()

    def deleted(self) -> frozenset[int]:
        """Return the numbers of the studies to leave out: deleted since the oldest rows in use were read."""
        with self._lock:
            oldest = min((self._tombstones[key] for key in self._open), default=self._last_tombstone)
            none_since = oldest == self._last_tombstone
        return frozenset() if none_since else self._store.deleted_since(oldest)

    def partition(self, modality: Modality, region: Region | None) -> Partition:
        """Return a partition with everything the store has committed; `deleted` says what to leave out."""
        key = PartitionKey(modality, region)
        with self._lock:
            watermark = self._store.watermark(modality)
            self._last_tombstone = max(self._last_tombstone, watermark.tombstones)
            held = self._open.get(key)
            if held is not None and not self._fits(key, held, watermark):
                held = None
            if held is not None and held.last >= watermark.last:
                return held
            fresh = self._catch_up(key, held, watermark)
            self._open[key] = fresh
            return fresh

    def refresh(self, progress: Progress | None = None) -> None:
        """Bring every partition's files up to the store.

        Parameters
        ----------
        progress : callable, optional
            Called with partitions done, their total, and the name of the next.
        """
        for done, key in enumerate(ALL_PARTITIONS):
            if progress:
                progress(done, len(ALL_PARTITIONS), f"index {key.name}")
            with self._lock:
                partition = self.partition(key.modality, key.region)
                if len(partition.tail.vectors.rows) and partition.base.form is not Form.GRAPH:
                    self._save_quietly(key, self._build(key, self._store.watermark(key.modality)))
                # Mapped from its file when next needed, rather than all of them held at once.
                del self._open[key]
        if progress:
            progress(len(ALL_PARTITIONS), len(ALL_PARTITIONS), "index")

    def rebuild(self, progress: Progress | None = None) -> None:
        """Build every partition anew from the store and write its files.

        Raises
        ------
        StoreError
            Where the files cannot be written.
        """
        self._sweep(_TEMPORARY_LIFE_S)
        for done, key in enumerate(ALL_PARTITIONS):
            if progress:
                progress(done, len(ALL_PARTITIONS), f"index {key.name}")
            with self._lock:
                partition = self._build(key, self._store.watermark(key.modality))
                try:
                    self._save(key, partition)
                except OSError as error:
                    raise StoreError(
                        f"the index cannot be written ({error.strerror or error})",
                        where=str(self._store.index_folder),
                        remedy="Check the disk's space and the folder's permissions",
                    ) from error
                self._open.pop(key, None)
        if progress:
            progress(len(ALL_PARTITIONS), len(ALL_PARTITIONS), "index")

    def check(self) -> tuple[PartitionState, ...]:
        """Verify every partition's files against the store, opening and changing none."""
        states = []
        for key in ALL_PARTITIONS:
            watermark = self._store.watermark(key.modality)
            state, _ = self._files(key).inspect(self._store.store_id, self._store.bundle_id, watermark)
            states.append(PartitionState(key, state))
        return tuple(states)

    def _files(self, key: PartitionKey) -> PartitionFiles:
        return PartitionFiles(self._store.index_folder, key.name)

    def _catch_up(self, key: PartitionKey, held: Partition | None, watermark: Watermark) -> Partition:
        """Extend what is held or filed by the rows that came since, or build it anew."""
        base = held.base if held is not None else None
        if base is None:
            base = self._load(key, watermark)
        if base is not None:
            seen = int(base.vectors.owners[-1]) if len(base.vectors.owners) else 0
            tail = self._store.vectors(key.modality, key.region, after=seen)
            if len(tail.rows) <= max(_TAIL_ROWS, len(base.vectors.rows) // _TAIL_SHARE) and (
                len(base.vectors.rows) or not len(tail.rows)
            ):
                return Partition(base, Segment(tail), _last(tail, watermark), watermark.removals)
        partition = self._build(key, watermark)
        self._save_quietly(key, partition)
        return partition

    def _load(self, key: PartitionKey, watermark: Watermark) -> Segment | None:
        files = self._files(key)
        _, sidecar = files.inspect(self._store.store_id, self._store.bundle_id, watermark)
        if sidecar is None:
            return None
        self._tombstones[key] = sidecar.watermark.tombstones
        return files.load(sidecar)

    def _fits(self, key: PartitionKey, held: Partition, watermark: Watermark) -> bool:
        """Whether no row of a partition was replaced or erased since; rows may have come."""
        return held.removals == watermark.removals and self._tombstones[key] >= watermark.erased

    def _build(self, key: PartitionKey, watermark: Watermark) -> Partition:
        vectors = self._store.vectors(key.modality, key.region)
        self._tombstones[key] = watermark.tombstones
        tail = Segment(empty_vectors(self._store.embedding_dim))
        base = build_segment(vectors, load_switch_points(self._store.path))
        return Partition(base, tail, _last(vectors, watermark), watermark.removals)

    def _save(self, key: PartitionKey, partition: Partition) -> None:
        self._files(key).save(
            partition.base,
            self._store.store_id,
            self._store.bundle_id,
            Watermark(partition.last, partition.removals, self._tombstones[key]),
        )

    def _save_quietly(self, key: PartitionKey, partition: Partition) -> None:
        # A cache that cannot be kept (read-only or full disk) is no reason to refuse an answer.
        with suppress(OSError):
            self._save(key, partition)

    def sweep(self) -> None:
        """Remove every file that no partition names, those another process may be writing included."""
        self._sweep(0.0)

    def _sweep(self, age_s: float) -> None:
        """Remove what killed writers left behind: files of some age that no partition names."""
        folder = self._store.index_folder
        named = set()
        for key in ALL_PARTITIONS:
            with suppress(OSError, ValueError, TypeError, KeyError):
                named |= {self._files(key).sidecar.name, *(f.name for f in self._files(key).read().files)}
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(OSError):
                if path.name not in named and time.time() - path.stat().st_mtime >= age_s:
                    path.unlink()


def _last(vectors: Vectors, watermark: Watermark) -> int:
    # Rows committed between reading the watermark and reading the rows are in already.
    return max(watermark.last, int(vectors.owners[-1]) if len(vectors.owners) else 0)
