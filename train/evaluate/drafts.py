"""Drafts of preliminary reports held against what phantoms show: ours, and what they have to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.bundle import Fusion, ScoreCalibration, Sides
from edge_retrieve.runtime.explain.draft import Draft
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour, PlaceEvidence
from edge_retrieve.runtime.explain.gathering import place_evidence
from edge_retrieve.runtime.explain.template import TemplateWriter
from edge_retrieve.runtime.explain.vote_curves import VoteCurves
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.hits import RetrievalResult
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate.archive import EncodedPhantoms
from edge_retrieve.train.evaluate.encoded import WHOLE
from edge_retrieve.train.evaluate.neighbours import (
    Found,
    StatedArchive,
    find_neighbours,
    suspected_regions,
    votes_of,
)

TEMPLATE = "template"
UNCONDITIONED = "template_unconditioned"
NEAREST = "nearest_report"
MAJORITY = "archive_majority"

Progress = Callable[[str, int, int], None]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_NO_ANSWER = RetrievalResult((), (), (), False)


@dataclass(frozen=True)
class Statements:
    """What the sentences of a study's draft state, counted.

    Parameters
    ----------
    pairs : bool array of shape [29, L]
        Findings stated as present in each region.
    sentences, unsupported : int
        That state or suspect a finding; of these, those that no cited case truly shows.
    citations, correct : int
        Cases cited by them; of these, those that truly show it there.
    """

    pairs: Bools
    sentences: int
    unsupported: int
    citations: int
    correct: int


@dataclass(frozen=True)
class DraftedArchive:
    """Drafts of all studies of one archive.

    Parameters
    ----------
    patients : int64 array of shape [N]
    truth : bool array of shape [N, 29, L]
    asked : bool array of shape [N, 29]
        The regions that drafts are about.
    stated : mapping of str to bool array of shape [N, 29, L]
        What each writer states.
    grounds : int64 array of shape [N, 4]
        Of the template: sentences, unsupported, citations, correct.
    votes : float64 array of shape [N, 29, L]
        Probabilities of the findings that a neighbour states; NaN for the others, and where nobody asked.
    """

    patients: npt.NDArray[np.int64]
    truth: Bools
    asked: Bools
    stated: Mapping[str, Bools]
    grounds: npt.NDArray[np.int64]
    votes: Floats


def draft_archive(
    phantoms: EncodedPhantoms,
    curves: VoteCurves,
    *,
    fusion: Fusion | None,
    calibration: ScoreCalibration | None,
    seed: int,
    progress: Progress | None = None,
) -> tuple[DraftedArchive, DraftedArchive]:
    """Draft a report of every study from the studies of other patients, by its image alone.

    Parameters
    ----------
    phantoms : EncodedPhantoms
    curves : VoteCurves
    fusion, calibration : optional
        The bundle's.
    seed : int
        Of the clean regions that are suspected.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Returns
    -------
    surveyed : DraftedArchive
        Nobody named a region: every draft is about all 29.
    suspected : DraftedArchive
        Drafts about the regions that show something, and as many that show nothing.
    """
    archive = StatedArchive(phantoms.archive, phantoms.stated)
    everyone = np.arange(len(archive.archive), dtype=np.int64)
    seek = partial(
        find_neighbours, archive.archive, everyone, asked=Sides.IMAGE, fusion=fusion, calibration=calibration
    )
    found = [seek(place, conditioned=True) for place in range(len(REGIONS))]
    whole = seek(WHOLE, conditioned=False)
    bench = _Bench(archive, curves, phantoms.boxes.found)
    drawn = suspected_regions(archive.archive.truth, seed)
    chosen = {"surveyed": np.ones(drawn.shape, dtype=bool), "suspected": drawn}
    pairs = {name: np.zeros_like(archive.archive.truth) for name in chosen}
    grounds = {name: np.zeros((len(everyone), 4), dtype=np.int64) for name in chosen}
    votes = {name: np.full(archive.archive.truth.shape, np.nan) for name in chosen}
    for n in range(len(everyone)):
        for name, asked in chosen.items():
            survey = name == "surveyed"
            places = [bench.place(found[place], n, survey=survey) for place in np.flatnonzero(asked[n])]
            for place in places:
                assert place.region is not None
                for vote in place.votes:
                    column = FINDINGS.index(vote.finding)
                    votes[name][n, place.region.position, column] = vote.strength
            told = bench.read(_draft(places, survey))
            pairs[name][n] = told.pairs
            grounds[name][n] = told.sentences, told.unsupported, told.citations, told.correct
        if progress:
            progress(f"seed {seed}: draft", n + 1, len(everyone))
    others = _others(archive, whole)
    surveyed, suspected = (
        DraftedArchive(
            archive.archive.patients,
            archive.archive.truth,
            asked,
            {TEMPLATE: pairs[name], **_stated_by_others(others, archive.archive.truth, asked)},
            grounds[name],
            votes[name],
        )
        for name, asked in chosen.items()
    )
    return surveyed, suspected


class _Bench:
    """What drafts of one archive are made of."""

    def __init__(self, archive: StatedArchive, curves: VoteCurves, boxes: npt.NDArray[np.float32]) -> None:
        self._archive, self._boxes = archive, boxes
        self._rates = archive.rates()
        studies = max(1, int(archive.archive.has_report.sum()))
        self._worth = partial(curves.probabilities, asked=Sides.IMAGE, conditioned=True, studies=studies)
        self._said = [
            [frozenset(FINDINGS[f] for f in np.flatnonzero(row)) for row in study] for study in archive.stated
        ]

    def place(self, found: Found, n: int, *, survey: bool) -> PlaceEvidence:
        """Return the evidence of one place of a study, as the runtime gathers it."""
        neighbours = [
            Neighbour(
                study=str(row),
                rank=rank,
                score=float(found.scores[n, rank - 1]),
                probability=float(found.probabilities[n, rank - 1]),
                stated=self._said[row][found.place],
                reported=bool(self._archive.archive.has_report[row]),
            )
            for rank, row in enumerate(found.rows[n].tolist(), 1)
            if found.held[n, rank - 1]
        ]
        box = Box(*map(float, self._boxes[n, found.place]))
        worth = partial(self._worth, survey=survey)
        return place_evidence(REGIONS[found.place], neighbours, self._rates, worth, box=box)

    def read(self, draft: Draft) -> Statements:
        """Read a draft as text, and hold its citations against what the cited phantoms show."""
        truth = self._archive.archive.truth
        pairs = np.zeros(truth.shape[1:], dtype=bool)
        sentences = unsupported = citations = correct = 0
        for sentence in draft.sentences:
            mentions = [each for one in parse_report(sentence.text).sentences for each in one.mentions]
            for mention in mentions:
                if mention.assertion is Assertion.ABSENT:
                    continue
                column = FINDINGS.index(mention.finding)
                where = [region.position for region in mention.regions]
                shown = [bool(truth[int(study), where, column].any()) for study in sentence.cases]
                sentences, citations = sentences + 1, citations + len(shown)
                unsupported, correct = unsupported + (not any(shown)), correct + sum(shown)
                if mention.assertion is Assertion.PRESENT:
                    pairs[where, column] = True
        return Statements(pairs, sentences, unsupported, citations, correct)


def _draft(places: Sequence[PlaceEvidence], survey: bool) -> Draft:
    return TemplateWriter().write(Evidence(tuple(places), _NO_ANSWER, 0, survey=survey))


def _others(archive: StatedArchive, whole: Found) -> dict[str, Floats]:
    """Return how strongly each of the others states each finding in each region, shape [N, 29, L]."""
    regions = range(len(REGIONS))
    unconditioned = [
        votes_of(
            Found(place, whole.asking, whole.rows, whole.scores, whole.probabilities, whole.held), archive
        )[0]
        for place in regions
    ]
    rates = archive.stated[archive.archive.has_report].mean(axis=0)
    return {
        UNCONDITIONED: np.stack(unconditioned, axis=1),
        NEAREST: archive.stated[whole.rows[:, 0]].astype(np.float64),
        MAJORITY: np.broadcast_to(rates, archive.stated.shape).astype(np.float64),
    }


def _stated_by_others(others: Mapping[str, Floats], truth: Bools, asked: Bools) -> dict[str, Bools]:
    """Return what the others state, each from the level that serves it best: found on these very studies."""
    stated = {}
    for name, strength in others.items():
        within = np.where(asked[..., None], strength, -np.inf)
        stated[name] = within >= _best_level(within[asked], truth[asked])
    return stated


def _best_level(strength: Floats, truth: Bools) -> float:
    """Return the level from which what is stated has the highest F1."""
    order = np.argsort(-strength, axis=None, kind="stable")
    values, right = strength.ravel()[order], truth.ravel()[order]
    hits = np.cumsum(right)
    f1 = 2 * hits / (np.arange(1, len(right) + 1) + max(1, int(right.sum())))
    last = np.append(values[1:] != values[:-1], True)  # equal values are stated together
    best = int(np.argmax(np.where(last, f1, -1.0)))
    return float(values[best])
