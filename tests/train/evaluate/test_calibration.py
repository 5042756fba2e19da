"""Curves fitted on made archives: against naive searches, the runtime's own, and known probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.bundle import Fusion, FusionWeights, Sides
from edge_retrieve.runtime.calibration import QueryKind, calibrate
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.fusion import asked_of, weights_for
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Partition
from edge_retrieve.runtime.index.files import empty_vectors
from edge_retrieve.runtime.index.segment import Segment
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Vectors
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate.asked import KINDS, FoundHits, divided, draw_queries, find_hits, score_all
from edge_retrieve.train.evaluate.calibration import asked_of_all, fit_calibration, fit_curve, isotonic_blocks
from edge_retrieve.train.evaluate.calibration_page import write_page
from edge_retrieve.train.evaluate.calibration_report import calibration_rows
from edge_retrieve.train.evaluate.encoded import EncodedArchive
from edge_retrieve.train.evaluate.reliability import measure_reliability

DIM = 12
PLACES = (Region.RIGHT_UPPER_LUNG_ZONE.position, Region.LEFT_UPPER_LUNG_ZONE.position)
KNOWN = tuple(FINDINGS.index(finding) for finding in (Finding.NODULE, Finding.MASS, Finding.SCARRING))
UNEQUAL = Fusion(FusionWeights(0.4, 0.1, 0.3, 0.2), FusionWeights(0.1, 0.5, 0.2, 0.2), "made up")
IMAGE_TO_BOTH = QueryKind(Sides.IMAGE, Sides.BOTH, True)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_archive(studies, seed, noise=0.6, silent=0.3, spare=0):
    """Return studies of one finding in one place each, whose embeddings show it through noise."""
    random = np.random.default_rng(seed)
    truth = np.zeros((studies, len(REGIONS), len(FINDINGS)), dtype=bool)
    looks = unit(np.random.default_rng(0).normal(size=(len(FINDINGS) + 1, DIM)))
    shown = np.full((studies, len(REGIONS)), len(FINDINGS))
    for n in range(studies):
        place, finding = random.choice(PLACES), random.choice(KNOWN)
        truth[n, place, finding], shown[n, place] = True, finding
    has_text = (shown < len(FINDINGS)) & (random.random(shown.shape) >= silent)
    regions = unit(looks[shown] + noise * random.normal(size=(*shown.shape, DIM)))
    texts = unit(looks[shown] + 0.5 * noise * random.normal(size=(*shown.shape, DIM)))
    return EncodedArchive(
        patients=np.arange(studies) // 2,
        truth=truth,
        anywhere=truth.any(axis=1),
        aside=np.zeros_like(truth),
        queries=np.zeros((0, 3), np.int64),
        has_image=np.ones(studies, bool),
        regions=regions,
        whole=unit(regions.sum(axis=1)),
        has_text=has_text,
        region_texts=texts * has_text[:, :, None],
        has_report=np.ones(studies, bool),
        reports=unit(texts.sum(axis=1)),
        prior_regions=np.zeros((spare, len(REGIONS), DIM), np.float32),
        said=(("",) * len(REGIONS),) * studies,
        written=("",) * studies,
    )


class ArchiveIndex:
    """The partitions that a store with the archive's embeddings would have."""

    def __init__(self, archive):
        self.archive = archive

    def deleted(self):
        return frozenset()

    def partition(self, modality, region):
        archive, held = self.archive, np.ones(len(self.archive), bool)
        if region is None:
            rows = archive.whole if modality is Modality.IMAGE else archive.reports
        elif modality is Modality.IMAGE:
            rows = archive.regions[:, region.position]
        else:
            rows, held = archive.region_texts[:, region.position], archive.has_text[:, region.position]
        studies = np.flatnonzero(held).astype(np.int64)
        segment = Segment(Vectors(studies, studies, np.ascontiguousarray(rows[held])))
        return Partition(segment, Segment(empty_vectors(DIM)), 0, 0)


SIDES = {
    Sides.IMAGE: (Modality.IMAGE,),
    Sides.TEXT: (Modality.TEXT,),
    Sides.BOTH: tuple(Modality),
}


