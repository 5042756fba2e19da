"""Rows behind the files: in place, and never changed under a reader."""

import numpy as np
import pytest

from edge_retrieve.runtime.index.tail import Tail
from edge_retrieve.runtime.store import Vectors

DIM = 8


def some(first, count):
    numbers = np.arange(first, first + count, dtype=np.int64)
    return Vectors(numbers, numbers * 10, np.repeat(numbers[:, None], DIM, 1).astype(np.float32))


def same(found, count):
    wanted = some(0, count)
    for name in ("owners", "studies", "rows"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


@pytest.mark.parametrize("step", [1, 7, 64, 500])
def test_rows_are_there_in_the_order_they_came(step):
    tail = Tail(DIM)
    for first in range(0, 2000, step):
        tail.append(some(first, step))
        assert tail.ends_with(tail.vectors)
    same(tail.vectors, len(range(0, 2000, step)) * step)


def test_who_has_rows_keeps_them_as_they_were():
    tail, held = Tail(DIM), []
    for first in range(300):
        tail.append(some(first, 1))
        held.append(tail.vectors)
    for count, vectors in enumerate(held, 1):
        same(vectors, count)
    assert not any(tail.ends_with(vectors) for vectors in held[:-1])
    assert not tail.ends_with(some(0, 300))


def test_a_row_more_copies_none_of_the_others_until_a_graph_has_many():
    tail, places = Tail(DIM), set()
    for first in range(2048):
        tail.append(some(first, 1))
        places.add(tail.vectors.rows.ctypes.data)
    assert len(places) == 2  # of 1,024 and of 2,048 rows
