import numpy as np
import pytest

from edge_retrieve.runtime.everyone import Everyone, score_everyone
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.files import empty_vectors
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.index.switch_points import SwitchPoints
from edge_retrieve.runtime.place import Place, Side
from edge_retrieve.runtime.query import Combine
from edge_retrieve.runtime.store import Vectors

COUNT, DIM = 3000, 16
NONE = np.zeros(0, np.int64)


def places_of(random, switch_points, late=200):
    """Two places with images of all studies and reports of some; the last rows came late."""
    studies = np.arange(1, COUNT + 1) * 2
    made = []
    for column in range(2):
        sides = []
        for modality in Modality:
            has = np.flatnonzero(random.random(COUNT) < (1.0 if modality is Modality.IMAGE else 0.4))
            rows = random.normal(size=(len(has), DIM)).astype(np.float32) / 4
            parts = [
                Vectors(part + 1, studies[part], rows[at])
                for part, at in ((has[:-late], slice(-late)), (has[-late:], slice(-late, None)))
            ]
            partition = Partition(build_segment(parts[0], switch_points), Segment(parts[1]), len(has), 0)
            vector = random.normal(size=DIM).astype(np.float32) / 4
            expected = partition.expected_score(vector)
            sides.append(Side(modality, partition, vector, float(random.uniform(0.2, 1)), expected, False))
        made.append(Place(column, float(random.uniform(0.2, 1)), tuple(sides), float(random.normal()) / 9))
    return studies, made


def exact_scores(places, studies, combine):
    """The score of every study, side by side and place by place."""
    columns = []
    for place in places:
        fused = np.zeros(len(studies))
        for side in place.sides:
            held = np.full(len(studies), side.expected)
            for segment in (side.partition.base, side.partition.tail):
                held[segment.vectors.studies // 2 - 1] = segment.vectors.rows @ side.vector
            fused += side.share * held
        columns.append(fused / sum(side.share for side in place.sides))
    if combine is Combine.WEIGHTED:
        return np.average(columns, axis=0, weights=[place.weight for place in places])
    return np.max(columns, axis=0) if combine is Combine.ANY else np.min(columns, axis=0)


@pytest.mark.parametrize("combine", Combine)
@pytest.mark.parametrize("codes", [10**9, 64])
def test_scores_are_off_by_no_more_than_they_say_and_the_best_are_among_those_returned(combine, codes):
    if codes < 10**9 and not kernel.available():
        pytest.skip("the scan of codes was not compiled here")
    random = np.random.default_rng(codes % 97)
    studies, places = places_of(random, SwitchPoints(codes=codes, graph=10**9))
    everyone = score_everyone(places, combine, studies[:7], studies[5:2500])
    exact = exact_scores(places, studies, combine)
    assert (everyone.error > 0) == (codes < 10**9)
    found = everyone.scores[studies]
    assert np.isneginf(found[:7]).all()
    assert np.isneginf(found[2500:]).all()
    assert np.abs(found - exact)[7:2500].max() <= everyone.error + 1e-6
    for count in (1, 10, 400):
        best, others = everyone.best(count)
        wanted = studies[7:2500][np.argsort(-exact[7:2500], kind="stable")[:count]]
        assert set(wanted.tolist()) <= set(best.tolist())
        left = np.setdiff1d(studies[7:2500], best)
        assert exact[left // 2 - 1].max() <= others + 1e-6
        assert others <= exact[wanted[-1] // 2 - 1] + 1e-6


def test_nobody_is_beyond_the_last_one():
    everyone = Everyone(np.array([-np.inf, 0.5, -np.inf, 0.25], np.float32), 0.1)
    for count in (2, 3, 4, 50):
        best, others = everyone.best(count)
        assert best.tolist() == [1, 3]
        assert others == -np.inf
    assert Everyone(np.zeros(0, np.float32), 0.0).best(3)[0].tolist() == []
    assert score_everyone([], Combine.ANY, NONE).best(1)[0].tolist() == []


def test_an_empty_tail_adds_nothing():
    random = np.random.default_rng(3)
    rows = random.normal(size=(50, DIM)).astype(np.float32)
    base = build_segment(Vectors(np.arange(1, 51), np.arange(50), rows), SwitchPoints(codes=10**9))
    partition = Partition(base, Segment(empty_vectors(DIM)), 50, 0)
    place = Place(0, 1.0, (Side(Modality.IMAGE, partition, rows[3], 1.0, 0.0, False),), 0.0)
    assert score_everyone([place], Combine.ANY, NONE).best(1)[0].tolist() == [3]