@pytest.mark.parametrize("fusion", [None, UNEQUAL], ids=["equal", "unequal"])
def test_scores_equal_the_runtimes_for_every_kind_of_query(fusion):
    archive = make_archive(40, 3)
    index = ArchiveIndex(archive)
    queries = draw_queries(archive, 6, 1)
    for kind in KINDS:
        weights = weights_for(fusion, kind.conditioned)
        for query in queries:
            study, place, _ = query
            image = archive.regions[study, place] if kind.conditioned else archive.whole[study]
            spoken = archive.has_text[study, place]
            text = archive.region_texts[study, place] if spoken else archive.reports[study]
            (of_images, first), (of_reports, second) = (
                asked_of(
                    side,
                    weights,
                    image if kind.asked is not Sides.TEXT else None,
                    text if kind.asked is not Sides.IMAGE else None,
                )
                for side in Modality
            )
            region = REGIONS[place] if kind.conditioned else None
            probe = Probe(region, of_images, of_reports, (first, second))
            ranked = search(index, [probe], len(archive), modalities=SIDES[kind.searched])
            scores = score_all(archive, kind, query[None], int(place), fusion)[0]
            assert set(ranked.studies.tolist()) == set(np.flatnonzero(~np.isnan(scores)).tolist()), kind
            np.testing.assert_allclose(scores[ranked.studies], ranked.scores, atol=1e-6)


@pytest.mark.parametrize("kind", [IMAGE_TO_BOTH, QueryKind(Sides.TEXT, Sides.TEXT, True)], ids=str)
def test_hits_are_the_best_of_other_patients_and_right_where_the_truth_says_so(kind):
    archive = make_archive(60, 4)
    queries = draw_queries(archive, 1000, 0)
    assert len(queries) == 60
    bereft = np.arange(60) % 3 == 0
    found = find_hits(archive, kind, queries, bereft, hits=5, fusion=None)
    row = 0
    for place in PLACES:
        for number in np.flatnonzero(queries[:, 1] == place):
            study, _, finding = queries[number]
            scores = score_all(archive, kind, queries[[number]], place, None)[0]
            alike = [bool(archive.truth[n, place, finding]) for n in range(60)]
            others = [n for n in range(60) if archive.patients[n] != archive.patients[study]]
            candidates = [n for n in others if not (bereft[number] and alike[n]) and not np.isnan(scores[n])]
            best = sorted(candidates, key=lambda n: -scores[n])[:5]
            held = ~np.isnan(found.scores[row])
            np.testing.assert_allclose(found.scores[row][held], scores[best], atol=1e-6)
            assert found.right[row][held].tolist() == [alike[n] for n in best]
            assert not found.right[row][~held].any()
            assert found.answerable[row] == (not bereft[number] and any(alike[n] for n in others))
            assert found.patients[row] == archive.patients[study]
            row += 1
    assert row == 60


def test_queries_without_an_answer_are_asked_too():
    archive = make_archive(3, 2)
    found = asked_of_all([archive], IMAGE_TO_BOTH, None, seed=0, unanswerable=0.0)
    assert len(found.answerable) == 3
    assert not found.answerable.all()
    everything_gone = asked_of_all([make_archive(60, 4)], IMAGE_TO_BOTH, None, seed=0, unanswerable=1.0)
    assert not everything_gone.answerable.any()
    assert not everything_gone.right.any()


@pytest.mark.parametrize("spare", [0, 50])
def test_an_archive_is_dealt_out_by_patient(spare):
    archive = make_archive(50, 6, spare=spare)
    parts = divided(archive, 4, 1)
    assert [len(part) for part in parts] == [14, 12, 12, 12]
    assert sorted(n for part in parts for n in part.patients.tolist()) == sorted(archive.patients.tolist())
    assert not set(parts[0].patients.tolist()) & set(parts[1].patients.tolist())
    (whole,) = divided(archive, 1, 1)
    np.testing.assert_array_equal(whole.regions, archive.regions)
    assert len(whole.prior_regions) == spare
    assert all(len(part.prior_regions) in (0, len(part)) for part in parts)


