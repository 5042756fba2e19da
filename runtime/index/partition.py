"""One partition in memory: the embeddings of one region (or the whole) on one side, image or text.

Below `GRAPH_FROM` rows one matrix-vector product over the float32 rows answers, exactly. From there on a
usearch HNSW graph in bfloat16 proposes rows and the float32 rows decide: every score that leaves this
module is the exact cosine. Rows that arrived after the graph was built form a tail that is always scanned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.store import Vectors

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

GRAPH_FROM = 32768
"""Rows from which a graph is built. A graph walk alone is the faster one from about 3,000 rows of 256 on,
but it misses neighbours where the query comes from elsewhere than the rows, as a text asking images does,
and takes seconds to build; a scan of 20,000 such rows took 0.8 ms on one idle core and misses none."""

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 192
_SPARE_ROWS = 32  # what the graph proposes beyond the rows wanted, for bfloat16 may swap neighbours


def build_graph(rows: FloatArray) -> Any:
    """Build a usearch graph over unit rows; the key of a row is its number."""
    graph = new_graph(rows.shape[1])
    graph.add(np.arange(len(rows), dtype=np.uint64), np.ascontiguousarray(rows))
    return graph


def new_graph(dim: int) -> Any:
    """Return an empty usearch graph with our settings; loading a file into it keeps them."""
    from usearch.index import Index as Graph

    # On unit vectors the inner product is the cosine. bfloat16 keeps float32's range: usearch's own
    # cast to int8 uses a fifth of its range and costs 5 % of the recall.
    return Graph(
        ndim=dim,
        metric="ip",
        dtype="bf16",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )


@dataclass(frozen=True)
class Segment:
    """Rows searched together.

    Parameters
    ----------
    vectors : Vectors
    graph : usearch Index or None
        Over all rows, keys being row numbers; None to scan.
    """

    vectors: Vectors
    graph: Any

    def top(self, query: FloatArray, count: int) -> IntArray:
        """Return the numbers of the best rows, unordered; exact where there is no graph."""
        rows = self.vectors.rows
        if len(rows) <= count:
            return np.arange(len(rows), dtype=np.int64)
        if self.graph is None:
            return np.asarray(np.argpartition(rows @ query, -count)[-count:], dtype=np.int64)
        wanted = min(len(rows), max(_EXPANSION_SEARCH, count + _SPARE_ROWS))
        found = self.graph.search(query, wanted, threads=1)
        # usearch pads a short answer with key 0: only `len(found)` keys are real.
        numbers = np.asarray(found.keys[: len(found)], dtype=np.int64)
        if len(numbers) <= count:
            return numbers
        return numbers[np.argpartition(rows[numbers] @ query, -count)[-count:]]


@dataclass(frozen=True)
class Partition:
    """All rows of one partition: what is in the file, and what came since.

    Parameters
    ----------
    base, tail : Segment
    last, removals : int
        The store's watermark that the rows correspond to.
    """

    base: Segment
    tail: Segment
    last: int
    removals: int

    def __len__(self) -> int:
        return len(self.base.vectors.rows) + len(self.tail.vectors.rows)

    def search(self, query: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
        """Return the best studies for a query.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int

        Returns
        -------
        studies : int64 array of shape [n], n <= count
            Best first, each once.
        scores : float32 array of shape [n]
            Exact inner products; of a study with several rows, the best.
        """
        if self._rows_per_study == 1 and not len(self.tail.vectors.rows):
            numbers = self.base.top(query, count)
            scores = self.base.vectors.rows[numbers] @ query
            order = np.argsort(-scores, kind="stable")
            return self.base.vectors.studies[numbers[order]], scores[order]
        studies, each_scores = [], []
        for segment in (self.base, self.tail):
            # A study may own several rows (two frontal images): ask for as many more.
            numbers = segment.top(query, count * self._rows_per_study)
            studies.append(segment.vectors.studies[numbers])
            each_scores.append(segment.vectors.rows[numbers] @ query)
        all_studies, all_scores = np.concatenate(studies), np.concatenate(each_scores)
        order = np.argsort(-all_scores, kind="stable")
        _, first = np.unique(all_studies[order], return_index=True)
        best = order[np.sort(first)][:count]
        return all_studies[best], all_scores[best].astype(np.float32)

    def scores(self, query: FloatArray, studies: IntArray) -> FloatArray:
        """Return the exact score of given studies, NaN for those the partition has no row of."""
        result = np.full(len(studies), np.nan, np.float32)
        for segment, (order, ordered) in zip((self.base, self.tail), self._by_study, strict=True):
            start = np.searchsorted(ordered, studies, side="left")
            counts = np.searchsorted(ordered, studies, side="right") - start
            for step in range(int(counts.max(initial=0))):
                having = np.flatnonzero(counts > step)
                numbers = order[start[having] + step]
                result[having] = np.fmax(result[having], segment.vectors.rows[numbers] @ query)
        return result

    def expected_score(self, query: FloatArray) -> float:
        """Return the mean score over all rows: what to expect of a study without any."""
        return float(self._mean @ query) if len(self) else 0.0

    @cached_property
    def _by_study(self) -> tuple[tuple[IntArray, IntArray], ...]:
        pairs = []
        for segment in (self.base, self.tail):
            order = np.argsort(segment.vectors.studies, kind="stable").astype(np.int64)
            pairs.append((order, segment.vectors.studies[order]))
        return tuple(pairs)

    @cached_property
    def _rows_per_study(self) -> int:
        most = 1
        for _, ordered in self._by_study:
            if len(ordered):
                most = max(most, int(np.unique(ordered, return_counts=True)[1].max()))
        return most

    @cached_property
    def _mean(self) -> FloatArray:
        total = self.base.vectors.rows.sum(axis=0, dtype=np.float64)
        total += self.tail.vectors.rows.sum(axis=0, dtype=np.float64)
        return np.asarray(total / max(1, len(self)), dtype=np.float32)
