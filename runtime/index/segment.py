"""Rows that are searched together, in the form for their number.

Small ones are scanned row by row; from `CODES_FROM` rows on codes are scanned and the float32 rows of the few
that may be best decide (`codes`); from `GRAPH_FROM` on usearch walks an HNSW graph of bfloat16 copies.
Whatever proposes, every score that leaves this module is the exact cosine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.by_study import ByStudy
from edge_retrieve.runtime.index.codes import CodedRows, encode_rows
from edge_retrieve.runtime.index.quantiser import ByteArray
from edge_retrieve.runtime.index.switch_points import DEFAULT_SWITCH_POINTS, Form, SwitchPoints
from edge_retrieve.runtime.store import Vectors

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_CONNECTIVITY = 16
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 384
_ADDED_ALONE = 1024  # rows that usearch adds one after the other, before it shares them out to threads
_SPARE_ROWS = 32  # what usearch proposes beyond the rows wanted, for bfloat16 may swap neighbours
_MOST_PASSED_OVER = 1024  # excluded rows for which a walk is widened; beyond, all rows are scanned


def build_segment(vectors: Vectors, switch: SwitchPoints = DEFAULT_SWITCH_POINTS) -> Segment:
    """Bring rows into the form for their number, and those with codes into the order of their cells."""
    count, dim = vectors.rows.shape
    form = switch.form(count)
    if form is Form.CODES and dim <= kernel.MOST_DIM:
        order, codes = encode_rows(vectors.rows)
        return Segment(
            Vectors(vectors.owners[order], vectors.studies[order], vectors.rows[order]), codes=codes
        )
    return Segment(vectors, graph=build_graph(vectors.rows) if form is Form.GRAPH else None)


def build_graph(rows: FloatArray) -> Any:
    """Build a usearch index over unit rows; the key of a row is its number."""
    graph = new_graph(rows.shape[1])
    keys, rows = np.arange(len(rows), dtype=np.uint64), np.ascontiguousarray(rows)
    # Rows added at the same time do not see each other: where they are the first, some stay unreachable.
    graph.add(keys[:_ADDED_ALONE], rows[:_ADDED_ALONE], threads=1)
    if len(rows) > _ADDED_ALONE:
        graph.add(keys[_ADDED_ALONE:], rows[_ADDED_ALONE:])
    return graph


def new_graph(dim: int) -> Any:
    """Return an empty usearch index with our settings; loading a file into it keeps those of a search."""
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
        Over all rows, keys being row numbers.
    codes : CodedRows or None
        Of all rows. Where both are None, rows are scanned.
    """

    vectors: Vectors
    graph: Any = None
    codes: CodedRows | None = None

    @property
    def form(self) -> Form:
        """How a search goes about it on this machine."""
        if self.graph is not None:
            return Form.GRAPH
        return Form.CODES if self.scan is not None else Form.ROWS

    def top(
        self, query: FloatArray, count: int, excluded: ByteArray | None = None, *, thorough: bool = False
    ) -> tuple[IntArray, FloatArray]:
        """Return the best rows and their scores, best first.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int
        excluded : uint8 array of shape [n], optional
            Not zero for rows to pass over.
        thorough : bool
            As for `Partition.search`.
        """
        rows = self.vectors.rows
        passed_over = 0 if excluded is None else int(np.count_nonzero(excluded))
        if self.graph is not None and passed_over <= _MOST_PASSED_OVER:
            numbers = self._walk(query, count + passed_over)
            scores = rows[numbers] @ query
        elif self.scan is not None:
            words = None if excluded is None else self.scan.excluding(np.flatnonzero(excluded))
            found = self.scan.search(query, count, excluded=words, thorough=thorough)
            return found.numbers, found.scores
        else:
            numbers, scores = np.arange(len(rows), dtype=np.int64), rows @ query
        if passed_over:
            assert excluded is not None
            kept = excluded[numbers] == 0
            numbers, scores = numbers[kept], scores[kept]
        best = _best(scores, count)
        order = best[np.lexsort((numbers[best], -scores[best]))]
        return numbers[order], scores[order]

    def score_all(self, query: FloatArray, scores: FloatArray) -> float:
        """Score every row: of each study the best of its rows counts.

        Parameters
        ----------
        query : float32 array of shape [D]
        scores : float32 array of shape [n]
            By the numbers of studies, up to `last_study` at least; NaN where there is none yet. Filled in.

        Returns
        -------
        float
            By how much a score may be off.
        """
        if self.scan is not None:
            return self.scan.score_all(query, scores)
        studies, found = self.vectors.studies, self.vectors.rows @ query
        if self.by_study.most_rows > 1:
            np.fmax.at(scores, studies, found)
        else:
            scores[studies] = np.fmax(scores[studies], found)
        return 0.0

    def _walk(self, query: FloatArray, count: int) -> IntArray:
        wanted = min(len(self.vectors.rows), max(_EXPANSION_SEARCH, count + _SPARE_ROWS))
        found = self.graph.search(query, wanted, threads=1)
        # usearch pads a short answer with key 0: only `len(found)` keys are real.
        return np.asarray(found.keys[: len(found)], dtype=np.int64)

    @cached_property
    def by_study(self) -> ByStudy:
        """Which rows belong to which studies."""
        return ByStudy.of(self.vectors.studies)

    @cached_property
    def last_study(self) -> int:
        """The highest number of a study, 0 where there is none."""
        return int(self.vectors.studies.max(initial=0))

    @cached_property
    def total(self) -> npt.NDArray[np.float64]:
        """The sum of the rows, shape [D]."""
        return np.asarray(self.vectors.rows.sum(axis=0, dtype=np.float64))

    @cached_property
    def scan(self) -> kernel.CodeScan | None:
        """The scan of the codes, where there are any and this machine has it."""
        if self.codes is None or not kernel.available():
            return None
        return kernel.CodeScan(self.codes, self.vectors.rows, self.vectors.studies)


def _best(scores: FloatArray, count: int) -> IntArray:
    if len(scores) <= count:
        return np.arange(len(scores), dtype=np.int64)
    return np.asarray(np.argpartition(scores, -count)[-count:], dtype=np.int64)
