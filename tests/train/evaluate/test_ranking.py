"""Rankings and baselines on archives made by hand: ties, few candidates, nothing relevant, what lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.train.evaluate.baselines import Baseline, baseline_outcomes
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive, sample_queries
from edge_retrieve.train.evaluate.ranking import (
    Criterion,
    Direction,
    Form,
    applies,
    model_outcomes,
    rank,
    relevance,
    relevant_counts,
)
from edge_retrieve.train.evaluate.retrieval import Summary, evaluate_archive
from edge_retrieve.train.evaluate.retrieval_report import retrieval_json
from edge_retrieve.train.metrics import METRICS

RIGHT, LEFT = Region.RIGHT_UPPER_LUNG_ZONE.position, Region.LEFT_UPPER_LUNG_ZONE.position
DIM, FINDINGS = 8, 3
FIVE = METRICS.index("p_at_5")


def unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make(studies: int = 40, seed: int = 0) -> EncodedArchive:
    """Return studies of two visits each, with a finding on one side or the other, and random embeddings."""
    generator = np.random.default_rng(seed)
    truth = np.zeros((studies, len(REGIONS), FINDINGS), dtype=bool)
    for n in range(studies):
        truth[n, generator.choice([RIGHT, LEFT]), generator.integers(FINDINGS)] = True
    patients = np.arange(studies) // 2
    shape = (studies, len(REGIONS), DIM)
    words = [f"finding{int(truth[n].any(axis=0).argmax())} seen" for n in range(studies)]
    return EncodedArchive(
        patients=patients,
        truth=truth,
        anywhere=truth.any(axis=1),
        aside=np.zeros_like(truth),
        queries=sample_queries(truth, np.zeros((studies, FINDINGS), dtype=bool), patients, 1),
        has_image=np.ones(studies, dtype=bool),
        regions=unit(generator.normal(size=shape)),
        whole=unit(generator.normal(size=(studies, DIM))),
        has_text=np.ones(shape[:2], dtype=bool),
        region_texts=unit(generator.normal(size=shape)),
        has_report=np.ones(studies, dtype=bool),
        reports=unit(generator.normal(size=(studies, DIM))),
        prior_regions=unit(generator.normal(size=shape)),
        said=tuple((word,) * len(REGIONS) for word in words),
        written=tuple(words),
    )


def everything(archive: EncodedArchive) -> npt.NDArray[np.bool_]:
    return np.ones(len(archive.queries), dtype=bool)


def test_equal_scores_rank_in_the_order_of_the_studies() -> None:
    archive = make()
    outcomes = rank(
        archive,
        lambda rows, place: np.zeros((len(rows), len(archive)), dtype=np.float32),
        everything(archive),
        archive.queries[:, 1],
    )
    for row, (study, region, finding) in enumerate(archive.queries):
        others = [n for n in range(len(archive)) if archive.patients[n] != archive.patients[study]]
        assert outcomes.first[row] == others[0]
        expected = np.mean([archive.truth[n, region, finding] for n in others[:5]])
        assert outcomes.of(Criterion.JOINT)[row, FIVE] == pytest.approx(expected)


def test_each_criterion_against_a_naive_loop() -> None:
    archive = make()
    rows = np.arange(len(archive.queries))
    for criterion in Criterion:
        found = relevance(archive, rows, criterion)
        for row, (_, region, finding) in enumerate(archive.queries):
            for study in range(len(archive)):
                expected = {
                    Criterion.JOINT: archive.truth[study, region, finding],
                    Criterion.FINDING: archive.truth[study, :, finding].any(),
                    Criterion.REGION: archive.truth[study, region].any(),
                }[criterion]
                assert found[row, study] == expected


def test_studies_left_aside_are_no_candidates() -> None:
    archive = make()
    study, region, finding = archive.queries[0]
    aside = archive.aside.copy()
    aside[:, region, finding] = True
    kept = [int(n) for n in np.flatnonzero(archive.patients != archive.patients[study])[:3]]
    aside[kept, region, finding] = False
    limited = replace(archive, aside=aside)
    _, candidates = relevant_counts(limited, Criterion.JOINT)
    assert candidates[0] == 3
    outcomes = model_outcomes(limited, Direction.IMAGE_TO_IMAGE, Form.CONDITIONED)
    relevant = limited.truth[kept, region, finding].sum()
    # Three candidates in all: P@5 still divides by five.
    assert outcomes.of(Criterion.JOINT)[0, FIVE] == pytest.approx(relevant / 5)


def test_queries_without_a_region_ask_for_the_finding_anywhere() -> None:
    archive = make()
    unplaced = archive.anywhere
    queries = sample_queries(np.zeros_like(archive.truth), unplaced, archive.patients, 1)
    assert set(queries[:, 1]) == {WHOLE}
    result = evaluate_archive(replace(archive, queries=queries))
    assert {form for _, form in result.ours} == {Form.UNCONDITIONED}
    report = retrieval_json([result], resamples=20)
    assert report["gain"] == {}
    assert np.isnan(report["laterality_swap"])
    joint = result.ours[Direction.IMAGE_TO_IMAGE, Form.UNCONDITIONED]
    np.testing.assert_array_equal(joint.of(Criterion.JOINT), joint.of(Criterion.FINDING))


def test_a_query_without_an_image_or_text_does_not_take_part() -> None:
    archive = make()
    blind, mute = int(archive.queries[0, 0]), int(archive.queries[-1, 0])
    has_image, has_report, has_text = (
        each.copy() for each in (archive.has_image, archive.has_report, archive.has_text)
    )
    has_image[blind] = has_report[mute] = has_text[mute] = False
    partial = replace(archive, has_image=has_image, has_report=has_report, has_text=has_text)
    for direction, without in (
        (Direction.IMAGE_TO_IMAGE, {blind}),
        (Direction.IMAGE_TO_TEXT, {blind}),
        (Direction.TEXT_TO_IMAGE, {mute}),
        (Direction.IMAGE_TEXT, {blind, mute}),
    ):
        chosen = applies(partial, direction)
        assert set(archive.queries[~chosen, 0]) == without
        values = model_outcomes(partial, direction, Form.CONDITIONED).of(Criterion.JOINT)
        np.testing.assert_array_equal(np.isnan(values[:, 0]), ~chosen)
    # A study without an image is found last by an image query.
    outcomes = model_outcomes(partial, Direction.IMAGE_TO_IMAGE, Form.CONDITIONED)
    assert blind not in outcomes.first


def test_chance_is_where_random_orders_end_up() -> None:
    archive = make(600)
    pair = Direction.IMAGE_TO_IMAGE, Form.CONDITIONED
    expected = baseline_outcomes(archive, Baseline.CHANCE, *pair)
    drawn = baseline_outcomes(archive, Baseline.RANDOM, *pair)
    np.testing.assert_allclose(
        drawn.of(Criterion.JOINT).mean(axis=0), expected.of(Criterion.JOINT).mean(axis=0), atol=0.05
    )


def test_keywords_find_the_same_words() -> None:
    archive = make()
    outcomes = baseline_outcomes(archive, Baseline.BM25, Direction.TEXT_TO_IMAGE, Form.CONDITIONED)
    # The words name the finding and nothing else, so the first hit has it, on whatever side.
    np.testing.assert_array_equal(outcomes.of(Criterion.FINDING)[:, 0], 1.0)
    assert baseline_outcomes(archive, Baseline.BM25, Direction.IMAGE_TO_IMAGE, Form.CONDITIONED) is None


def test_the_box_prior_ranks_with_its_own_embeddings() -> None:
    archive = make()
    pair = Direction.IMAGE_TO_IMAGE, Form.CONDITIONED
    found = baseline_outcomes(archive, Baseline.BOX_PRIOR, *pair)
    expected = model_outcomes(replace(archive, regions=archive.prior_regions), *pair)
    np.testing.assert_array_equal(found.values, expected.values)
    absent = replace(archive, prior_regions=archive.prior_regions[:0])
    assert baseline_outcomes(absent, Baseline.BOX_PRIOR, *pair) is None


def test_a_shuffled_condition_looks_elsewhere() -> None:
    archive = make()
    perfect = np.zeros_like(archive.regions)
    perfect[..., -1] = 1
    for n in range(len(archive)):
        region, finding = np.argwhere(archive.truth[n])[0]
        perfect[n, region] = np.eye(DIM)[finding]
    archive = replace(archive, regions=perfect)
    pair = Direction.IMAGE_TO_IMAGE, Form.CONDITIONED
    ours = model_outcomes(archive, *pair).of(Criterion.JOINT)
    shuffled = baseline_outcomes(archive, Baseline.SHUFFLED, *pair).of(Criterion.JOINT)
    assert ours[:, 0].mean() == 1.0
    assert shuffled[:, 0].mean() < 0.5
    assert baseline_outcomes(archive, Baseline.SHUFFLED, Direction.IMAGE_TO_IMAGE, Form.UNCONDITIONED) is None


def test_differences_are_those_of_the_figures() -> None:
    result = evaluate_archive(make(80))
    summary = Summary([result, result], resamples=50)
    direction = Direction.TEXT_TO_IMAGE
    conditioned, unconditioned = (summary.figures(direction, form) for form in Form)
    gain = summary.gain(direction)
    for name in METRICS:
        assert gain[name]["difference"] == pytest.approx(conditioned[name] - unconditioned[name])
        assert gain[name]["ratio"] == pytest.approx(conditioned[name] / unconditioned[name])
        low, high = gain[name]["interval"]
        assert low <= gain[name]["difference"] <= high
    for row in summary.baseline_rows():
        ours = summary.figures(Direction(row["direction"]), Form(row["form"]))
        assert row["ours_minus"]["map"]["difference"] == pytest.approx(ours["map"] - row["map"])
