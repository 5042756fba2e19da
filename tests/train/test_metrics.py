"""Retrieval metrics against naive loops."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from edge_retrieve.train.metrics import (
    METRICS,
    average_precision,
    chance_metrics,
    hit_at,
    ndcg_at,
    precision_at,
    ranking_metrics,
    recall_at,
)

RANKED = np.random.default_rng(2).random((30, 25)) < 0.3
RANKED[3] = False
RANKED[4] = True


def naive_average_precision(row: np.ndarray) -> float:
    found, total = 0, 0.0
    for rank, relevant in enumerate(row, start=1):
        if relevant:
            found += 1
            total += found / rank
    return total / found if found else 0.0


def naive_ndcg(row: np.ndarray, k: int) -> float:
    gain = sum(1 / math.log2(rank + 1) for rank, relevant in enumerate(row[:k], start=1) if relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, int(row.sum())) + 1))
    return gain / best if best else 0.0


@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_against_naive_loops(k: int) -> None:
    for n, row in enumerate(RANKED):
        assert precision_at(RANKED, k)[n] == pytest.approx(sum(row[:k]) / k)
        assert recall_at(RANKED, k)[n] == pytest.approx(sum(row[:k]) / max(sum(row), 1))
        assert hit_at(RANKED, k)[n] == float(any(row[:k]))
        assert average_precision(RANKED)[n] == pytest.approx(naive_average_precision(row))
        assert ndcg_at(RANKED, k)[n] == pytest.approx(naive_ndcg(row, k))


def test_all_metrics_stand_in_the_order_of_their_names() -> None:
    table = ranking_metrics(RANKED)
    assert table.shape == (len(RANKED), len(METRICS))
    functions = {"p": precision_at, "r": recall_at, "hit": hit_at, "ndcg": ndcg_at}
    for name, column in zip(METRICS, table.T, strict=True):
        kind, _, cutoff = name.partition("_at_")
        expected = average_precision(RANKED) if kind == "map" else functions[kind](RANKED, int(cutoff))
        np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize(("relevant", "candidates"), [(0, 4), (1, 1), (1, 5), (2, 6), (3, 3), (3, 7)])
def test_chance_is_the_mean_over_every_order(relevant: int, candidates: int) -> None:
    marks = [True] * relevant + [False] * (candidates - relevant)
    orders = np.array(sorted(set(permutations(marks))))
    expected = ranking_metrics(orders).mean(axis=0)
    found = chance_metrics(np.array([relevant]), np.array([candidates]))
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_chance_with_many_candidates_equals_a_simulation() -> None:
    generator = np.random.default_rng(5)
    orders = generator.permuted(np.tile(np.arange(60) < 9, (20_000, 1)), axis=1)
    found = chance_metrics(np.array([9]), np.array([60]))[0]
    np.testing.assert_allclose(found, ranking_metrics(orders).mean(axis=0), atol=0.006)
