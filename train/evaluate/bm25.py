"""BM25: keyword search over texts, the baseline of every text retrieval."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

K1 = 1.2
B = 0.75

_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> list[str]:
    """Return the lower-case words and numbers of a text."""
    return _WORD.findall(text.lower())


class Bm25:
    """Okapi BM25 (Robertson and Zaragoza 2009) with ``idf = ln(1 + (N - n + 0.5) / (n + 0.5))``.

    The form of the idf is Lucene's, which is never negative.

    Parameters
    ----------
    texts : sequence of str
        The documents; an empty one matches nothing.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words_of(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        filled = lengths > 0
        self._documents = len(texts)
        mean = float(lengths[filled].mean()) if filled.any() else 1.0
        norms = K1 * (1.0 - B + B * lengths / mean)
        postings: dict[str, list[tuple[int, float]]] = {}
        for row, count in enumerate(counts):
            for word, times in count.items():
                weight = times * (K1 + 1.0) / (times + norms[row])
                postings.setdefault(word, []).append((row, float(weight)))
        # Documents without a word are no part of the collection: a region nobody wrote about.
        total = int(filled.sum())
        self._postings = {
            word: (
                np.array([row for row, _ in rows], dtype=np.int64),
                np.array([weight for _, weight in rows])
                * float(np.log(1.0 + (total - len(rows) + 0.5) / (len(rows) + 0.5))),
            )
            for word, rows in postings.items()
        }

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Return the score of every document, shape [N]; a word asked twice counts twice."""
        scores = np.zeros(self._documents)
        for word, times in Counter(words_of(query)).items():
            if word in self._postings:
                rows, weights = self._postings[word]
                scores[rows] += times * weights
        return scores.astype(np.float32)
