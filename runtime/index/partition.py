"""One partition in memory: the embeddings of one region (or the whole) on one side, image or text.

What its files hold is one segment, in the form for its size; rows that arrived after the files were written
form another, the tail, always scanned.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.quantiser import ByteArray
from edge_retrieve.runtime.index.segment import Segment

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def _numbers(studies: Collection[int]) -> IntArray:
    return studies if isinstance(studies, np.ndarray) else np.fromiter(studies, np.int64, len(studies))


@dataclass(frozen=True)
class Partition:
    """All rows of one partition: what is in the file, and what came since.

    Parameters
    ----------
    base, tail : Segment
    last, removals : int
        The store's watermark that the rows correspond to.
    tombstones : int
        Number of the last deletion of a study when the base was read.
    replaced : int
        Number of the last replaced report that `gone` knows of.
    deleted : int
        Number of the last deletion that `gone` knows of.
    gone : int64 array of shape [n]
        Owners, ascending, whose rows are no longer the store's: of reports that others took the place of, and
        of deleted studies.
    """

    base: Segment
    tail: Segment
    last: int
    removals: int
    tombstones: int = 0
    replaced: int = 0
    deleted: int = 0
    gone: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.base.vectors.rows) + len(self.tail.vectors.rows) - self._count_gone

    def search(
        self, query: FloatArray, count: int, exclude: Collection[int] = (), *, thorough: bool = False
    ) -> tuple[IntArray, FloatArray]:
        """Return the best studies for a query.

        Parameters
        ----------
        query : float32 array of shape [D]
        count : int
        exclude : collection of int
            Numbers of studies to pass over: deleted ones, the patient's own, those a filter leaves out.
        thorough : bool
            Pass over no cell: for a query that is not of the rows' kind, as a text that asks images is not.
            Such a one may ask in a direction in which a rare row alone lies far from its cell.

        Returns
        -------
        studies : int64 array of shape [n], n <= count
            Best first, each once.
        scores : float32 array of shape [n]
            Exact inner products; of a study with several rows, the best.
        """
        scan = self._codes_alone
        if scan is not None:
            excluded = self._words(scan, exclude) if len(exclude) else None
            return scan.best_studies(query, count, excluded, thorough)
        unwanted = _numbers(exclude)
        studies, each_scores = [], []
        for segment, gone in zip((self.base, self.tail), self._gone_rows, strict=True):
            if not len(segment.vectors.rows):
                continue
            mask = segment.by_study.mask(unwanted) if len(unwanted) else None
            if gone is not None:
                mask = gone if mask is None else mask | gone
            # A study may own several rows (two frontal images): ask for as many more.
            wanted = count * self._rows_per_study
            numbers, found_scores = segment.top(query, wanted, mask, thorough=thorough)
            studies.append(segment.vectors.studies[numbers])
            each_scores.append(found_scores)
        if not studies:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if len(studies) == 1 and self._rows_per_study == 1:
            return np.asarray(studies[0]), each_scores[0]
        all_studies, all_scores = np.concatenate(studies), np.concatenate(each_scores)
        order = np.argsort(-all_scores, kind="stable")
        _, first = np.unique(all_studies[order], return_index=True)
        best = order[np.sort(first)][:count]
        return all_studies[best], all_scores[best].astype(np.float32)

    def search_all(
        self, queries: FloatArray, count: int, exclude: Collection[int] = (), *, thorough: bool = False
    ) -> list[tuple[IntArray, FloatArray]]:
        """Answer several queries, an array of shape [Q, D], each as `search` does.

        Other threads run meanwhile: on several cores, share the queries out.
        """
        scan = self._codes_alone
        if scan is None:
            return [self.search(query, count, exclude, thorough=thorough) for query in queries]
        excluded = self._words(scan, exclude) if len(exclude) else None
        return scan.all_best_studies(queries, count, excluded, thorough)

    def scores(self, query: FloatArray, studies: IntArray) -> FloatArray:
        """Return the exact score of given studies, NaN for those the partition has no row of."""
        result = np.full(len(studies), np.nan, np.float32)
        for segment, gone in zip((self.base, self.tail), self._gone_rows, strict=True):
            start, counts = segment.by_study.find(studies)
            for step in range(int(counts.max(initial=0))):
                having = np.flatnonzero(counts > step)
                numbers = segment.by_study.numbers(start[having] + step)
                if gone is not None:
                    having, numbers = having[gone[numbers] == 0], numbers[gone[numbers] == 0]
                # Each row by itself: a product of matrices rounds a score by how many others there are, and
                # pages of one list would differ.
                scores = np.einsum("ij,j->i", segment.vectors.rows[numbers], query)
                result[having] = np.fmax(result[having], scores)
        return result

    def expected_score(self, query: FloatArray) -> float:
        """Return the mean score over all rows: what to expect of a study without any."""
        return float(self.mean @ query)

    @cached_property
    def studies(self) -> IntArray:
        """The numbers of all studies that have a row, each once, ascending; shape [n]."""
        held = zip((self.base, self.tail), self._gone_rows, strict=True)
        return np.unique(
            np.concatenate(
                [
                    part.vectors.studies if gone is None else part.vectors.studies[gone == 0]
                    for part, gone in held
                ]
            )
        )

    @cached_property
    def _codes_alone(self) -> kernel.CodeScan | None:
        """The scan that answers by itself: no tail, no row gone, no graph, one row a study."""
        changed = len(self.tail.vectors.rows) or len(self.gone)
        simple = not changed and self.base.graph is None and self._rows_per_study == 1
        return self.base.scan if simple else None

    def _words(self, scan: kernel.CodeScan, exclude: Collection[int]) -> kernel.WordArray:
        return scan.excluding(np.flatnonzero(self.base.by_study.mask(_numbers(exclude))))

    @cached_property
    def _gone_rows(self) -> tuple[ByteArray | None, ByteArray | None]:
        """Masks of the rows that are no longer the store's, None where all are."""
        masks = [np.isin(segment.vectors.owners, self.gone) for segment in (self.base, self.tail)]
        base, tail = (mask.astype(np.uint8) if mask.any() else None for mask in masks)
        return base, tail

    @cached_property
    def _count_gone(self) -> int:
        return sum(int(mask.sum()) for mask in self._gone_rows if mask is not None)

    @cached_property
    def _rows_per_study(self) -> int:
        return max(self.base.by_study.most_rows, self.tail.by_study.most_rows)

    @cached_property
    def mean(self) -> FloatArray:
        """The mean of all rows, shape [D]; zero where there is none."""
        total = self.base.total + self.tail.total
        for segment, gone in zip((self.base, self.tail), self._gone_rows, strict=True):
            if gone is not None:
                total -= segment.vectors.rows[gone != 0].sum(axis=0, dtype=np.float64)
        return np.asarray(total / max(1, len(self)), dtype=np.float32)
