"""Who is found: every study scored for every query, as the runtime fuses it, and what was relevant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion
from edge_retrieve.runtime.encoder import FloatArray
from edge_retrieve.runtime.fusion import asked_of, weights_for
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.probe import suspicion
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive
from edge_retrieve.train.metrics import METRICS, ranking_metrics

NOTHING = np.float32(-2.0)  # the score of a study with nothing to compare: below every cosine
_LEAST_SHARE = 1e-9  # of an archive with nothing to compare
_AT_ONCE = 256  # queries ranked together; bounds memory to this many times the studies

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# Scores [n, N] of queries that share a region (or `WHOLE`): called with their rows and the region.
Scorer = Callable[[Ints, int], FloatArray]


class Direction(str, Enum):
    """What asks for what; ``image_text`` asks with both and searches both."""

    IMAGE_TO_IMAGE = "image_to_image"
    IMAGE_TO_TEXT = "image_to_text"
    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TEXT = "image_text"


class Form(str, Enum):
    """Whether the query says where to look."""

    CONDITIONED = "conditioned"
    UNCONDITIONED = "unconditioned"


class Criterion(str, Enum):
    """What makes a study relevant to a query; never one of the query's own patient."""

    JOINT = "finding_in_region"
    FINDING = "finding_anywhere"
    REGION = "any_finding_in_region"


@dataclass(frozen=True)
class Outcomes:
    """How one way of ranking did, query by query.

    Parameters
    ----------
    values : float64 array of shape [Criterion, Q, M]
        The metrics of `METRICS`; NaN where the query does not apply.
    first : int64 array of shape [Q]
        The study ranked first; -1 where the query does not apply.
    """

    values: npt.NDArray[np.float64]
    first: Ints

    def of(self, criterion: Criterion) -> npt.NDArray[np.float64]:
        """Return the figures [Q, M] under one criterion."""
        return np.asarray(self.values[list(Criterion).index(criterion)])


def applies(archive: EncodedArchive, direction: Direction) -> Bools:
    """Return which queries have what a direction asks with, shape [Q]."""
    study, region = archive.queries[:, 0], archive.queries[:, 1]
    spoken = archive.has_report[study] | (archive.has_text[study, region] & (region != WHOLE))
    if direction in (Direction.IMAGE_TO_IMAGE, Direction.IMAGE_TO_TEXT):
        return np.asarray(archive.has_image[study])
    return np.asarray(spoken if direction is Direction.TEXT_TO_IMAGE else spoken & archive.has_image[study])


def score(
    archive: EncodedArchive,
    direction: Direction,
    form: Form,
    queries: Ints,
    place: int,
    fusion: Fusion | None = None,
) -> FloatArray:
    """Return the similarity of every study to queries about one place, as the runtime fuses it.

    The words of a text query are the same with and without conditioning: what was said of the region.
    Where both sides are searched and a study lacks one, that side counts with the mean of the studies
    that have it.

    Parameters
    ----------
    archive : EncodedArchive
    direction : Direction
    form : Form
    queries : int64 array of shape [n]
        Rows of `archive.queries`.
    place : int
        Where they look, if conditioned: usually the queries' own region. `WHOLE` looks at whole studies.
    fusion : Fusion, optional
        The bundle's: what images and texts count where both ask; all alike where None.

    Returns
    -------
    float32 array of shape [n, N]
        `NOTHING` for a study with nothing to compare.
    """
    study, own = archive.queries[queries, 0], archive.queries[queries, 1]
    spoken = archive.has_text[study, own] & (own != WHOLE)
    text = np.where(spoken[:, None], archive.region_texts[study, own], archive.reports[study])
    if form is Form.UNCONDITIONED or place == WHOLE:
        image, images, pictured = archive.whole[study], archive.whole, archive.has_image
        texts, told = archive.reports, archive.has_report
    else:
        image, images, pictured = archive.regions[study, place], archive.regions[:, place], archive.has_image
        texts, told = archive.region_texts[:, place], archive.has_text[:, place]
        if pictured.any():
            usual, cases = images[pictured].mean(axis=0), int(pictured.sum())
            image, text = (suspicion(asked, usual, cases) for asked in (image, text))
    if direction is Direction.IMAGE_TO_TEXT:
        return _or_nothing(image @ texts.T, told)
    if direction is not Direction.IMAGE_TEXT:
        asked = image if direction is Direction.IMAGE_TO_IMAGE else text
        return _or_nothing(asked @ images.T, pictured)
    weights = weights_for(fusion, form is Form.CONDITIONED and place != WHOLE)
    fused, shares = np.zeros((len(queries), len(archive)), np.float32), 0.0
    for side, rows, held in ((Modality.IMAGE, images, pictured), (Modality.TEXT, texts, told)):
        asked, share = asked_of(side, weights, image, text)
        if asked is not None and held.any():
            fused += np.float32(share) * _or_expected(asked @ rows.T, held)
            shares += share
    return _or_nothing(fused / np.float32(max(shares, _LEAST_SHARE)), pictured | told)


