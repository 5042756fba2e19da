"""Retrieval metrics against naive loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_retrieve.train.metrics import average_precision, ndcg_at, precision_at

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
        assert precision_at(RANKED, k)[n] == pytest.approx(sum(row[:k]) / len(row[:k]))
        assert average_precision(RANKED)[n] == pytest.approx(naive_average_precision(row))
        assert ndcg_at(RANKED, k)[n] == pytest.approx(naive_ndcg(row, k))