def naive_isotonic(values, weights):
    """The min-max formula (Barlow et al. 1972): no pooling, every pair of ends looked at."""
    count = len(values)

    def mean(low, high):
        return np.average(values[low : high + 1], weights=weights[low : high + 1])

    return [
        max(min(mean(low, high) for high in range(n, count)) for low in range(n + 1)) for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_pooling_equals_the_min_max_formula(seed):
    random = np.random.default_rng(seed)
    values, weights = random.random(25), random.integers(1, 9, 25).astype(float)
    blocks = isotonic_blocks(values, weights)
    means = [np.average(values[blocks == block], weights=weights[blocks == block]) for block in blocks]
    np.testing.assert_allclose(means, naive_isotonic(values, weights))
    assert all(second > first for first, second in pairwise(dict.fromkeys(means)))


def hits_of(scores, right):
    count = len(scores)
    return FoundHits(np.arange(count), np.ones(count, bool), scores.astype(np.float32), right)


def test_a_curve_finds_the_probability_that_made_the_hits():
    random = np.random.default_rng(1)
    scores = random.uniform(-0.2, 1.0, (3000, 10))
    right = random.random(scores.shape) < 1 / (1 + np.exp(-8 * (scores - 0.5)))
    knots, heights = fit_curve(hits_of(scores, right))
    assert all(second > first for first, second in pairwise(knots))
    assert all(second >= first for first, second in pairwise(heights))
    inside = np.linspace(-0.1, 0.9, 21)
    np.testing.assert_allclose(
        np.interp(inside, knots, heights), 1 / (1 + np.exp(-8 * (inside - 0.5))), atol=0.04
    )


def test_equal_scores_make_one_knot():
    scores = np.repeat([[0.1], [0.6]], 200, axis=0)
    right = np.concatenate([np.arange(200) % 4 == 0, np.arange(200) % 4 > 0])[:, None]
    knots, heights = fit_curve(hits_of(scores, right))
    # The bin that holds both is a knot between them.
    assert 2 <= len(knots) <= 3
    assert (knots[0], heights[0]) == (pytest.approx(0.1), pytest.approx(0.25, abs=0.01))
    assert (knots[-1], heights[-1]) == (pytest.approx(0.6), pytest.approx(0.75, abs=0.01))
    one = fit_curve(hits_of(np.full((100, 1), 0.5), (np.arange(100) < 30)[:, None]))
    assert one == ((0.5,), (0.3,))


def test_too_few_hits_make_no_curve():
    assert fit_curve(hits_of(np.zeros((39, 1)), np.ones((39, 1), bool))) is None
    with pytest.raises(ConfigError, match="too few hits to calibrate on"):
        fit_calibration(make_archive(3, 0), None, data="three")


@pytest.fixture(scope="module")
def fitted():
    # Every case has its sentence: a text query without one asks with a whole report, which here says nothing.
    return fit_calibration(make_archive(960, 11, silent=0.0), None, data="synthetic")


def test_every_kind_has_curves_for_three_sizes(fitted):
    kinds = {QueryKind(curve.asked, curve.searched, curve.conditioned) for curve in fitted.curves}
    assert kinds == set(KINDS)
    assert sorted({curve.studies for curve in fitted.curves}) == [60, 240, 960]
    assert not list(fitted.problems())


def test_probabilities_hold_on_other_cases_and_on_a_size_in_between(fitted, tmp_path):
    tests = [make_archive(960, seed, silent=0.0) for seed in (12, 13)]
    rows = calibration_rows(fitted, None, tests, abstain_below=0.5, resamples=50)
    assert {row["studies"] for row in rows} == {960, 120}
    assert len(rows) == 2 * len(KINDS)
    for row in rows:
        # 1,920 queries: chance alone makes about 0.015.
        assert row["ece"] <= 0.05 or row["studies"] == 120, row
        assert row["ece_interval"][0] <= row["ece"] * 1.5
        # Whole images of one finding among 29 regions show next to nothing: their scores order nothing.
        if row["form"] == "conditioned":
            assert row["risk_at"]["0.5"] <= row["risk_at"]["1.0"] + 1e-9
        assert 0 <= row["answered_of_unanswerable"] <= 1
    best = next(
        row
        for row in rows
        if row["form"] == "conditioned" and row["searched"] == "image_text" and row["studies"] == 960
    )
    assert best["answered_of_answerable"] > best["answered_of_unanswerable"]
    report = {"synthetic": True, "data": "made", "unanswerable": 0.1, "calibration": rows}
    page = write_page(tmp_path, "Calibration", report).read_text()
    assert page.count("<svg") == 4 * 6
    assert "(synthetic)" in page
    assert "http" not in page


def test_between_two_sizes_the_error_is_less_than_with_the_curves_of_the_one_that_fits_worse(fitted):
    parts = [part for seed in (14, 15) for part in divided(make_archive(960, seed, silent=0.0), 8, 0)]
    for kind in KINDS:
        found = asked_of_all(parts, kind, None, seed=2, unanswerable=0.1)

        def error(studies, kind=kind, found=found):
            sure = calibrate(fitted, kind, studies, found.scores)
            return measure_reliability(sure, found.right, found.patients, resamples=1).error

        assert error(120) < max(error(60), error(240)), kind


def test_a_model_that_sees_nothing_is_sure_of_nothing():
    kind = QueryKind(Sides.IMAGE, Sides.IMAGE, True)
    blind = fit_calibration(make_archive(400, 21, noise=50.0), None, data="synthetic")
    found = asked_of_all([make_archive(400, 22, noise=50.0)], kind, None, seed=1, unanswerable=0.1)
    sure = calibrate(blind, kind, 400, found.scores)
    # Two places and three findings: one case in six has the finding there, less those that were taken out.
    assert np.nanmax(sure) < 0.5
    assert np.nanmean(sure) == pytest.approx(0.15, abs=0.04)
