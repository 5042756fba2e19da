"""Plans of archives: splits by patient, balance, and cases made to be mistaken for each other."""

from collections import Counter, defaultdict
from itertools import combinations

import pytest

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.sampling import Density, Split, Variant, conflicts, sample_archive
from edge_retrieve.train.phantom.spec import PLACEMENTS


@pytest.fixture(scope="module")
def plan():
    return sample_archive(3000, seed=1)


def test_equal_seeds_plan_equal_archives_and_longer_ones_begin_alike(plan):
    assert sample_archive(3000, seed=1) == plan
    assert sample_archive(700, seed=1) == plan[:700]


def test_patients_stay_in_one_split(plan):
    splits = defaultdict(set)
    for planned in plan:
        splits[planned.patient].add(planned.split)
    assert all(len(found) == 1 for found in splits.values())
    shares = Counter(planned.split for planned in plan)
    assert 0.7 < shares[Split.TRAIN] / len(plan) < 0.9
    assert min(shares.values()) > 200


def test_archives_share_no_patient():
    archives = [sample_archive(400, 1), sample_archive(400, 2)]
    archives += [sample_archive(400, 1, split=split) for split in Split]
    for first, second in combinations(archives, 2):
        assert not {p.patient for p in first} & {p.patient for p in second}
        assert not {p.spec.patient_seed for p in first} & {p.spec.patient_seed for p in second}


def test_a_split_can_be_asked_for():
    assert {planned.split for planned in sample_archive(100, 1, split=Split.TEST)} == {Split.TEST}


def test_studies_have_unique_names_and_patients_one_anatomy(plan):
    assert len({planned.study for planned in plan}) == len(plan)
    seeds = defaultdict(set)
    for planned in plan:
        seeds[planned.patient].add(planned.spec.patient_seed)
    assert all(len(found) == 1 for found in seeds.values())


def test_every_pair_occurs_and_about_a_fifth_is_clean(plan):
    counts = Counter((x.finding, x.region) for planned in plan for x in planned.spec.lesions)
    assert set(counts) == {(finding, place) for finding, places in PLACEMENTS.items() for place in places}
    assert min(counts.values()) >= 15
    clean = sum(not planned.spec.lesions for planned in plan) / len(plan)
    assert 0.15 < clean < 0.25
    assert max(len(planned.spec.lesions) for planned in plan) == 3


def test_lesions_of_a_study_do_not_conflict_and_stand_where_they_may(plan):
    for planned in plan:
        pairs = [(x.finding, x.region) for x in planned.spec.lesions]
        assert all(place in PLACEMENTS[finding] for finding, place in pairs)
        assert not any(conflicts(*two) for two in combinations(pairs, 2)), pairs


def test_variants_are_what_they_say(plan):
    first = {planned.patient: planned for planned in plan if planned.visit == 0}
    seen = Counter(planned.variant for planned in plan)
    assert all(seen[variant] > 50 for variant in Variant)
    for planned in plan:
        before = [(x.finding, x.region) for x in first[planned.patient].spec.lesions]
        after = [(x.finding, x.region) for x in planned.spec.lesions]
        changed = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
        match planned.variant:
            case Variant.ORIGINAL:
                assert planned.visit == 0
            case Variant.CLEAN_TWIN:
                assert before
                assert not after
            case Variant.MIRRORED:
                assert changed
                assert all(old == (new[0], new[1].mirrored) for old, new in changed)
            case Variant.OTHER_REGION:
                [(old, new)] = changed
                assert old[0] is new[0]
            case Variant.OTHER_FINDING:
                [(old, new)] = changed
                assert old[1] is new[1]


@pytest.mark.parametrize(("studies", "seed"), [(0, 1), (-3, 1), (5, -1)])
def test_senseless_numbers_are_refused(studies, seed):
    with pytest.raises(ConfigError, match=r"archive needs|not negative"):
        sample_archive(studies, seed)


def test_a_crowded_archive_shows_more_and_still_nothing_that_conflicts():
    crowded = sample_archive(600, 4, split=Split.TRAIN, density=Density.CROWDED)
    usual = sample_archive(600, 4, split=Split.TRAIN)
    counts = [sum(len(study.spec.lesions) for study in archive) / 600 for archive in (crowded, usual)]
    assert counts[0] > 1.7 * counts[1]
    for study in crowded:
        pairs = [(lesion.finding, lesion.region) for lesion in study.spec.lesions]
        assert not any(conflicts(a, b) for n, a in enumerate(pairs) for b in pairs[:n])
    shares = [
        sum(lesion.finding is Finding.NODULE for study in archive for lesion in study.spec.lesions) / 600
        for archive in (crowded, usual)
    ]
    assert shares[0] > 2 * shares[1]
