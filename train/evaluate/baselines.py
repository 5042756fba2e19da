"""What any system must beat, on the same queries: chance, boxes of the average position, keywords."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.encoder import FloatArray
from edge_retrieve.train.evaluate.bm25 import Bm25
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive
from edge_retrieve.train.evaluate.ranking import (
    Bools,
    Criterion,
    Direction,
    Form,
    Ints,
    Outcomes,
    Scorer,
    applies,
    looked_at,
    model_scorer,
    rank,
    relevant_counts,
)
from edge_retrieve.train.metrics import METRICS, chance_metrics

_SEED = 7


class Baseline(str, Enum):
    """What is compared with."""

    CHANCE = "chance_expected"  # the analytic expectation of a random order
    RANDOM = "random_order"  # one random order of the studies per query
    BOX_PRIOR = "box_prior"  # region boxes of the average position instead of those found
    SHUFFLED = "shuffled_condition"  # the query's region exchanged for another one
    BM25 = "bm25_keywords"  # the words of the region's sentences, or of the report


def baseline_outcomes(
    archive: EncodedArchive, baseline: Baseline, direction: Direction, form: Form
) -> Outcomes | None:
    """Rank with a baseline in place of the model.

    Returns
    -------
    Outcomes or None
        None where the baseline says nothing about the direction: keywords need a text on the query's side,
        box prior and shuffled condition a region.
    """
    chosen = applies(archive, direction)
    places = looked_at(archive, form)
    if baseline is Baseline.CHANCE:
        return _chance(archive, chosen)
    if baseline is Baseline.RANDOM:
        return rank(archive, _by_lot(len(archive)), chosen, places)
    if baseline is Baseline.BM25:
        asks_with_text = direction in (Direction.TEXT_TO_IMAGE, Direction.IMAGE_TEXT)
        return rank(archive, _by_keywords(archive), chosen, places) if asks_with_text else None
    chosen = chosen & (places != WHOLE)
    if not chosen.any():
        return None
    if baseline is Baseline.SHUFFLED:
        return rank(archive, model_scorer(archive, direction, form), chosen, _other_places(places))
    if not len(archive.prior_regions):
        return None
    placed = replace(archive, regions=archive.prior_regions)
    return rank(placed, model_scorer(placed, direction, form), chosen, places)


def _chance(archive: EncodedArchive, chosen: Bools) -> Outcomes:
    values = np.full((len(Criterion), len(archive.queries), len(METRICS)), np.nan)
    for number, criterion in enumerate(Criterion):
        values[number, chosen] = chance_metrics(*relevant_counts(archive, criterion))[chosen]
    return Outcomes(values, np.full(len(archive.queries), -1, dtype=np.int64))


def _by_lot(studies: int) -> Scorer:
    generator = np.random.default_rng(_SEED)

    def scorer(rows: Ints, place: int) -> FloatArray:
        return generator.random((len(rows), studies), dtype=np.float32)

    return scorer


def _by_keywords(archive: EncodedArchive) -> Scorer:
    """Score the words said of the queried region against those said of it elsewhere, or whole reports."""

    def scorer(rows: Ints, place: int) -> FloatArray:
        texts = archive.written if place == WHOLE else [said[place] for said in archive.said]
        collection = Bm25(texts)
        asked = [
            (archive.said[study][region] if region != WHOLE else "") or archive.written[study]
            for study, region, _ in archive.queries[rows]
        ]
        found = {text: collection.scores(text) for text in dict.fromkeys(asked)}
        return np.stack([found[text] for text in asked])

    return scorer


def _other_places(places: Ints) -> Ints:
    """Return for each query some other region, `WHOLE` where it has none."""
    steps = np.random.default_rng(_SEED).integers(1, len(REGIONS), size=len(places))
    return np.where(places == WHOLE, WHOLE, (places + steps) % len(REGIONS))
