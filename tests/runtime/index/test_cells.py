import numpy as np
import pytest

from edge_retrieve.runtime.index.cells import (
    BLOCK,
    MOST_CELLS,
    Cells,
    Reach,
    count_cells,
    share_out,
    shares_of,
)


def clustered(random, count, dim, clusters=12, scatter=0.1):
    """Rows around some centres, and which centre each has."""
    centres, own = random.normal(size=(clusters, dim)), random.integers(0, clusters, count)
    return (centres[own] + scatter * random.normal(size=(count, dim))).astype(np.float32), own


def shared_out(rows):
    return share_out(rows, rows.mean(axis=0))


@pytest.mark.parametrize("count", [1, 2, 63, 65, 1000, 5000])
@pytest.mark.parametrize("dim", [1, 7, 64])
def test_every_row_has_one_place_in_a_block_of_its_cell_alone(count, dim):
    rows, _ = clustered(np.random.default_rng(1), count, dim)
    order, cells = shared_out(rows)
    assert sorted(order.tolist()) == list(range(count))
    assert (cells.counts > 0).all()
    assert cells.offsets[-1] == count
    places = cells.places(np.arange(count))
    for cell, size in enumerate(cells.counts):
        own = slice(cells.offsets[cell], cells.offsets[cell + 1])
        assert (np.diff(order[own]) > 0).all()
        assert (cells.numbers[own] == cell).all()
        np.testing.assert_array_equal(places[own], cells.starts[cell] * BLOCK + np.arange(size))
        assert cells.starts[cell + 1] - cells.starts[cell] == -(-size // BLOCK)


def test_rows_that_lie_together_come_together():
    rows, clusters = clustered(np.random.default_rng(2), 4000, 40)
    order, cells = shared_out(rows)
    apart = rows[order]
    centres = cells.take_apart(apart)
    for cell in range(len(cells.counts)):
        own = order[cells.offsets[cell] : cells.offsets[cell + 1]]
        assert len(set(clusters[own].tolist())) == 1
        np.testing.assert_allclose(centres[cell], rows[own].mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(apart + centres[cells.numbers], rows[order], atol=1e-5)


def test_the_same_rows_have_the_same_cells():
    rows, _ = clustered(np.random.default_rng(3), 3000, 30)
    np.testing.assert_array_equal(shared_out(rows)[0], shared_out(rows.copy())[0])


def test_rows_that_are_all_alike_have_one_cell():
    _, cells = shared_out(np.full((500, 16), 0.25, np.float32))
    assert cells.counts.tolist() == [500]


def test_there_are_as_many_cells_as_rows_in_one_and_not_too_many():
    assert [count_cells(rows) for rows in (1, 100, 20_000)] == [1, 10, 141]
    assert count_cells(10**9) == MOST_CELLS


def test_deviations_are_those_of_the_scores_within_a_cell():
    random = np.random.default_rng(4)
    scale = np.linspace(1.5, 0.5, 200)  # so many that no row lies far off
    sizes = np.array([4000, 2000])
    # The second cell scatters twice as far as the first.
    apart = np.concatenate(
        [spread * random.normal(size=(size, 200)) * scale for spread, size in zip((1, 2), sizes, strict=True)]
    )
    apart = apart.astype(np.float32)
    cells = Cells.of(sizes)
    lengths = np.square(apart).sum(axis=1)
    reach = Reach(np.zeros((2, 200), np.float32), apart.var(axis=0), shares_of(cells, lengths), 3.0)
    queries = random.normal(size=(5, 200)).astype(np.float32)
    scores = apart @ queries.T
    expected = np.stack([scores[:4000].std(axis=0), scores[4000:].std(axis=0)], axis=1)
    np.testing.assert_allclose(reach.deviations(queries), expected, rtol=0.05)


def test_a_small_cell_is_not_trusted_to_be_as_narrow_as_it_looks():
    lengths = np.ones(1002, np.float32)
    lengths[1000:] = 1e-4
    small = shares_of(Cells.of(np.array([1000, 2])), lengths)[1]
    large = shares_of(Cells.of(np.array([2, 1000])), lengths[::-1].copy())[1]
    assert 0.85 < small < large < 1.2


def test_a_cell_reaches_as_far_as_its_farthest_row():
    lengths = np.ones(200, np.float32)
    cells = Cells.of(np.array([100, 100]))
    common = shares_of(cells, lengths)
    lengths[150] = 25.0
    wider = shares_of(cells, lengths)
    assert common[0] == common[1]
    assert wider[1] > 2 * wider[0]
