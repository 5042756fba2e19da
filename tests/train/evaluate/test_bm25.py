"""BM25 against its formula, term by term."""

from __future__ import annotations

import math
import re

import pytest

from edge_retrieve.train.evaluate.bm25 import K1, B, Bm25

TEXTS = [
    "Nodule in the right upper lung zone.",
    "",
    "The right upper lung zone is clear; no nodule, no nodule at all.",
    "Large left pleural effusion.",
    "RIGHT upper-zone mass",
]
QUERIES = ["right upper nodule", "nodule nodule", "effusion", "pneumothorax", ""]


def naive(query: str, document: str) -> float:
    words = [re.findall(r"[a-z0-9]+", text.lower()) for text in TEXTS]
    filled = [row for row in words if row]
    mean = sum(map(len, filled)) / len(filled)
    own = re.findall(r"[a-z0-9]+", document.lower())
    total = 0.0
    for term in re.findall(r"[a-z0-9]+", query.lower()):
        holding = sum(term in row for row in filled)
        if not own or term not in own:
            continue
        idf = math.log(1 + (len(filled) - holding + 0.5) / (holding + 0.5))
        times = own.count(term)
        total += idf * times * (K1 + 1) / (times + K1 * (1 - B + B * len(own) / mean))
    return total


@pytest.mark.parametrize("query", QUERIES)
def test_scores_equal_the_formula(query: str) -> None:
    expected = [naive(query, text) for text in TEXTS]
    assert Bm25(TEXTS).scores(query) == pytest.approx(expected, rel=1e-6)


def test_documents_without_a_word_match_nothing() -> None:
    assert not Bm25(["", "..."]).scores("nodule").any()
