"""The ranking held against scoring every study, on made-up partitions: no store, no encoder."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_retrieve.runtime import search as searching
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.files import empty_vectors
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.index.switch_points import SwitchPoints
from edge_retrieve.runtime.probe import Probe, suspicion
from edge_retrieve.runtime.query import Combine
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Vectors

DIM = 12
STUDIES = 6000
REGIONS = (Region.RIGHT_LUNG, Region.LEFT_LUNG, Region.CARDIAC_SILHOUETTE)
# Rows are scanned exactly: what is tested is what the search makes of them.
ROWS_ONLY = SwitchPoints(codes=10**9, graph=10**9)


class MadeIndex:
    """Images of all studies, reports of some that speak of some regions; four studies a patient or so."""

    def __init__(self, studies=STUDIES, seed=0, switch_points=ROWS_ONLY):
        random = np.random.default_rng(seed)
        self.numbers = np.arange(1, studies + 1) * 3
        self.patients = np.array([f"p{n}" for n in random.integers(0, studies // 4, studies)])
        self.held = {}
        for region in (None, *REGIONS):
            usual = random.normal(size=DIM)
            for modality in Modality:
                has = random.random(studies) < (1.0 if modality is Modality.IMAGE else 0.3)
                rows = usual + random.normal(size=(int(has.sum()), DIM))
                rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
                owners = np.arange(1, len(rows) + 1)
                vectors = Vectors(owners, self.numbers[has], rows)
                base = build_segment(vectors, switch_points)
                tail = Segment(empty_vectors(DIM))
                self.held[modality, region] = Partition(base, tail, len(rows), 0)

    def partition(self, modality, region):
        return self.held[modality, region]

    def deleted(self):
        return frozenset({3, 30})

    def patients_of(self, numbers):
        return tuple(self.patients[numbers // 3 - 1])


@cache
def made():
    return MadeIndex()


def every_score(index, probes, combine):
    """The documented score of every study, in float64."""
    columns, expected = [], []
    for probe in probes:
        total, mean = np.zeros(len(index.numbers)), 0.0
        images = index.partition(Modality.IMAGE, probe.region)
        for modality, share in zip(Modality, probe.shares, strict=True):
            rows = index.partition(modality, probe.region).base.vectors
            asked = probe.asked(modality)
            if probe.region is not None:
                asked = suspicion(asked, images.base.vectors.rows.mean(axis=0), len(images))
            scores = rows.rows.astype(np.float64) @ asked
            filled = np.full(len(index.numbers), scores.mean())
            filled[rows.studies // 3 - 1] = scores
            total += share * filled / sum(probe.shares)
            mean += share * scores.mean() / sum(probe.shares)
        columns.append(total)
        expected.append(mean)
    table = np.array(columns)
    if combine is Combine.ANY:
        return table.max(axis=0)
    if combine is Combine.ALL:
        return table.min(axis=0)
    return np.average(table, axis=0, weights=[probe.weight for probe in probes])


def best(index, scores, k, left_out, one_per_patient):
    order = sorted(
        (number for number in index.numbers.tolist() if number not in left_out),
        key=lambda number: (-scores[number // 3 - 1], number),
    )
    if one_per_patient:
        first = {}
        for number in order:
            first.setdefault(index.patients[number // 3 - 1], number)
        order = list(first.values())
    return order[:k]


def probes_of(random, count, whole):
    made_up = []
    for region in [None] if whole else [REGIONS[n] for n in random.permutation(3)[:count]]:
        image, text = random.normal(size=(2, DIM)).astype(np.float32)
        shares, weight = random.uniform(0.1, 1, 2), float(random.uniform(0.2, 3))
        made_up.append(
            Probe(region, image / 4, of_reports=text / 4, shares=tuple(map(float, shares)), weight=weight)
        )
    return made_up


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(Combine),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([0.0005, 0.01, 0.2, 0.6, 1.0, None]),
    st.booleans(),
    st.sampled_from([1, 10, 130]),
)
def test_a_search_finds_what_scoring_every_study_finds(
    seed, combine, places, whole, kept, one_per_patient, k
):
    index, random = made(), np.random.default_rng(seed)
    probes = probes_of(random, places, whole)
    excluded = random.choice(index.numbers, 5, replace=False).tolist()
    left_out = {*excluded, *index.deleted()}
    allowed = None
    if kept is not None:
        allowed = np.sort(random.choice(index.numbers, max(1, int(kept * STUDIES)), replace=False))
        left_out |= set(index.numbers.tolist()) - set(allowed.tolist())
    ranked = search(
        index,
        probes,
        k,
        combine=combine,
        exclude=excluded,
        allowed=allowed,
        patients_of=index.patients_of if one_per_patient else None,
    )
    scores = every_score(index, probes, combine)
    wanted = best(index, scores, k, left_out, one_per_patient)
    np.testing.assert_allclose(ranked.scores, scores[ranked.studies // 3 - 1], atol=1e-5)
    np.testing.assert_allclose(ranked.scores, scores[np.array(wanted, int) // 3 - 1], atol=1e-5)
    if len(set(np.round(scores[np.array(wanted, int) // 3 - 1], 5))) == len(wanted):
        assert ranked.studies.tolist() == wanted


@cache
def coded():
    return MadeIndex(switch_points=SwitchPoints(codes=64, graph=10**9))


@pytest.mark.skipif(not kernel.available(), reason="the scan of codes was not compiled here")
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([Combine.WEIGHTED, Combine.ALL]),
    st.integers(2, 3),
    st.booleans(),
    st.sampled_from([1, 10, 130]),
)
def test_several_places_are_searched_exactly_by_rows_in_bytes_too(seed, combine, places, one_per_patient, k):
    index, random = coded(), np.random.default_rng(seed)
    probes = probes_of(random, places, whole=False)
    patients_of = index.patients_of if one_per_patient else None
    ranked = search(index, probes, k, combine=combine, patients_of=patients_of)
    scores = every_score(index, probes, combine)
    wanted = best(index, scores, k, index.deleted(), one_per_patient)
    np.testing.assert_allclose(ranked.scores, scores[ranked.studies // 3 - 1], atol=1e-5)
    np.testing.assert_allclose(ranked.scores, scores[np.array(wanted, int) // 3 - 1], atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(Combine), st.integers(1, 40), st.booleans())
def test_pages_are_the_parts_of_one_list(seed, combine, size, one_per_patient):
    index, random = made(), np.random.default_rng(seed)
    probes = probes_of(random, 2, whole=False)
    patients_of = index.patients_of if one_per_patient else None
    whole = search(index, probes, 5 * size, combine=combine, patients_of=patients_of)
    for page in range(5):
        end = (page + 1) * size
        ranked = search(index, probes, end, combine=combine, patients_of=patients_of)
        assert ranked.studies[end - size :].tolist() == whole.studies[end - size : end].tolist()


@pytest.mark.parametrize("seed", range(12))
def test_an_archive_too_large_to_score_whole_is_asked_for_more_until_it_is_decided(seed, monkeypatch):
    monkeypatch.setattr(searching, "_ALL_AT_ONCE", 1000)
    monkeypatch.setattr(searching, "_FEW", 50)
    index, random = made(), np.random.default_rng(seed)
    probes = probes_of(random, 1 + seed % 3, whole=False)
    combine = list(Combine)[seed // 2 % 3]
    allowed = np.sort(random.choice(index.numbers, (STUDIES // 100, STUDIES // 2)[seed % 2], replace=False))
    ranked = search(index, probes, 10, combine=combine, allowed=allowed)
    left_out = {*index.deleted(), *index.numbers.tolist()} - (set(allowed.tolist()) - index.deleted())
    wanted = best(index, every_score(index, probes, combine), 10, left_out, False)
    assert ranked.studies.tolist() == wanted


def test_what_is_good_everywhere_and_best_nowhere_is_found():
    """Two places, each with 2,000 better cases that are bad in the other one; one case is fair in both."""
    index = made()
    near, far, fair = (np.float32([x, np.sqrt(1 - x * x), *[0] * (DIM - 2)]) for x in (0.9, -0.9, 0.8))
    probes = [Probe(region, np.eye(DIM, dtype=np.float32)[0], shares=(1.0, 0.0)) for region in REGIONS[:2]]

    class Adverse(MadeIndex):
        def __init__(self):
            self.numbers, self.patients = index.numbers[:4001], index.patients
            self.held = {}
            for place, region in enumerate(REGIONS[:2]):
                rows = np.stack([(near, far)[(n < 2000) == bool(place)] for n in range(4000)] + [fair])
                vectors = Vectors(np.arange(1, 4002), self.numbers, rows)
                tail = Segment(empty_vectors(DIM))
                partition = Partition(build_segment(vectors, ROWS_ONLY), tail, 4001, 0)
                self.held[Modality.IMAGE, region] = self.held[Modality.TEXT, region] = partition

    for combine in (Combine.WEIGHTED, Combine.ALL):
        ranked = search(Adverse(), probes, 1, combine=combine)
        assert ranked.studies.tolist() == [index.numbers[4000]], combine


def test_the_parts_of_a_score_are_those_of_the_sides():
    index, random = made(), np.random.default_rng(5)
    (probe,) = probes_of(random, 1, whole=True)
    ranked = search(index, [probe], STUDIES)
    rows = [index.partition(modality, None).base.vectors.rows for modality in Modality]
    means = [(held @ probe.asked(side)).mean() for held, side in zip(rows, Modality, strict=True)]
    filled = np.where(np.isnan(ranked.by_side[:, 0]), means, ranked.by_side[:, 0])
    assert 0.6 < np.isnan(ranked.by_side[:, 0, 1]).mean() < 0.8
    np.testing.assert_allclose(np.average(filled, axis=1, weights=probe.shares), ranked.scores, atol=1e-5)


def test_a_side_that_counts_nothing_is_not_asked():
    index = made()
    probe = Probe(None, np.eye(DIM, dtype=np.float32)[0], shares=(0.0, 1.0))
    ranked = search(index, [probe], 5000)
    told = set(index.partition(Modality.TEXT, None).studies.tolist()) - index.deleted()
    assert set(ranked.studies.tolist()) == told
    assert np.isnan(ranked.by_side[..., 0]).all()
    assert len(search(index, [Probe(None, probe.vector, shares=(0.0, 0.0))], 5).studies) == 0


@pytest.mark.parametrize("combine", list(Combine))
def test_fewer_patients_than_asked_for_end_the_search(combine):
    index = made()
    probes = probes_of(np.random.default_rng(1), 2, whole=False)
    patients = len(set(index.patients[2:].tolist()))
    ranked = search(index, probes, STUDIES, combine=combine, patients_of=index.patients_of)
    assert len(ranked.studies) <= patients
    assert len(set(index.patients_of(ranked.studies))) == len(ranked.studies)
