"""Ranking studies: each partition proposes its best, all proposed are scored exactly in every place.

Who names a region suspects something there. What most images show there is then not what is looked for:
half of the archive's usual appearance of the region is taken off the query first (`probe.suspicion`). How the
cosines then make one score is `runtime.fusion`.

What no partition proposed could still be among the best, if it is good everywhere and best nowhere. Its score
cannot exceed what the last proposals would score together (the threshold algorithm: Fagin, Lotem and Naor,
"Optimal aggregation algorithms for middleware", 2003). Where the last hit does not reach that, the partitions
are asked for more, or all their rows are scored: so the answer is that of scoring every study, as far as the
partitions' own proposals are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.everyone import Everyone, held_studies, score_everyone
from edge_retrieve.runtime.fusion import fuse_places
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Partitions
from edge_retrieve.runtime.place import SIDES, Place
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.query import BOTH, Combine

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
# Given the numbers of studies, who they are of; empty for nobody known.
PatientsOf = Callable[[IntArray], Sequence[str]]

_LEAST_PROPOSALS = 100
_PROPOSALS_PER_HIT = 4
_MORE = 8  # times as many proposals in the next round
_SHARE_FOR_ALL = 4  # a partition that would propose one row in so many is scored whole
_FEW = 2048  # so many studies are rather scored one by one than found by a scan
_ALL_AT_ONCE = 50_000  # rows that are rather all scored than scanned for a second time
_ROUNDING = 1e-6  # by which the score of a proposal and of the same study again may differ
_PATIENTS_AT_ONCE = 500


@dataclass(frozen=True)
class Ranked:
    """Studies in order, best first.

    Parameters
    ----------
    studies : int64 array of shape [n]
        The store's numbers.
    scores : float32 array of shape [n]
        Final: of all places together.
    by_probe : float32 array of shape [n, P]
        Per probe in the order given; NaN where the study has nothing there.
    by_side : float32 array of shape [n, P, 2]
        The parts of that: the scores of the study's image and of its report; NaN where it has none, or
        nothing was asked of that side.
    """

    studies: IntArray
    scores: FloatArray
    by_probe: FloatArray
    by_side: FloatArray

    def at(self, ranks: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Ranked:
        """Return those at ranks, counted from 0."""
        return Ranked(self.studies[ranks], self.scores[ranks], self.by_probe[ranks], self.by_side[ranks])


def search(
    index: Partitions,
    probes: Sequence[Probe],
    k: int,
    *,
    modalities: Sequence[Modality] = BOTH,
    combine: Combine = Combine.WEIGHTED,
    exclude: Collection[int] = (),
    allowed: IntArray | None = None,
    patients_of: PatientsOf | None = None,
) -> Ranked:
    """Return the best studies for a query; equal scores in the order stored.

    Parameters
    ----------
    index : Partitions
    probes : sequence of Probe
    k : int
        Number of studies wanted; fewer come back where there are fewer.
    modalities : sequence of Modality
        Which sides of the archive are searched.
    combine : Combine
        What makes one score of several places.
    exclude : collection of int
        Numbers of studies to leave out.
    allowed : int64 array, optional
        Numbers of the only studies to look at, ascending; all where None.
    patients_of : callable, optional
        Where given, only the best study of each patient is returned.
    """
    opened = [Place.open(index, column, probe, modalities) for column, probe in enumerate(probes)]
    places = [place for place in opened if place is not None]
    # After the partitions were opened: a study deleted meanwhile is among them.
    unwanted = np.union1d(_numbers(exclude), _numbers(index.deleted()))
    candidates = _Candidates(places, combine, unwanted, allowed)
    wanted, hits = _LEAST_PROPOSALS, k
    while wanted < _PROPOSALS_PER_HIT * k:
        wanted *= 2
    while True:
        studies, bound = candidates.take(wanted, hits)
        ranked = _rank(places, studies, len(probes), combine)
        ranked = ranked.at(slice(k)) if patients_of is None else _one_each(ranked, k, patients_of)
        short = len(ranked.studies) < k
        if bound == -np.inf or not (short or ranked.scores[k - 1] < bound - _ROUNDING):
            return ranked
        if not candidates.look_at_all():
            wanted, hits = _MORE * wanted, _MORE * hits


class _Candidates:
    """The studies that a search looks at: the few that may be found, each partition's best, or all."""

    def __init__(
        self, places: Sequence[Place], combine: Combine, unwanted: IntArray, allowed: IntArray | None
    ) -> None:
        self._places, self._combine = places, combine
        self._unwanted, self._allowed = unwanted, allowed
        self._few: IntArray | None = None
        self._everyone: Everyone | None = None
        self._rows = max((place.rows for place in places), default=0)
        if allowed is not None:
            found = np.setdiff1d(allowed, unwanted)
            if len(found) <= _FEW:
                self._few = found
            elif self._rows > _ALL_AT_ONCE:
                others = held_studies(places)
                others[found[found < len(others)]] = False
                self._unwanted = np.flatnonzero(others)
        # What is best in one place seldom decides where all of several count.
        if allowed is not None or (len(places) > 1 and combine is not Combine.ANY):
            self.look_at_all()

    def take(self, wanted: int, hits: int) -> tuple[IntArray, float]:
        """Return studies, and what no other study's score exceeds; -inf where there is no other.

        Each partition is asked for so many as are wanted; where all are scored, so many hits are enough.
        """
        if self._few is not None:
            return self._few, -np.inf
        if self._everyone is None and self._rows > _SHARE_FOR_ALL * wanted:
            return self._propose(wanted)
        if self._everyone is None:
            self._everyone = self._score_everyone()
        return self._everyone.best(hits)

    def look_at_all(self) -> bool:
        """Score everyone from now on, where that was not so and costs no more than further proposals."""
        if self._few is not None or self._everyone is not None or self._rows > _ALL_AT_ONCE:
            return False
        self._everyone = self._score_everyone()
        return True

    def _propose(self, wanted: int) -> tuple[IntArray, float]:
        proposals = [place.propose(wanted, self._unwanted) for place in self._places]
        found = np.unique(np.concatenate([each for place in proposals for each in place.studies]))
        if all(place.exhausted for place in proposals):
            return found, -np.inf
        return found, float(_fuse(self._places, [[place.bound for place in proposals]], self._combine)[0])

    def _score_everyone(self) -> Everyone:
        return score_everyone(self._places, self._combine, self._unwanted, self._allowed)


