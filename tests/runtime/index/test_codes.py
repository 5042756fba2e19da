import numpy as np
import pytest

from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.cells import BLOCK
from edge_retrieve.runtime.index.codes import CodedRows, code_parts, encode_rows, map_codes
from edge_retrieve.runtime.index.kernel import CodeScan, Lanes


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def flat(random, count, dim):
    """Rows in every direction alike: nothing to save on."""
    return unit(random.normal(size=(count, dim)))


def steep(random, count, dim, centres=20):
    """Rows of a region as a model gives them: one cone, findings in it, variance in few directions."""
    directions = np.linalg.qr(random.normal(size=(dim, dim)))[0]
    scale = np.arange(1, dim + 1) ** -0.7
    findings = random.normal(size=(centres, dim))[random.integers(0, centres, count)]
    away = (findings + 0.5 * random.normal(size=(count, dim))) * scale
    return unit(2 * directions[0] + away @ directions)


needs_kernel = pytest.mark.skipif(not kernel.available(), reason="the scan of codes was not compiled here")


def centres_of(coded: CodedRows):
    """Return the means of the cells' rows, shape [C, D]."""
    return coded.coder.mean + coded.reach.centres @ coded.coder.rotation


def scan_of(rows):
    """Return the rows in the order of their cells, and a scan of them."""
    order, coded = encode_rows(rows)
    return rows[order], CodeScan(coded, rows[order], np.arange(len(rows)))


