"""One partition in memory: the embeddings of one region (or the whole) on one side, image or text.

usearch proposes rows by their bfloat16 copies and the float32 rows decide: every score that leaves this
module is the exact cosine. Below `EXACT_BELOW` rows usearch scores every row and nothing is missed; from
there on it walks an HNSW graph. Rows that arrived after the files were written form a tail, always scanned.
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

EXACT_BELOW = 32768
"""Rows from which the graph is walked; below, usearch scores every row.

A walk of 20,000 rows takes a third of the time, but it misses neighbours where the query comes from
elsewhere than the rows, as a text asking images does, and its links take seconds to build. Scoring every
row and choosing 100, with the check of `Segment.top`, took 0.05, 0.21 and 0.6 ms (median, 400, 5,000 and
20,000 rows of 128, one busy x86 core with AVX-512); NumPy's float32 product and partial sort took 0.01, 0.13
and 0.75 ms. Where many rows are nearly alike, as reports in the same words are, the check fails and both
are paid.
"""

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 192
# Links that no search follows: hardly any. 20,000 rows of 128 took 0.1 s so, 10 s with all links (one core).
_UNWALKED_CONNECTIVITY = 2
_UNWALKED_EXPANSION_ADD = 1
_SPARE_ROWS = 32  # what usearch proposes beyond the rows wanted, for bfloat16 may swap neighbours
_BLOCK = 4096
_SUMMATION_ERROR = 1e-5  # of a float32 inner product of unit vectors, whatever the order of its terms


def build_graph(rows: FloatArray) -> Any:
    """Build a usearch index over unit rows; the key of a row is its number."""
    graph = new_graph(rows.shape[1], walked=len(rows) >= EXACT_BELOW)
    graph.add(np.arange(len(rows), dtype=np.uint64), np.ascontiguousarray(rows))
    return graph


def new_graph(dim: int, *, walked: bool = True) -> Any:
    """Return an empty usearch index with our settings; loading a file into it keeps those of a search."""
    from usearch.index import Index as Graph

    # On unit vectors the inner product is the cosine. bfloat16 keeps float32's range: usearch's own
    # cast to int8 uses a fifth of its range and costs 5 % of the recall.
    return Graph(
        ndim=dim,
        metric="ip",
        dtype="bf16",
        connectivity=_CONNECTIVITY if walked else _UNWALKED_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD if walked else _UNWALKED_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )


def to_bfloat16(values: FloatArray) -> FloatArray:
    """Return values rounded as usearch rounds them, to the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
    return np.asarray(rounded, dtype=np.uint32).view(np.float32)


@dataclass(frozen=True)
class Segment:
    """Rows searched together.

    Parameters
    ----------
    vectors : Vectors
    graph : usearch Index or None
        Over all rows, keys being row numbers; None for a tail, whose rows are scanned, and for no rows.
    """

    vectors: Vectors
    graph: Any

    @property
    def is_walked(self) -> bool:
        """Whether a search follows the graph's links, rather than score every row."""
        return self.graph is not None and len(self.vectors.rows) >= EXACT_BELOW

    def top(self, query: FloatArray, count: int) -> IntArray:
        """Return the numbers of the best rows, unordered; exact where the graph is not walked."""
        rows = self.vectors.rows
        if len(rows) <= count:
            return np.arange(len(rows), dtype=np.int64)
        if self.graph is None:
            return _best(rows @ query, count)
        wanted = min(len(rows), count + _SPARE_ROWS)
        if self.is_walked:
            wanted = min(len(rows), max(_EXPANSION_SEARCH, wanted))
        found = self.graph.search(query, wanted, threads=1, exact=not self.is_walked)
        # usearch pads a short answer with key 0: only `len(found)` keys are real.
        numbers = np.asarray(found.keys[: len(found)], dtype=np.int64)
        if len(numbers) <= count:
            return numbers
        scores = rows[numbers] @ query
        best = _best(scores, count)
        if not self.is_walked and wanted < len(rows):
            # What usearch left out scored no more in bfloat16 than the last it gave. Where rounding could
            # make up the difference (many rows nearly alike), the float32 rows are scanned instead.
            last = 1.0 - float(found.distances[len(found) - 1])
            if scores[best].min() < last + self._rounding_error(query):
                return _best(rows @ query, count)
        return numbers[best]

    def _rounding_error(self, query: FloatArray) -> float:
        """Return the most by which a row's bfloat16 score can differ from its float32 score.

        With q', r' the rounded q, r: q.r - q'.r' = (q - q').r + q'.(r - r'), each bounded by
        Cauchy-Schwarz; rows have unit length.
        """
        rounded = to_bfloat16(query)
        of_query = float(np.linalg.norm(query - rounded))
        return of_query + float(np.linalg.norm(rounded)) * self._row_rounding + _SUMMATION_ERROR

    @cached_property
    def _row_rounding(self) -> float:
        rows = self.vectors.rows
        return max(
            float(np.linalg.norm(block - to_bfloat16(block), axis=1).max())
            for block in (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
        )


def _best(scores: FloatArray, count: int) -> IntArray:
    return np.asarray(np.argpartition(scores, -count)[-count:], dtype=np.int64)


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
