"""Drafts of made archives: known answers, naive counts, and what a damaged draft would score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.bundle import ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.explain.vote_curves import VoteCurves
from edge_retrieve.runtime.explain.votes import NEIGHBOURS, PRIOR
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate import drafts as drafts_module
from edge_retrieve.train.evaluate.archive import EncodedPhantoms
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.draft_report import drafts_json, risk_json, votes_json
from edge_retrieve.train.evaluate.drafts import MAJORITY, NEAREST, TEMPLATE, UNCONDITIONED, draft_archive
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive
from edge_retrieve.train.evaluate.grounding import collect
from edge_retrieve.train.evaluate.neighbours import (
    StatedArchive,
    find_neighbours,
    suspected_regions,
    votes_of,
)
from edge_retrieve.train.evaluate.vote_fitting import fit_votes

DIM = 16
PLACES = (Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE)
KNOWN = (Finding.NODULE, Finding.MASS, Finding.CONSOLIDATION)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_archive(studies=90, seed=0, noise=0.15):
    """Studies of one finding in one place each (every fourth of none), whose embeddings show it."""
    random = np.random.default_rng(seed)
    looks = unit(np.random.default_rng(0).normal(size=(len(FINDINGS) + 1, DIM)))
    truth = np.zeros((studies, len(REGIONS), len(FINDINGS)), dtype=bool)
    shown = np.full((studies, len(REGIONS)), len(FINDINGS))
    for n in range(studies):
        if n % 4:
            place, finding = random.choice(2), random.choice(3)
            column = FINDINGS.index(KNOWN[finding])
            truth[n, PLACES[place].position, column] = True
            shown[n, PLACES[place].position] = column
    regions = unit(looks[shown] + noise * random.normal(size=(*shown.shape, DIM)))
    has_text = shown < len(FINDINGS)
    return EncodedArchive(
        patients=np.arange(studies, dtype=np.int64) // 2,
        truth=truth,
        anywhere=truth.any(axis=1),
        aside=np.zeros_like(truth),
        queries=np.zeros((0, 3), np.int64),
        has_image=np.ones(studies, bool),
        regions=regions,
        whole=unit(regions.mean(axis=1)),
        has_text=has_text,
        region_texts=np.where(has_text[..., None], looks[shown], 0).astype(np.float32),
        has_report=np.ones(studies, bool),
        reports=unit(random.normal(size=(studies, DIM))),
        prior_regions=np.zeros((0, len(REGIONS), DIM), np.float32),
        said=tuple(("",) * len(REGIONS) for _ in range(studies)),
        written=("",) * studies,
    )


def phantoms(archive):
    boxes = np.zeros((len(archive), len(REGIONS), 4), np.float32)
    boxes[..., 2:] = 0.5
    found = RegionBoxes(boxes, boxes, np.ones(boxes.shape[:2], np.float32))
    return EncodedPhantoms(archive, archive.truth.copy(), found, collect([], [], []))


def plain_curves():
    """Votes are worth what they are beyond chance."""
    line = ScoreCurve(Sides.IMAGE, Sides.BOTH, True, 100, (0.0, 1.0), (0.0, 1.0))
    calibration = ScoreCalibration("by hand", "nothing", 0.0, NEIGHBOURS, (line,))
    return VoteCurves("", calibration, calibration)


SCORES = ScoreCalibration(
    "by hand",
    "nothing",
    0.0,
    10,
    tuple(
        ScoreCurve(Sides.IMAGE, Sides.BOTH, conditioned, 100, (0.1, 0.5), (0.0, 1.0))
        for conditioned in (True, False)
    ),
)


@pytest.fixture(scope="module")
def drafted():
    surveyed, suspected = draft_archive(
        phantoms(make_archive()), plain_curves(), fusion=None, calibration=SCORES, seed=3
    )
    return surveyed, suspected


def test_neighbours_are_those_of_a_naive_search():
    archive = StatedArchive(make_archive(), make_archive().truth)
    place = PLACES[0].position
    asking = np.array([1, 5, 6], dtype=np.int64)
    options = {"fusion": None, "calibration": SCORES}
    found = find_neighbours(archive.archive, asking, place, asked=Sides.IMAGE, conditioned=True, **options)
    from edge_retrieve.runtime.calibration import QueryKind
    from edge_retrieve.train.evaluate.asked import score_all

    for row, study in enumerate(asking):
        query = np.array([[study, place, 0]], dtype=np.int64)
        scores = score_all(archive.archive, QueryKind(Sides.IMAGE, Sides.BOTH, True), query, place, None)[0]
        others = [n for n in np.argsort(-scores, kind="stable") if n // 2 != study // 2]
        assert found.rows[row].tolist() == others[:NEIGHBOURS]
    assert np.allclose(found.probabilities, np.interp(found.scores, (0.1, 0.5), (0, 1)), atol=1e-6)


def test_votes_are_those_of_a_naive_count():
    archive = StatedArchive(make_archive(), make_archive().truth)
    place = PLACES[1].position
    asking = np.arange(20, dtype=np.int64)
    found = find_neighbours(
        archive.archive, asking, place, asked=Sides.IMAGE, conditioned=True, fusion=None, calibration=SCORES
    )
    beyond, supported = votes_of(found, archive)
    base = archive.stated[:, place].mean(axis=0)
    for n in range(20):
        weights = found.probabilities[n] ** 2
        for column in range(len(FINDINGS)):
            said = archive.stated[found.rows[n], place, column]
            share = (weights[said].sum() + PRIOR * base[column]) / (weights.sum() + PRIOR)
            assert beyond[n, column] == pytest.approx((share - base[column]) / (1 - base[column]))
            assert supported[n, column] == said.any()


def test_rates_count_what_reports_state():
    archive = StatedArchive(make_archive(), make_archive().truth)
    rates = archive.rates()
    column = FINDINGS.index(Finding.MASS)
    assert rates.reports == 90
    assert rates.rate(Finding.MASS, PLACES[0]) == archive.stated[:, PLACES[0].position, column].mean()
    assert rates.rate(Finding.MASS, None) == archive.archive.anywhere[:, column].mean()


def test_as_many_clean_regions_are_suspected_as_others():
    truth = make_archive().truth
    asked = suspected_regions(truth, 1)
    shows = truth.any(axis=2)
    assert asked[shows].all()
    clean = (asked & ~shows).sum(axis=1)
    assert (clean == np.maximum(1, shows.sum(axis=1))).all()
    assert (suspected_regions(truth, 1) == asked).all()
    assert (suspected_regions(truth, 2) != asked).any()


def test_drafts_of_plain_findings_are_right_and_rest_on_cases(drafted):
    surveyed, suspected = drafted
    for archive in drafted:
        report = drafts_json([archive], resamples=20)
        assert report[TEMPLATE]["finding_region_f1"] > 0.95
        assert report[TEMPLATE]["unsupported"] == 0
        assert report[TEMPLATE]["citations_correct"] == 1
        assert report[TEMPLATE]["citations"] > report[TEMPLATE]["sentences"] > 50
        assert set(report) == {TEMPLATE, UNCONDITIONED, NEAREST, MAJORITY}
        assert report[MAJORITY]["template_minus"]["finding_region_f1"]["interval"][0] > 0
    assert suspected.asked.sum() < surveyed.asked.sum()


def test_figures_are_those_of_sets(drafted):
    archive = drafted[0]
    for writer, stated in archive.stated.items():
        truth = {tuple(pair) for pair in np.argwhere(archive.truth)}
        said = {tuple(pair) for pair in np.argwhere(stated)}
        f1 = 2 * len(truth & said) / (len(truth) + len(said))
        figures = drafts_json([archive], resamples=5)[writer]
        assert figures["finding_region_f1"] == pytest.approx(f1)
        findings = [{(n, f) for n, _, f in pairs} for pairs in (truth, said)]
        f1 = 2 * len(findings[0] & findings[1]) / sum(map(len, findings))
        assert figures["finding_f1"] == pytest.approx(f1)


def test_the_others_get_the_level_that_serves_them_best():
    random = np.random.default_rng(0)
    strength, truth = random.integers(0, 8, 200) / 8, random.random(200) < 0.3
    level = drafts_module._best_level(strength, truth)

    def f1(at):
        said = strength >= at
        return 2 * (said & truth).sum() / (said.sum() + truth.sum())

    assert f1(level) == max(f1(at) for at in np.unique(strength))


def test_citing_cases_that_do_not_show_it_is_found_out():
    """Every second report is wrong: they state a mass where there is a nodule."""
    made = phantoms(make_archive())
    nodule, mass = (FINDINGS.index(finding) for finding in (Finding.NODULE, Finding.MASS))
    lying = made.stated.copy()
    lying[1::2, :, mass] |= lying[1::2, :, nodule]
    lying[1::2, :, nodule] = False
    surveyed, _ = draft_archive(
        replace(made, stated=lying), plain_curves(), fusion=None, calibration=SCORES, seed=3
    )
    report = drafts_json([surveyed], resamples=5)[TEMPLATE]
    assert report["citations_correct"] < 0.99


def test_probabilities_and_abstention_are_measured(drafted):
    surveyed, suspected = drafted
    votes = votes_json([surveyed], resamples=5)
    sure = surveyed.votes[~np.isnan(surveyed.votes)]
    assert votes["all"]["votes"] == len(sure) > votes["likely"]["votes"] > 0
    right = surveyed.truth[~np.isnan(surveyed.votes)]
    assert votes["all"]["brier"] == pytest.approx(((sure - right) ** 2).mean())
    risk = risk_json([suspected])
    assert risk["places"] == suspected.asked.sum()
    assert risk["risk_at"]["0.5"] <= risk["risk_at"]["1.0"] < 0.2


def test_votes_fitted_on_one_archive_hold_on_another():
    def archive(seed):
        made = make_archive(240, seed, noise=0.5)
        return StatedArchive(made, made.truth)

    curves = fit_votes(archive(1), graphs="g", data="made", fusion=None, calibration=SCORES)
    assert {curve.studies for curve in curves.suspected.curves} == {240, 60, 15}
    assert all(curve.conditioned for curve in curves.surveyed.curves)
    assert [*curves.suspected.problems(), *curves.surveyed.problems()] == []
    made = archive(2).archive
    plain, fitted = (
        draft_archive(phantoms(made), each, fusion=None, calibration=SCORES, seed=3)
        for each in (plain_curves(), curves)
    )
    for before, after in zip(plain, fitted, strict=True):
        errors = [votes_json([each], resamples=5)["all"]["ece"] for each in (before, after)]
        assert errors[1] < 0.5 * errors[0]


def test_too_small_an_archive_is_refused():
    made = make_archive(4)
    with pytest.raises(ConfigError, match="too few"):
        fit_votes(StatedArchive(made, made.truth), graphs="g", data="d", fusion=None, calibration=SCORES)


def test_whole_reports_ask_where_no_place_does():
    made = make_archive()
    asking = np.arange(5, dtype=np.int64)
    found = find_neighbours(
        made, asking, WHOLE, asked=Sides.TEXT, conditioned=False, fusion=None, calibration=None
    )
    other = replace(made, region_texts=np.roll(made.region_texts, 1, axis=0))
    again = find_neighbours(
        other, asking, WHOLE, asked=Sides.TEXT, conditioned=False, fusion=None, calibration=None
    )
    assert (found.rows == again.rows).all()
