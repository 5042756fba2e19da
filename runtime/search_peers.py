"""Other ways of searching in a region, each as its users would set it up; for `search_speed`.

What is not installed is left out: ``pip install "edge-retrieve[bench-search]"`` brings all of them.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index.blocks import sync
from edge_retrieve.runtime.index.files import PartitionFiles, empty_vectors
from edge_retrieve.runtime.index.partition import Partition, Segment, build_segment
from edge_retrieve.runtime.store import Vectors, Watermark

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Method(ABC):
    """One way of searching, built in a folder of its own.

    Parameters
    ----------
    folder : Path
        Where it keeps its files.
    studies, regions, dim : int
        Shape of what it will hold.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        self.folder, self.studies, self.regions, self.dim = folder, studies, regions, dim
        folder.mkdir()

    @abstractmethod
    def add(self, region: int, rows: FloatArray) -> None:
        """Take the rows of the next region, one a study."""

    def finish(self) -> None:  # noqa: B027 - most have nothing left to do
        """Force what was added to the disk and open it as a query finds it."""

    @abstractmethod
    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Return the studies nearest to a query in a region, best first."""

    def disk_bytes(self) -> int:
        """Return the size of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Ours(Method):
    """Our partitions, written and opened as a store's are."""

    name = "edge-retrieve"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        super().__init__(folder, studies, regions, dim)
        self._partitions: dict[int, Partition] = {}

    def add(self, region: int, rows: FloatArray) -> None:
        """Bring rows into their form and write it."""
        numbers = np.arange(len(rows), dtype=np.int64)
        segment = build_segment(Vectors(numbers, numbers, rows))
        self._files(region).save(segment, "bench", "bench", Watermark(len(rows), 0))

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Search a partition, opened with its checksums when first asked for."""
        return self.partition(region).search(query, k)[0]

    def partition(self, region: int) -> Partition:
        """Return a region's partition."""
        if region not in self._partitions:
            files = self._files(region)
            _, sidecar = files.inspect("bench", "bench", Watermark(self.studies, 0))
            assert sidecar is not None
            base = files.load(sidecar)
            assert base is not None
            self._partitions[region] = Partition(base, Segment(empty_vectors(self.dim)), 0, 0)
        return self._partitions[region]

    def _files(self, region: int) -> PartitionFiles:
        return PartitionFiles(self.folder, f"region{region}")


class UsearchPerRegion(Method):
    """usearch alone: one HNSW graph a region, bfloat16, mapped from its file."""

    name = "usearch per region, bf16, ef 96"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        super().__init__(folder, studies, regions, dim)
        self.indexes: dict[int, Any] = {}

    def add(self, region: int, rows: FloatArray) -> None:
        """Build a graph and save it."""
        index = self._new()
        index.add(np.arange(len(rows), dtype=np.uint64), rows, threads=1)
        path = self.folder / f"{region}.usearch"
        index.save(str(path))
        sync(path)

    def finish(self) -> None:
        """Map all files."""
        for region in range(self.regions):
            index = self.indexes[region] = self._new()
            index.view(str(self.folder / f"{region}.usearch"))
            index.expansion_search = 96

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Walk a region's graph."""
        found = self.indexes[region].search(query, k, threads=1)
        return np.asarray(found.keys[: len(found)], dtype=np.int64)

    def _new(self) -> Any:
        from usearch.index import Index

        return Index(ndim=self.dim, metric="ip", dtype="bf16", expansion_search=96)


class NumpyScan(Method):
    """NumPy's float32 product with all rows, and a partial sort."""

    name = "numpy float32 scan"

    def add(self, region: int, rows: FloatArray) -> None:
        """Save the rows."""
        path = self.folder / f"{region}.npy"
        np.save(path, rows)
        sync(path)

    def finish(self) -> None:
        """Map all files."""
        self._rows = [np.load(self.folder / f"{region}.npy", mmap_mode="r") for region in range(self.regions)]

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Score every row."""
        scores = self._rows[region] @ query
        best = np.argpartition(scores, -k)[-k:]
        return np.asarray(best[np.argsort(-scores[best])], dtype=np.int64)


class FaissSelector(Method):
    """faiss: all regions in one HNSW graph of bytes, an IDSelector for the region asked for."""

    name = "faiss HNSW-SQ8 + IDSelector, ef 512"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        import faiss

        super().__init__(folder, studies, regions, dim)
        self._faiss: Any = faiss
        faiss.omp_set_num_threads(1)
        self._index: Any = self._faiss.IndexHNSWSQ(
            dim, faiss.ScalarQuantizer.QT_8bit, 16, faiss.METRIC_INNER_PRODUCT
        )
        self._index.hnsw.efConstruction = 128

    def add(self, region: int, rows: FloatArray) -> None:
        """Train on the first region, add the rows."""
        if not self._index.is_trained:
            self._index.train(rows)
        self._index.add(rows)

    def finish(self) -> None:
        """Write the index."""
        self._faiss.write_index(self._index, str(self.folder / "index"))
        sync(self.folder / "index")

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Walk the graph, keep what the selector lets through."""
        selector = self._faiss.IDSelectorRange(region * self.studies, (region + 1) * self.studies)
        asked = self._faiss.SearchParametersHNSW(sel=selector, efSearch=512)
        _, found = self._index.search(query[np.newaxis], k, params=asked)
        return np.asarray(found[0][found[0] >= 0] % self.studies, dtype=np.int64)


