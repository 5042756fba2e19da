"""Which rows belong to which studies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ByStudy:
    """Rows in the order of their studies.

    Parameters
    ----------
    studies : int64 array of shape [n]
        Ascending.
    order : int32 array of shape [n] or None
        The rows they belong to; None where rows lie in that order, as those without codes do unless an image
        came late.
    """

    studies: IntArray
    order: npt.NDArray[np.int32] | None

    @classmethod
    def of(cls, studies: IntArray) -> ByStudy:
        """Bring rows into order."""
        if (studies[1:] >= studies[:-1]).all():
            return cls(studies, None)
        order = np.argsort(studies, kind="stable").astype(np.int32)
        return cls(studies[order], order)

    def find(self, studies: IntArray) -> tuple[IntArray, IntArray]:
        """Return, per study, the place of its first row here and how many follow."""
        start = np.searchsorted(self.studies, studies, side="left")
        if self.most_rows == 1 and len(self.studies):
            return start, (self.studies[np.minimum(start, len(self.studies) - 1)] == studies).astype(np.int64)
        return start, np.searchsorted(self.studies, studies, side="right") - start

    def numbers(self, places: IntArray) -> IntArray:
        """Return the rows at places."""
        return places if self.order is None else self.order[places].astype(np.int64)

    def mask(self, studies: IntArray) -> ByteArray:
        """Return a mask of the rows that belong to studies."""
        mask = np.zeros(len(self.studies), np.uint8)
        start, counts = self.find(studies)
        for step in range(int(counts.max(initial=0))):
            mask[self.numbers(start[counts > step] + step)] = 1
        return mask

    @cached_property
    def most_rows(self) -> int:
        """The most rows that one study has, 1 where there is none."""
        starts = np.flatnonzero(np.diff(self.studies, prepend=-1))
        return int(np.diff(starts, append=len(self.studies)).max(initial=1))
