"""A bank of region sentences: every finding of every region, in every step.

A batch of sixty studies shows a given finding in a given region once or twice. With a sentence for each
known (region, finding) beside it, every abnormal region is contrasted with all it could have been: other
findings there, the mirrored side, nothing. Of nothing there are several: in an archive most reports say
it, each in its own words, and one of them that reads like a finding is the best hit of every query.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_retrieve.train.datasets.corpus import Corpus

_NORMALS = 4


@dataclass(frozen=True)
class BankEntry:
    """One sentence of the corpus.

    Parameters
    ----------
    study : int
        Row of the corpus whose report it stands in.
    region : int
        Position of the region it is about.
    text : str
    """

    study: int
    region: int
    text: str


class TextBank:
    """Region sentences of a corpus by (region, finding); regions with several findings are left out.

    Parameters
    ----------
    corpus : Corpus
    """

    def __init__(self, corpus: Corpus) -> None:
        groups: dict[tuple[int, int], list[BankEntry]] = {}
        for study, texts in enumerate(corpus.region_texts):
            for entry in texts:
                found = np.flatnonzero(corpus.labels[study, entry.region])
                if len(found) <= 1:
                    key = (entry.region, int(found[0]) if len(found) else -1)
                    groups.setdefault(key, []).append(BankEntry(study, entry.region, entry.text))
        self._groups = [
            groups[region, finding]
            for region, finding in sorted(groups)
            for _ in range(_NORMALS if finding < 0 else 1)
        ]

    def __len__(self) -> int:
        return len(self._groups)

    def sample(self, generator: np.random.Generator) -> list[BankEntry]:
        """Draw a sentence for every (region, finding) the corpus knows, and four normal ones per region."""
        return [group[int(generator.integers(len(group)))] for group in self._groups]