class HnswlibFilter(Method):
    """hnswlib: all regions in one graph, a Python function filters."""

    name = "hnswlib + filter"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        import hnswlib

        super().__init__(folder, studies, regions, dim)
        self._index: Any = hnswlib.Index(space="ip", dim=dim)
        self._index.init_index(max_elements=studies * regions, ef_construction=128, M=16)
        self._index.set_num_threads(1)

    def add(self, region: int, rows: FloatArray) -> None:
        """Add the rows under consecutive labels."""
        first = region * self.studies
        self._index.add_items(rows, np.arange(first, first + len(rows)))

    def finish(self) -> None:
        """Write the index."""
        self._index.set_ef(96)
        self._index.save_index(str(self.folder / "index"))
        sync(self.folder / "index")

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Walk the graph, filtering."""
        first, last = region * self.studies, (region + 1) * self.studies
        labels, _ = self._index.knn_query(query, k, num_threads=1, filter=lambda label: first <= label < last)
        return np.asarray(labels[0].astype(np.int64) % self.studies)


class SqliteVec(Method):
    """sqlite-vec: one virtual table, partitioned by region."""

    name = "sqlite-vec"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        import sqlite_vec

        super().__init__(folder, studies, regions, dim)
        self._db = sqlite3.connect(folder / "db")
        self._db.enable_load_extension(True)
        sqlite_vec.load(self._db)
        self._db.execute(
            "CREATE VIRTUAL TABLE v USING vec0("
            f"region INTEGER PARTITION KEY, e float[{dim}] distance_metric=cosine)"
        )

    def add(self, region: int, rows: FloatArray) -> None:
        """Insert the rows in one transaction."""
        first = region * self.studies
        with self._db:
            self._db.executemany(
                "INSERT INTO v (rowid, region, e) VALUES (?, ?, ?)",
                ((first + n + 1, region, row.tobytes()) for n, row in enumerate(rows)),
            )

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Ask for the nearest in a region."""
        found = self._db.execute(
            "SELECT rowid FROM v WHERE region = ? AND e MATCH ? AND k = ?", (region, query.tobytes(), k)
        ).fetchall()
        return np.asarray([(row - 1) % self.studies for (row,) in found], dtype=np.int64)


class LanceDb(Method):
    """LanceDB: one table, a filter on the region before the vectors are compared."""

    name = "lancedb"

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        import lancedb
        import pyarrow

        super().__init__(folder, studies, regions, dim)
        self._arrow: Any = pyarrow
        self._db: Any = lancedb.connect(str(folder))
        self._table: Any = None

    def add(self, region: int, rows: FloatArray) -> None:
        """Append the rows."""
        values = self._arrow.FixedSizeListArray.from_arrays(rows.ravel(), self.dim)
        numbers = np.arange(len(rows), dtype=np.int64)
        columns = {"vector": values, "study": numbers, "region": np.full(len(rows), region, np.int64)}
        batch = self._arrow.table(columns)
        if self._table is None:
            self._table = self._db.create_table("v", batch)
        else:
            self._table.add(batch)

    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Scan what the filter leaves."""
        asked = self._table.search(query).distance_type("cosine").where(f"region = {region}", prefilter=True)
        found = asked.select(["study", "_distance"]).limit(k).to_arrow()
        return np.asarray(found["study"].to_numpy(), dtype=np.int64)


METHODS: tuple[type[Method], ...] = (
    Ours,
    UsearchPerRegion,
    NumpyScan,
    FaissSelector,
    HnswlibFilter,
    SqliteVec,
    LanceDb,
)


def memory_bytes() -> tuple[int, int]:
    """Return this process's resident memory, anonymous and mapped from files; zeros where nobody says."""
    held = {"RssAnon": 0, "RssFile": 0}
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in held:
                held[name] = int(rest.split()[0]) * 1024
    return held["RssAnon"], held["RssFile"]
