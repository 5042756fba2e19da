import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.base_rates import BaseRates
from edge_retrieve.runtime.explain.evidence import Silence
from edge_retrieve.runtime.explain.gathering import place_evidence
from edge_retrieve.runtime.findings import Finding

ZONE = Region.RIGHT_UPPER_LUNG_ZONE
NODULE, MASS = Finding.NODULE, Finding.MASS


def test_findings_are_voted_for_and_against(make):
    near = [make.neighbour(1, NODULE), make.neighbour(2, MASS), make.neighbour(3, NODULE, denied=[MASS])]
    found = make.place(ZONE, near)
    assert [vote.finding for vote in found.votes] == [NODULE, MASS]
    nodule, mass = found.votes
    assert [each.study for each in nodule.supporters] == ["case-1", "case-3"]
    assert nodule.against.study == "case-2"
    # Who denies it speaks louder than who is silent, though farther away.
    assert mass.against.study == "case-3"
    assert 0 < mass.probability < nodule.probability < 1


def test_a_common_finding_needs_more_votes(make):
    near = [make.neighbour(1, NODULE, MASS), make.neighbour(2, NODULE, MASS), make.neighbour(3)]
    rates = BaseRates(10, {(NODULE, ZONE): 6, (MASS, ZONE): 0})
    nodule, mass = (make.place(ZONE, near, rates).vote(each) for each in (NODULE, MASS))
    assert mass.beyond_chance > nodule.beyond_chance
    assert nodule.base_rate == 0.6


def test_only_the_nearest_ten_with_a_report_vote(make):
    silent = [make.neighbour(n, reported=False) for n in range(1, 4)]
    near = [*silent, *(make.neighbour(n, NODULE if n < 14 else MASS) for n in range(4, 20))]
    found = make.place(ZONE, near)
    assert [each.rank for each in found.neighbours] == list(range(4, 14))
    assert found.vote(MASS) is None


@pytest.mark.parametrize(
    ("near", "silence"),
    [
        ([], Silence.NO_NEIGHBOUR),
        ([{"reported": False}], Silence.NO_REPORT),
        ([{"probability": 0.2}], Silence.NOT_SIMILAR),
        ([{"probability": 0.9}], Silence.UNDECIDED),
    ],
)
def test_it_says_why_nothing_is_stated(make, near, silence):
    found = make.place(ZONE, [make.neighbour(n, **each) for n, each in enumerate(near, 1)])
    assert found.silence is silence
    assert not found.stated


def test_without_curves_votes_have_no_probability(make):
    near = [make.neighbour(1, NODULE), make.neighbour(2)]
    rates = BaseRates(10, {})
    found = place_evidence(ZONE, near, rates, None)
    assert found.votes[0].probability is None
    assert found.silence is Silence.NOT_CALIBRATED
    # Nor where the neighbours have none.
    unsure = [make.neighbour(1, NODULE, probability=None)]
    assert place_evidence(ZONE, unsure, rates, lambda votes: votes).votes[0].probability is None


def test_where_all_agree_there_is_something_to_say_even_uncalibrated(make):
    near = [make.neighbour(n, NODULE, probability=None) for n in range(1, 11)]
    found = place_evidence(ZONE, near, BaseRates(10, {}), None)
    assert found.silence is None
    assert [vote.finding for vote in found.stated] == [NODULE]
