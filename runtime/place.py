"""One place of a search: the partitions asked there, what they propose, and how studies score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.fusion import fuse_sides
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Partitions
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.probe import Probe, suspicion

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

SIDES = tuple(Modality)
"""The order of the last axis of what `Place.scores` returns."""


@dataclass(frozen=True)
class Side:
    """A partition that has rows, and what is asked of it.

    Parameters
    ----------
    modality : Modality
    partition : Partition
    vector : float32 array of shape [D]
    share : float
        What it counts.
    expected : float
        The mean score of its rows: what counts for a study that has none.
    crossed : bool
        Whether what is asked is made of the other modality, if in part.
    """

    modality: Modality
    partition: Partition
    vector: FloatArray
    share: float
    expected: float
    crossed: bool


@dataclass(frozen=True)
class Proposals:
    """What the partitions of a place propose.

    Parameters
    ----------
    studies : tuple of int64 array
        Of each partition.
    bound : float
        No study that is not proposed scores more here.
    exhausted : bool
        Whether every study that has anything here is proposed.
    """

    studies: tuple[IntArray, ...]
    bound: float
    exhausted: bool


@dataclass(frozen=True)
class Place:
    """A probe with its partitions.

    Parameters
    ----------
    column : int
        Number of its probe.
    weight : float
        What it counts among others.
    sides : tuple of Side
        At least one.
    expected : float
        The mean score here.
    """

    column: int
    weight: float
    sides: tuple[Side, ...]
    expected: float

    @classmethod
    def open(
        cls, index: Partitions, column: int, probe: Probe, modalities: Sequence[Modality]
    ) -> Place | None:
        """Return a probe's place; None where the archive has nothing there."""
        sides = []
        for modality in modalities:
            share = probe.share(modality)
            partition = index.partition(modality, probe.region)
            if share <= 0 or not len(partition):
                continue
            vector = _suspicious(index, probe, modality)
            crossed = any(asked is not modality for asked in probe.asked_with)
            expected = partition.expected_score(vector)
            sides.append(Side(modality, partition, vector, share, expected, crossed))
        if not sides:
            return None
        expected = _fuse(sides, [side.expected for side in sides])
        return cls(column, probe.weight, tuple(sides), expected)

    @property
    def rows(self) -> int:
        """Rows of its largest partition."""
        return max(len(side.partition) for side in self.sides)

    def propose(self, wanted: int, unwanted: IntArray) -> Proposals:
        """Ask each partition for its best, those of unwanted studies passed over."""
        studies, bounds, exhausted = [], [], True
        for side in self.sides:
            found, scores = side.partition.search(side.vector, wanted, unwanted, thorough=side.crossed)
            studies.append(found)
            if len(found) < wanted:
                bounds.append(side.expected)
            else:
                exhausted = False
                bounds.append(max(side.expected, float(scores[-1])))
        return Proposals(tuple(studies), _fuse(self.sides, bounds), exhausted)

    def scores(self, studies: IntArray) -> tuple[FloatArray, FloatArray]:
        """Score studies exactly.

        Returns
        -------
        fused : float32 array of shape [n]
            NaN where a study has nothing here.
        by_side : float32 array of shape [n, 2]
            In the order of `SIDES`; NaN where a study has nothing, or nothing is asked.
        """
        by_side = np.full((len(studies), len(SIDES)), np.nan, np.float32)
        for side in self.sides:
            by_side[:, SIDES.index(side.modality)] = side.partition.scores(side.vector, studies)
        asked = by_side[:, [SIDES.index(side.modality) for side in self.sides]].T
        shares, expected = [side.share for side in self.sides], [side.expected for side in self.sides]
        return fuse_sides(asked, shares, expected), by_side


def _fuse(sides: Sequence[Side], scores: Sequence[float]) -> float:
    column = np.asarray(scores, np.float32)[:, np.newaxis]
    return float(fuse_sides(column, [side.share for side in sides], scores)[0])


def _suspicious(index: Partitions, probe: Probe, side: Modality) -> FloatArray:
    vector = probe.asked(side)
    if probe.region is None:
        return vector
    images = index.partition(Modality.IMAGE, probe.region)
    return suspicion(vector, images.mean, len(images))
