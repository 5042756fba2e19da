"""Ours, usearch alone in the same arrangement, and a product with all rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.edge_app.bench.method import FloatArray, IntArray, Method
from edge_retrieve.runtime.index.blocks import sync
from edge_retrieve.runtime.index.files import PartitionFiles, empty_vectors
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.store import Vectors, Watermark

_BENCH = "bench"


class Ours(Method):
    """Our partitions, written and opened as a store's are."""

    name = "edge-retrieve"

    def add(self, region: int, rows: FloatArray) -> None:
        """Bring rows into their form and write it."""
        numbers = np.arange(len(rows), dtype=np.int64)
        segment = build_segment(Vectors(numbers, numbers, rows))
        self._files(region).save(segment, _BENCH, _BENCH, Watermark(len(rows), 0))

    def open(self) -> None:
        """Open nothing yet: a partition's blocks are verified when it is first asked."""
        self._partitions: dict[int, Partition] = {}
        self._pool = ThreadPoolExecutor(2)

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Search a partition."""
        return self._partition(region).search(query, k)[0]

    def search_batch(self, region: int, queries: FloatArray, k: int, threads: int) -> bool:
        """Share the queries out between threads."""
        partition = self._partition(region)
        list(self._pool.map(lambda part: partition.search_all(part, k), np.array_split(queries, threads)))
        return True

    def _partition(self, region: int) -> Partition:
        held = self._partitions.get(region)
        if held is None:
            files = self._files(region)
            _, sidecar = files.inspect(_BENCH, _BENCH, Watermark(self.studies, 0))
            assert sidecar is not None
            base = files.load(sidecar)
            assert base is not None
            held = self._partitions[region] = Partition(base, Segment(empty_vectors(self.dim)), 0, 0)
        return held

    def _files(self, region: int) -> PartitionFiles:
        return PartitionFiles(self.folder, f"region{region}")


class UsearchPerRegion(Method):
    """usearch alone: one HNSW graph a region, bfloat16, mapped from its file."""

    name = "usearch per region, bf16, ef 96"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        import usearch.index

        super().__init__(folder, studies, regions, dim)
        self._library: Any = usearch.index

    def add(self, region: int, rows: FloatArray) -> None:
        """Build a graph and save it."""
        index = self._new()
        index.add(np.arange(len(rows), dtype=np.uint64), rows, threads=1)
        path = self.folder / f"{region}.usearch"
        index.save(str(path))
        sync(path)

    def open(self) -> None:
        """Map all files."""
        self._indexes = []
        for region in range(self.regions):
            index = self._new()
            index.view(str(self.folder / f"{region}.usearch"))
            index.expansion_search = 96
            self._indexes.append(index)

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Walk a region's graph."""
        found = self._indexes[region].search(query, k, threads=1)
        return np.asarray(found.keys[: len(found)], dtype=np.int64)

    def search_batch(self, region: int, queries: FloatArray, k: int, threads: int) -> bool:
        """Walk with several threads."""
        self._indexes[region].search(queries, k, threads=threads)
        return True

    def _new(self) -> Any:
        return self._library.Index(ndim=self.dim, metric="ip", dtype="bf16", expansion_search=96)


class NumpyScan(Method):
    """NumPy's float32 product with all rows, and a partial sort."""

    name = "numpy float32 scan"

    def add(self, region: int, rows: FloatArray) -> None:
        """Save the rows."""
        path = self.folder / f"{region}.npy"
        np.save(path, rows)
        sync(path)

    def open(self) -> None:
        """Map all files."""
        self._rows = [np.load(self.folder / f"{region}.npy", mmap_mode="r") for region in range(self.regions)]

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Score every row."""
        scores = self._rows[region] @ query
        best = np.argpartition(scores, -k)[-k:]
        return np.asarray(best[np.argsort(-scores[best])], dtype=np.int64)
