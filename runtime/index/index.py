"""All partitions of a store, opened when first needed and kept up with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index.files import FileState, PartitionFiles, empty_vectors, sweep_files
from edge_retrieve.runtime.index.keys import ALL_PARTITIONS, PartitionKey
from edge_retrieve.runtime.index.merger import Merger
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.index.switch_points import Form, load_switch_points
from edge_retrieve.runtime.index.tail import Tail, overgrown
from edge_retrieve.runtime.store import Store, Vectors, Watermark

Progress = Callable[[int, int, str], None]

_TEMPORARY_LIFE_S = 3600.0


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
    from the store when they are needed; where they cannot be written the index lives in memory. Rows that
    come while a partition is open are searched beside it from then on; where they have become many, another
    thread takes them in, and queries go on meanwhile.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[PartitionKey, Partition] = {}
        self._tails: dict[PartitionKey, Tail] = {}
        # Who opens or extends a partition; none is held while files are built for one that is open.
        self._turns = {key: threading.Lock() for key in ALL_PARTITIONS}
        self._last_tombstone = 0
        self._merger = Merger(self._merge)

    def deleted(self) -> frozenset[int]:
        """Return the numbers of the studies deleted since the partitions in use were brought up to date."""
        oldest = min((partition.deleted for partition in list(self._open.values())), default=0)
        return frozenset() if oldest >= self._last_tombstone else self._store.deleted_since(oldest)

    def watermark(self, modality: Modality) -> Watermark:
        """Return how far the store has come; what it deleted until then, `deleted` knows of."""
        watermark = self._store.watermark(modality)
        self._last_tombstone = max(self._last_tombstone, watermark.tombstones)
        return watermark

    def partition(
        self, modality: Modality, region: Region | None, watermark: Watermark | None = None
    ) -> Partition:
        """Return a partition with everything the store has committed; `deleted` says what to leave out.

        Parameters
        ----------
        modality : Modality
        region : Region or None
        watermark : Watermark, optional
            How far the store had come a moment ago: a partition that knows as much will do.
        """
        key = PartitionKey(modality, region)
        watermark = watermark or self.watermark(modality)
        held = self._open.get(key)
        if held is None or not _current(held, watermark):
            with self._turns[key]:
                watermark = self.watermark(modality)
                held = self._open.get(key)
                if held is None or not _current(held, watermark):
                    held = self._catch_up(key, held, watermark)
                    self._open[key] = held
        if overgrown(held):
            self._merger.ask(key)
        return held

    def wait_for_merges(self) -> None:
        """Return when no thread takes rows into files any more."""
        self._merger.wait()

    def refresh(self, progress: Progress | None = None) -> None:
        """Bring every partition's files up to the store.

        Those that lack nothing, by what they say of themselves, are not opened: who searches them verifies
        them first, and has them built anew where they are damaged.

        Parameters
        ----------
        progress : callable, optional
            Called with partitions done, their total, and the name of the next.
        """
        for done, key in enumerate(ALL_PARTITIONS):
            if progress:
                progress(done, len(ALL_PARTITIONS), f"index {key.name}")
            if self._lags(key):
                partition = self.partition(key.modality, key.region)
                grown = len(partition.tail.vectors.rows) or len(partition.gone)
                if grown and (partition.base.form is not Form.GRAPH or overgrown(partition)):
                    self._save_quietly(key, self._build(key, self._store.watermark(key.modality)))
            # Mapped from its file when next needed, rather than all of them held at once.
            self._drop(key)
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
            partition = self._build(key, self._store.watermark(key.modality))
            try:
                self._save(key, partition)
            except OSError as error:
                raise StoreError(
                    f"the index cannot be written ({error.strerror or error})",
                    where=str(self._store.index_folder),
                    remedy="Check the disk's space and the folder's permissions",
                ) from error
            self._drop(key)
        if progress:
            progress(len(ALL_PARTITIONS), len(ALL_PARTITIONS), "index")

    def check(self, *, contents: bool = True) -> tuple[PartitionState, ...]:
        """Verify every partition's files against the store, opening and changing none.

        Parameters
        ----------
        contents : bool
            Read all of every file; else sidecars and sizes alone, which takes milliseconds.
        """
        states = []
        for key in ALL_PARTITIONS:
            watermark = self._store.watermark(key.modality)
            state, _ = self._files(key).inspect(
                self._store.store_id, self._store.bundle_id, watermark, contents=contents
            )
            states.append(PartitionState(key, state))
        return tuple(states)

    def _lags(self, key: PartitionKey) -> bool:
        """Return whether a partition's files are wrong, or rows of it may have come or gone since."""
        watermark = self._store.watermark(key.modality)
        _, sidecar = self._files(key).inspect(
            self._store.store_id, self._store.bundle_id, watermark, contents=False
        )
        if sidecar is None or sidecar.watermark.tombstones < watermark.tombstones:
            return True
        held = sidecar.watermark
        # What came may all be of other regions.
        since = self._store.growth(
            key.modality, key.region, after=held.last, replaced=held.replaced, deleted=held.tombstones
        )
        return bool(len(since.vectors.rows) or since.replaced)

    def _drop(self, key: PartitionKey) -> None:
        self._open.pop(key, None)
        self._tails.pop(key, None)

    def _files(self, key: PartitionKey) -> PartitionFiles:
        return PartitionFiles(self._store.index_folder, key.name)

    def _catch_up(self, key: PartitionKey, held: Partition | None, watermark: Watermark) -> Partition:
        """Extend what is held or filed by the rows that came since, or build it anew."""
        if held is not None and not _fits(held, watermark):
            held = None
        return self._from_files(key, watermark) if held is None else self._extended(key, held)

    def _from_files(self, key: PartitionKey, watermark: Watermark) -> Partition:
        """Return a partition from its files, which are written anew where they do not serve."""
        loaded = self._load(key, watermark)
        held = None if loaded is None else self._extended(key, loaded)
        if held is None or overgrown(held):
            held = self._build(key, watermark)
            self._save_quietly(key, held)
        return held

    def _extended(self, key: PartitionKey, held: Partition) -> Partition:
        tail = held.tail.vectors
        seen = max(
            (int(rows.owners.max()) for rows in (held.base.vectors, tail) if len(rows.owners)), default=0
        )
        since = self._store.growth(
            key.modality, key.region, after=seen, replaced=held.replaced, deleted=held.deleted
        )
        tail = self._appended(key, tail, since.vectors)
        gone = [np.fromiter(since.replaced, np.int64, len(since.replaced))]
        for rows in (held.base.vectors, tail) if since.deleted else ():
            gone.append(rows.owners[np.isin(rows.studies, list(since.deleted))])
        return replace(
            held,
            tail=Segment(tail),
            last=since.watermark.last,
            replaced=since.watermark.replaced,
            deleted=since.watermark.tombstones,
            gone=np.union1d(held.gone, np.concatenate(gone)),
        )

    def _appended(self, key: PartitionKey, tail: Vectors, new: Vectors) -> Vectors:
        """Return a partition's tail with new rows behind it, in the room that is kept for them."""
        if not len(new.rows):
            return tail
        room = self._tails.get(key)
        if room is None or not room.ends_with(tail):
            # Of another view of the partition, whose readers keep it.
            room = self._tails[key] = Tail(self._store.embedding_dim)
            room.append(tail)
        room.append(new)
        return room.vectors

    def _merge(self, key: PartitionKey) -> None:
        """Take the rows that came since into the files, or take the files of another process that has."""
        watermark = self._store.watermark(key.modality)
        fresh = self._from_files(key, watermark)
        with self._turns[key]:
            held = self._open.get(key)
            if held is not None and _fits(held, watermark):
                self._open[key] = fresh

    def _load(self, key: PartitionKey, watermark: Watermark) -> Partition | None:
        files = self._files(key)
        _, sidecar = files.inspect(self._store.store_id, self._store.bundle_id, watermark)
        base = None if sidecar is None else files.load(sidecar)
        if sidecar is None or base is None:
            return None
        held, tail = sidecar.watermark, Segment(empty_vectors(self._store.embedding_dim))
        return Partition(
            base, tail, held.last, held.removals, held.tombstones, held.replaced, held.tombstones
        )

    def _build(self, key: PartitionKey, watermark: Watermark) -> Partition:
        vectors = self._store.vectors(key.modality, key.region)
        tail = Segment(empty_vectors(self._store.embedding_dim))
        base = build_segment(vectors, load_switch_points(self._store.path))
        return Partition(
            base,
            tail,
            _last(vectors, watermark),
            watermark.removals,
            watermark.tombstones,
            watermark.replaced,
            watermark.tombstones,
        )

    def _save(self, key: PartitionKey, partition: Partition) -> None:
        self._files(key).save(
            partition.base,
            self._store.store_id,
            self._store.bundle_id,
            Watermark(
                partition.last,
                partition.removals,
                partition.tombstones,
                replaced=partition.replaced,
            ),
        )

    def _save_quietly(self, key: PartitionKey, partition: Partition) -> None:
        # A cache that cannot be kept (read-only or full disk) is no reason to refuse an answer.
        with suppress(OSError):
            self._save(key, partition)

    def sweep(self) -> None:
        """Remove every file that no partition names, those another process may be writing included."""
        self._sweep(0.0)

    def _sweep(self, age_s: float) -> None:
        sweep_files(self._store.index_folder, [key.name for key in ALL_PARTITIONS], age_s)


def _fits(held: Partition, watermark: Watermark) -> bool:
    """Whether rows of a partition were neither all replaced nor erased since; some may have come or gone."""
    return held.removals == watermark.removals and watermark.erased <= held.tombstones


def _current(held: Partition, watermark: Watermark) -> bool:
    known = (held.last, held.replaced, held.deleted)
    there = (watermark.last, watermark.replaced, watermark.tombstones)
    return _fits(held, watermark) and all(mine >= its for mine, its in zip(known, there, strict=True))


def _last(vectors: Vectors, watermark: Watermark) -> int:
    # Rows committed between reading the watermark and reading the rows are in already.
    return max(watermark.last, int(vectors.owners[-1]) if len(vectors.owners) else 0)