def values_of(coded: CodedRows, count: int):
    """Read codes back into rows by the documented layout, one at a time."""
    coder = coded.coder
    turned = np.zeros((count, len(coder.mean)))
    values = np.zeros_like(turned)
    for row, (where, cell) in enumerate(
        zip(coded.cells.places(np.arange(count)), coded.cells.numbers, strict=True)
    ):
        block, place = divmod(int(where), BLOCK)
        byte = 2 * (place % 32) + place // 32
        for nibble, slots in enumerate(coder.slots):
            pair = int(coded.codes[block, nibble // 2, byte])
            code = pair >> 4 if nibble % 2 else pair & 15
            used = [int(slot) for slot in slots if slot >= 0]
            bits = {0: 4, 1: 4, 2: 2, 3: 1, 4: 1}[len(used)]
            for position, direction in enumerate(used):
                level = code >> (position * bits) & (2**bits - 1)
                turned[row, direction] = coder.levels[direction, level]
        values[row] = centres_of(coded)[cell] + turned[row] @ coder.rotation
    return values


@pytest.mark.parametrize("make", [flat, steep])
@pytest.mark.parametrize("dim", [1, 6, 32, 50])
def test_codes_stand_for_their_rows_as_closely_as_they_say(make, dim):
    random = np.random.default_rng(1)
    rows = make(random, 300, dim)
    order, coded = encode_rows(rows)
    rows = rows[order]
    error = ((rows - values_of(coded, len(rows))) ** 2).sum(axis=1).mean()
    assert error == pytest.approx(float(coded.coder.residual.sum()), rel=0.02, abs=1e-6)
    # Two bits a dimension leave at most 0.12 of a normal variable's variance (Max 1960).
    assert error <= 0.16 * rows.var(axis=0).sum() + 1e-6
    used = [slot for slot in coded.coder.slots.ravel().tolist() if slot >= 0]
    assert len(used) == len(set(used))
    in_bytes = centres_of(coded)[coded.cells.numbers] + coded.in_bytes * coded.coder.grain
    np.testing.assert_allclose(in_bytes, rows, atol=coded.coder.grain * 0.51)


@pytest.mark.parametrize("make", [flat, steep])
def test_a_code_says_how_much_it_leaves_of_its_row_and_never_too_little(make):
    random = np.random.default_rng(6)
    rows = make(random, 700, 50)
    rows[::100] = flat(random, 7, 50)  # far from all others
    order, coded = encode_rows(rows)
    left = np.linalg.norm(rows[order] - values_of(coded, len(rows)), axis=1) / np.sqrt(
        coded.coder.residual.sum()
    )
    blocks, places = np.divmod(coded.cells.places(np.arange(len(rows))), BLOCK)
    levels = coded.codes[blocks, -1, 2 * (places % 32) + places // 32] >> 4
    said = coded.coder.spreads[levels]
    assert (np.diff(coded.coder.spreads) > 0).all()
    assert (said >= left * (1 - 1e-4)).all()
    # One level up at most, where it is not the lowest.
    assert (
        said[levels > 0] <= left[levels > 0] * coded.coder.spreads[1] / coded.coder.spreads[0] * 1.001
    ).all()


def test_a_file_of_codes_is_read_as_it_was_written(tmp_path):
    rows = steep(np.random.default_rng(2), 333, 48)
    _, coded = encode_rows(rows)
    (tmp_path / "codes").write_bytes(b"".join(code_parts(coded)))
    read = map_codes(tmp_path / "codes", 48)
    for name in ("mean", "rotation", "levels", "deviation", "residual", "spreads", "slots"):
        np.testing.assert_array_equal(getattr(read.coder, name), getattr(coded.coder, name))
    assert read.coder.width == pytest.approx(coded.coder.width, rel=1e-6)
    assert read.coder.grain == pytest.approx(coded.coder.grain, rel=1e-6)
    for name in ("starts", "offsets"):
        np.testing.assert_array_equal(getattr(read.cells, name), getattr(coded.cells, name))
    for name in ("centres", "scatter", "shares"):
        np.testing.assert_array_equal(getattr(read.reach, name), getattr(coded.reach, name))
    assert read.reach.width == pytest.approx(coded.reach.width, rel=1e-6)
    np.testing.assert_array_equal(read.codes, coded.codes)
    np.testing.assert_array_equal(read.in_bytes, coded.in_bytes)


@needs_kernel
@pytest.mark.parametrize("make", [flat, steep])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 5000])
@pytest.mark.parametrize("dim", [7, 128])
def test_all_lanes_find_the_same(make, count, dim):
    random = np.random.default_rng(3)
    rows = make(random, count, dim)
    rows, scan = scan_of(rows)
    excluded = scan.excluding(np.flatnonzero(random.random(count) < 0.3))
    for query in flat(random, 3, dim):
        for mask in (None, excluded):
            found = [scan.search(query, 10, excluded=mask, lanes=lanes) for lanes in Lanes]
            for other in found[1:]:
                np.testing.assert_array_equal(found[0].numbers, other.numbers)
                np.testing.assert_allclose(found[0].scores, other.scores, atol=1e-6)


@needs_kernel
@pytest.mark.parametrize("make", [flat, steep])
def test_recall_against_exact_search_from_the_same_and_from_another_region(make):
    random = np.random.default_rng(4)
    rows, others = make(random, 20000, 64), make(random, 200, 64)
    rows, scan = scan_of(rows)
    for queries in (unit(rows[:200] + 0.05 * random.normal(size=(200, 64))), others):
        hits = 0
        scored = []
        for query in queries:
            exact = rows.astype(np.float64) @ query
            best = np.argsort(-exact, kind="stable")[:10]
            found = scan.search(query, 10)
            np.testing.assert_allclose(found.scores, exact[found.numbers], atol=1e-6)
            assert (np.diff(found.scores) <= 0).all()
            hits += len(set(best.tolist()) & set(found.numbers.tolist()))
            scored.append(found.scored)
        assert hits / 2000 >= 0.995, hits / 2000
        assert np.median(scored) < 500  # of 20,000


@needs_kernel
def test_queries_in_one_call_are_answered_as_one_by_one():
    random = np.random.default_rng(7)
    rows, queries = steep(random, 3000, 48), flat(random, 17, 48)
    rows, scan = scan_of(rows)
    excluded = scan.excluding(np.flatnonzero(random.random(3000) < 0.5))
    for mask in (None, excluded):
        together = scan.search_all(queries, 7, excluded=mask)
        assert len(together) == 17
        for query, answer in zip(queries, together, strict=True):
            alone = scan.search(query, 7, excluded=mask)
            assert answer.numbers.tolist() == alone.numbers.tolist()
            np.testing.assert_array_equal(answer.scores, alone.scores)


@needs_kernel
def test_a_width_without_end_is_exact_search():
    random = np.random.default_rng(5)
    rows = flat(random, 3000, 16)
    rows, scan = scan_of(rows)
    for query in flat(random, 20, 16):
        found = scan.search(query, 50, width=1e6)
        assert found.numbers.tolist() == np.argsort(-(rows @ query), kind="stable")[:50].tolist()


@needs_kernel
def test_a_thorough_search_finds_the_one_row_that_lies_apart_in_a_direction_of_its_own():
    random = np.random.default_rng(8)
    rows = steep(random, 6000, 64)
    # No row scatters much along the query, and one more than all others.
    query = np.linalg.svd(rows - rows.mean(axis=0))[2][-1].astype(np.float32)
    others = np.sort(rows @ query)
    for odd in (17, 3000, 5999):
        changed = rows.copy()
        changed[odd] = unit((changed[odd] + 8 * (others[-1] - others[0]) * query)[np.newaxis])[0]
        order, coded = encode_rows(changed)
        changed = changed[order]
        found = CodeScan(coded, changed, np.arange(len(rows))).search(query, 10, thorough=True)
        assert order[found.numbers[0]] == odd
        best = np.argsort(-(changed.astype(np.float64) @ query))[:10]
        assert len(set(best.tolist()) & set(found.numbers.tolist())) >= 9


@needs_kernel
@pytest.mark.parametrize("make", [flat, steep])
@pytest.mark.parametrize("dim", [7, 128])
@pytest.mark.parametrize("lanes", Lanes)
def test_every_row_scored_by_its_bytes_is_within_the_error_stated(make, dim, lanes):
    random = np.random.default_rng(8)
    rows, scan = scan_of(make(random, 5000, dim))
    for query in make(random, 10, dim):
        scores = np.full(5000, np.nan, np.float32)
        error = scan.score_all(query, scores, lanes=lanes)
        exact = rows.astype(np.float64) @ query
        assert np.abs(scores - exact).max() <= error < 0.06
        # Tight enough to be of use: a small part of how scores differ.
        assert error < 0.3 * exact.std()


@needs_kernel
def test_of_a_study_with_several_rows_the_best_is_left_and_no_better_score_is_lost():
    random = np.random.default_rng(9)
    order, coded = encode_rows(rows := steep(random, 900, 32))
    rows, studies = rows[order], np.arange(900) % 300
    scan, query = CodeScan(coded, rows, studies), rows[0]
    scores = np.full(310, np.nan, np.float32)
    scores[5] = 7.0
    error = scan.score_all(query, scores)
    best = (rows @ query).reshape(3, 300).max(axis=0)
    assert scores[5] == 7.0
    others = np.arange(300) != 5
    assert np.abs(scores[:300] - best)[others].max() <= error
    assert np.isnan(scores[300:]).all()
    with pytest.raises(ValueError, match="beyond"):
        scan.score_all(query, np.zeros(299, np.float32))
    with pytest.raises(TypeError, match="float32"):
        scan.score_all(query, np.zeros(310))
