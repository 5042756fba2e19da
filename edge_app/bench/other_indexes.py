"""Libraries for searching vectors, each as its users would set it up.

What is not installed is left out: ``pip install "edge-retrieve[bench-search]"`` brings all of them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.edge_app.bench.method import FloatArray, IntArray, Method
from edge_retrieve.runtime.index.blocks import sync


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

    def open(self) -> None:
        """Read the index."""
        self._index = self._faiss.read_index(str(self.folder / "index"))

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
        self._hnswlib: Any = hnswlib
        self._index: Any = None

    def add(self, region: int, rows: FloatArray) -> None:
        """Add the rows under consecutive labels."""
        if self._index is None:
            self._index = self._hnswlib.Index(space="ip", dim=self.dim)
            self._index.init_index(max_elements=self.studies * self.regions, ef_construction=128, M=16)
            self._index.set_num_threads(1)
        first = region * self.studies
        self._index.add_items(rows, np.arange(first, first + len(rows)))

    def finish(self) -> None:
        """Write the index."""
        self._index.save_index(str(self.folder / "index"))
        sync(self.folder / "index")

    def open(self) -> None:
        """Read the index."""
        self._index = self._hnswlib.Index(space="ip", dim=self.dim)
        self._index.load_index(str(self.folder / "index"))
        self._index.set_num_threads(1)
        self._index.set_ef(96)

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
        self._library: Any = sqlite_vec
        self.open()

    def open(self) -> None:
        """Connect."""
        self._db = sqlite3.connect(self.folder / "db")
        self._db.enable_load_extension(True)
        self._library.load(self._db)
        self._db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS v USING vec0("
            f"region INTEGER PARTITION KEY, e float[{self.dim}] distance_metric=cosine)"
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
        self._lance: Any = lancedb
        self._db: Any = lancedb.connect(str(folder))
        self._table: Any = None

    def open(self) -> None:
        """Open the table."""
        self._table = self._lance.connect(str(self.folder)).open_table("v")

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
