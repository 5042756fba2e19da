import numpy as np
import pytest

from edge_retrieve.runtime.index import Partition
from edge_retrieve.runtime.index.partition import Segment, build_graph
from edge_retrieve.runtime.store import Vectors

DIM = 32


def rows_of(random, count):
    """Unit rows in clusters, as embeddings lie."""
    centres = random.normal(size=(20, DIM))
    rows = centres[random.integers(0, 20, count)] + 0.7 * random.normal(size=(count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def segment(rows, studies, graph=False):
    numbers = np.arange(1, len(rows) + 1, dtype=np.int64)
    studies = np.asarray(studies, dtype=np.int64)
    return Segment(Vectors(numbers, studies, rows), build_graph(rows) if graph else None)


def exact(rows, studies, query):
    """Best score per study by a full scan in float64."""
    best = {}
    for study, score in zip(studies, rows.astype(np.float64) @ query, strict=True):
        best[study] = max(best.get(study, -2.0), score)
    return sorted(best.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("graph", [False, True])
def test_search_against_a_full_scan(graph):
    random = np.random.default_rng(3)
    count = 6000
    rows, studies = rows_of(random, count), random.permutation(count) // 2 + 1  # two rows a study
    tail_rows, tail_studies = rows_of(random, 40), np.arange(2990, 3030)
    partition = Partition(segment(rows, studies, graph), segment(tail_rows, tail_studies), 0, 0)
    assert len(partition) == count + 40
    everything = np.concatenate([rows, tail_rows]), np.concatenate([studies, tail_studies])
    hits = 0
    for query in rows_of(random, 50):
        wanted = exact(*everything, query)
        studies_found, scores = partition.search(query, 10)
        assert len(set(studies_found.tolist())) == 10
        truth = dict(wanted)
        # Whatever is found has its exact score, and comes in order.
        np.testing.assert_allclose(scores, [truth[s] for s in studies_found.tolist()], atol=1e-6)
        assert (np.diff(scores) <= 0).all()
        hits += len({study for study, _ in wanted[:10]} & set(studies_found.tolist()))
    assert hits / 500 == 1.0 if not graph else hits / 500 >= 0.98, hits / 500


def test_scores_of_given_studies_and_nan_for_the_absent():
    random = np.random.default_rng(4)
    rows = rows_of(random, 6)
    partition = Partition(segment(rows[:4], [7, 3, 7, 9]), segment(rows[4:], [3, 12]), 0, 0)
    query = rows_of(random, 1)[0]
    cosine = rows @ query
    found = partition.scores(query, np.asarray([3, 5, 7, 9, 12]))
    expected = [max(cosine[1], cosine[4]), np.nan, max(cosine[0], cosine[2]), cosine[3], cosine[5]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert partition.expected_score(query) == pytest.approx(cosine.mean(), abs=1e-6)


def test_an_empty_partition_answers_with_nothing():
    empty = segment(np.zeros((0, DIM), np.float32), [])
    partition = Partition(empty, empty, 0, 0)
    query = rows_of(np.random.default_rng(0), 1)[0]
    studies, scores = partition.search(query, 5)
    assert (len(studies), len(scores), partition.expected_score(query)) == (0, 0, 0.0)
    assert np.isnan(partition.scores(query, np.asarray([1, 2]))).all()


def test_asking_for_more_than_there_is_gives_each_once():
    # usearch pads short answers with key 0: study 1 must not come back for it.
    rows = rows_of(np.random.default_rng(1), 5)
    for graph in (False, True):
        partition = Partition(segment(rows, [1, 2, 3, 4, 5], graph), segment(rows[:0], []), 0, 0)
        studies, scores = partition.search(rows[3], 50)
        assert sorted(studies.tolist()) == [1, 2, 3, 4, 5]
        assert studies[0] == 4
        assert scores[0] == pytest.approx(1.0, abs=1e-6)
