from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_retrieve.runtime.index import Partition, kernel
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.index.switch_points import Form, SwitchPoints
from edge_retrieve.runtime.store import Vectors

DIM = 32


def rows_of(random, count):
    """Unit rows in clusters, as embeddings lie."""
    centres = random.normal(size=(20, DIM))
    rows = centres[random.integers(0, 20, count)] + 0.7 * random.normal(size=(count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


# Switch points that bring any number of rows into a form.
SWITCH = {
    Form.ROWS: SwitchPoints(10**9, 10**9),
    Form.CODES: SwitchPoints(1, 10**9),
    Form.GRAPH: SwitchPoints(1, 1),
}


def segment(rows, studies, form=Form.ROWS):
    numbers = np.arange(1, len(rows) + 1, dtype=np.int64)
    studies = np.asarray(studies, dtype=np.int64)
    if not len(rows):
        return Segment(Vectors(numbers, studies, rows))
    return build_segment(Vectors(numbers, studies, rows), SWITCH[form])


def exact(rows, studies, query):
    """Best score per study by a full scan in float64."""
    best = {}
    for study, score in zip(studies, rows.astype(np.float64) @ query, strict=True):
        best[study] = max(best.get(study, -2.0), score)
    return sorted(best.items(), key=lambda item: -item[1])


@pytest.fixture(params=Form, ids=lambda form: form.name)
def form(request):
    if request.param is Form.CODES and not kernel.available():
        pytest.skip("the scan of codes was not compiled here")
    return request.param


def test_search_against_a_full_scan(form):
    random = np.random.default_rng(3)
    count = 6000
    rows, studies = rows_of(random, count), random.permutation(count) // 2 + 1  # two rows a study
    tail_rows, tail_studies = rows_of(random, 40), np.arange(2990, 3030)
    partition = Partition(segment(rows, studies, form), segment(tail_rows, tail_studies), 0, 0)
    assert len(partition) == count + 40
    everything = np.concatenate([rows, tail_rows]), np.concatenate([studies, tail_studies])
    assert partition.base.form is form
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
    assert hits / 500 >= 0.98 if form is not Form.ROWS else hits == 500, hits / 500


@pytest.mark.parametrize("spread", [3e-4, 1e-3, 3e-3, 1e-2])
def test_near_ties_are_told_apart_though_codes_cannot(spread, form):
    # 3,000 rows whose cosines with the query lie within `spread`: closer than codes or bfloat16 resolve.
    if form is Form.GRAPH:
        pytest.skip("a walk visits a few hundred rows")
    random = np.random.default_rng(5)
    for _ in range(5):
        query = rows_of(random, 1)[0].astype(np.float64)
        away = random.normal(size=(3000, DIM))
        away -= np.outer(away @ query, query) / (query @ query)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        cosines = 0.9 + spread * random.random(3000)
        made = cosines[:, None] * query / np.linalg.norm(query) + np.sqrt(1 - cosines**2)[:, None] * away
        rows, query = made.astype(np.float32), query.astype(np.float32)
        partition = Partition(segment(rows, np.arange(3000), form), segment(rows[:0], []), 0, 0)
        found, scores = partition.search(query, 10)
        wanted = np.sort(rows.astype(np.float64) @ query)[::-1][:10]
        np.testing.assert_allclose(rows[found].astype(np.float64) @ query, wanted, rtol=0, atol=2e-7)
        np.testing.assert_allclose(scores, wanted, rtol=0, atol=1e-6)


def test_rows_all_alike_are_found_in_the_order_stored(form):
    row = rows_of(np.random.default_rng(2), 1)
    partition = Partition(
        segment(np.repeat(row, 2000, axis=0), range(2000), form), segment(row[:0], []), 0, 0
    )
    studies, scores = partition.search(row[0], 10)
    assert len(set(studies.tolist())) == 10
    np.testing.assert_allclose(scores, 1.0, atol=1e-6)
    if form is Form.CODES:
        assert studies.tolist() == list(range(10))


def test_excluded_studies_are_passed_over_and_cost_no_hits(form):
    random = np.random.default_rng(9)
    rows, tail_rows = rows_of(random, 4000), rows_of(random, 50)
    studies, tail_studies = random.permutation(4000) // 2, np.arange(1990, 2040)
    partition = Partition(segment(rows, studies, form), segment(tail_rows, tail_studies), 0, 0)
    everything = np.concatenate([rows, tail_rows]), np.concatenate([studies, tail_studies])
    for out_of_hundred in (0, 1, 50, 99):
        exclude = frozenset(np.flatnonzero(random.random(2040) < out_of_hundred / 100).tolist())
        hits = 0
        for query in rows_of(random, 20):
            wanted = [study for study, _ in exact(*everything, query) if study not in exclude][:10]
            found, _ = partition.search(query, 10, exclude)
            assert not exclude & set(found.tolist())
            hits += len(set(wanted) & set(found.tolist())) / len(wanted)
        assert hits / 20 >= (0.99 if form is not Form.ROWS else 1), (out_of_hundred, hits / 20)


def test_threads_searching_at_once_get_their_own_answers(form):
    random = np.random.default_rng(8)
    rows = rows_of(random, 4000)
    partition = Partition(segment(rows, range(4000), form), segment(rows[:0], []), 0, 0)
    queries = rows_of(random, 200)
    alone = [partition.search(query, 10)[0].tolist() for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: partition.search(query, 10)[0].tolist(), queries))
    assert together == alone


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


def test_asking_for_more_than_there_is_gives_each_once(form):
    # usearch pads short answers with key 0: study 1 must not come back for it.
    rows = rows_of(np.random.default_rng(1), 5)
    partition = Partition(segment(rows, [1, 2, 3, 4, 5], form), segment(rows[:0], []), 0, 0)
    for count in (4, 5, 50):
        studies, scores = partition.search(rows[3], count)
        assert len(set(studies.tolist())) == len(studies) == min(count, 5)
        assert studies[0] == 4
        assert scores[0] == pytest.approx(1.0, abs=1e-6)