def _rank(places: Sequence[Place], studies: IntArray, probes: int, combine: Combine) -> Ranked:
    """Score studies exactly and bring them into order; those with nothing to compare are dropped."""
    by_probe = np.full((len(studies), probes), np.nan, np.float32)
    by_side = np.full((len(studies), probes, len(SIDES)), np.nan, np.float32)
    for place in places:
        by_probe[:, place.column], by_side[:, place.column] = place.scores(studies)
    held = by_probe[:, [place.column for place in places]]
    scores = _fuse(places, held, combine) if places else np.zeros(len(studies), np.float32)
    order = np.lexsort((studies, -scores))
    order = order[~np.isnan(by_probe[order]).all(axis=1)]
    return Ranked(studies, scores, by_probe, by_side).at(order)


def _fuse(places: Sequence[Place], scores: npt.ArrayLike, combine: Combine) -> FloatArray:
    expected, weights = [place.expected for place in places], [place.weight for place in places]
    return fuse_places(np.asarray(scores, np.float32), expected, weights, combine)


def _one_each(ranked: Ranked, k: int, patients_of: PatientsOf) -> Ranked:
    """Return the best k that are of different patients."""
    seen: set[str] = set()
    kept: list[int] = []
    for start in range(0, len(ranked.studies), _PATIENTS_AT_ONCE):
        patients = patients_of(ranked.studies[start : start + _PATIENTS_AT_ONCE])
        for rank, patient in enumerate(patients, start):
            if patient and patient in seen:
                continue
            seen.add(patient)
            kept.append(rank)
            if len(kept) == k:
                return ranked.at(np.asarray(kept))
    return ranked.at(np.asarray(kept, dtype=np.intp))


def _numbers(studies: Collection[int]) -> IntArray:
    return np.fromiter(studies, np.int64, len(studies))