def rank(archive: EncodedArchive, scorer: Scorer, chosen: Bools, places: Ints) -> Outcomes:
    """Rank all candidates for each query and measure what came first.

    Equal scores rank in the order of the studies.

    Parameters
    ----------
    archive : EncodedArchive
    scorer : callable
    chosen : bool array of shape [Q]
        Queries that apply.
    places : int64 array of shape [Q]
        Where each query looks: a region, or `WHOLE`. `scorer` is called place by place.
    """
    values = np.full((len(Criterion), len(archive.queries), len(METRICS)), np.nan)
    first = np.full(len(archive.queries), -1, dtype=np.int64)
    for rows, place in _blocks(np.flatnonzero(chosen), places):
        order, others = _order(archive, scorer(rows, place), rows)
        first[rows] = order[:, 0]
        for number, criterion in enumerate(Criterion):
            relevant = np.take_along_axis(relevance(archive, rows, criterion), order, axis=1)
            values[number, rows] = ranking_metrics(relevant & others)
    return Outcomes(values, first)


def model_outcomes(
    archive: EncodedArchive, direction: Direction, form: Form, fusion: Fusion | None = None
) -> Outcomes:
    """Rank with the archive's own embeddings."""
    places = looked_at(archive, form)
    scorer = model_scorer(archive, direction, form, fusion)
    return rank(archive, scorer, applies(archive, direction), places)


def model_scorer(
    archive: EncodedArchive, direction: Direction, form: Form, fusion: Fusion | None = None
) -> Scorer:
    """Return `score` as `rank` calls it."""

    def scorer(rows: Ints, place: int) -> FloatArray:
        return score(archive, direction, form, rows, place, fusion)

    return scorer


def looked_at(archive: EncodedArchive, form: Form) -> Ints:
    """Return where each query looks, shape [Q]: its region if conditioned, else the whole study."""
    return np.where(form is Form.CONDITIONED, archive.queries[:, 1], WHOLE)


def relevance(archive: EncodedArchive, rows: Ints, criterion: Criterion) -> Bools:
    """Return which studies are relevant to queries, shape [n, N], the query's own patient included.

    A query without a region asks for its finding anywhere, under every criterion.
    """
    _, region, finding = archive.queries[rows].T
    anywhere = np.asarray(archive.anywhere[:, finding].T)
    if criterion is Criterion.FINDING:
        return anywhere
    if criterion is Criterion.JOINT:
        placed = np.asarray(archive.truth[:, region, finding].T)
    else:
        placed = np.asarray(archive.truth[:, region].any(axis=2).T)
    return np.asarray(np.where((region == WHOLE)[:, None], anywhere, placed))


def relevant_counts(archive: EncodedArchive, criterion: Criterion) -> tuple[Ints, Ints]:
    """Return how many studies are relevant to each query and how many are candidates, both of shape [Q]."""
    relevant = np.zeros(len(archive.queries), dtype=np.int64)
    candidates = np.zeros_like(relevant)
    for rows, _ in _blocks(np.arange(len(archive.queries)), np.full(len(archive.queries), WHOLE)):
        others = _others(archive, rows)
        candidates[rows] = others.sum(axis=1)
        relevant[rows] = (relevance(archive, rows, criterion) & others).sum(axis=1)
    return relevant, candidates


def _blocks(rows: Ints, places: Ints) -> Iterator[tuple[Ints, int]]:
    for place in np.unique(places[rows]):
        members = rows[places[rows] == place]
        for start in range(0, len(members), _AT_ONCE):
            yield members[start : start + _AT_ONCE], int(place)


def _others(archive: EncodedArchive, rows: Ints) -> Bools:
    """Return the candidates of queries, shape [n, N]: of other patients, and not left aside."""
    study, region, finding = archive.queries[rows].T
    aside = archive.aside[:, region, finding].T & (region != WHOLE)[:, None]
    return np.asarray((archive.patients[None, :] != archive.patients[study][:, None]) & ~aside)


def _order(archive: EncodedArchive, scores: FloatArray, rows: Ints) -> tuple[Ints, Bools]:
    """Return the ranking [n, N], those that are no candidates last, and which ranks hold candidates."""
    others = _others(archive, rows)
    order = np.argsort(np.where(others, -scores, np.inf), axis=1, kind="stable")
    return order, np.take_along_axis(others, order, axis=1)


def _or_nothing(scores: FloatArray, held: Bools) -> FloatArray:
    return np.asarray(np.where(held, scores, NOTHING), dtype=np.float32)


def _or_expected(scores: FloatArray, held: Bools) -> FloatArray:
    return np.asarray(np.where(held, scores, scores[:, held].mean(axis=1, keepdims=True)))
