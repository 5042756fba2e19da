"""How well report text is read: findings, and findings in their regions, against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Counts:
    """What was stated and true, stated only, and true only."""

    agreed: int
    stated_only: int
    true_only: int

    @classmethod
    def of(cls, truth: npt.NDArray[np.bool_], stated: npt.NDArray[np.bool_]) -> Counts:
        """Count two arrays of one shape."""
        return cls(int((truth & stated).sum()), int((stated & ~truth).sum()), int((truth & ~stated).sum()))


@dataclass(frozen=True)
class TextCounts:
    """Counts of findings by study and of findings by study and region."""

    finding: Counts
    finding_region: Counts

    @classmethod
    def of(cls, truth: npt.NDArray[np.bool_], stated: npt.NDArray[np.bool_]) -> TextCounts:
        """Compare findings true with findings stated, both bool arrays of shape [N, 29, L]."""
        anywhere = [np.asarray(each.any(axis=1)) for each in (truth, stated)]
        return cls(Counts.of(*anywhere), Counts.of(truth, stated))


def text_json(archives: Sequence[TextCounts]) -> dict[str, Any]:
    """Return micro-averaged precision, recall and F1 over all archives."""
    return {
        "finding": _scores([each.finding for each in archives]),
        "finding_region": _scores([each.finding_region for each in archives]),
    }


def _scores(counts: Sequence[Counts]) -> dict[str, float]:
    agreed = sum(each.agreed for each in counts)
    stated = agreed + sum(each.stated_only for each in counts)
    true = agreed + sum(each.true_only for each in counts)
    return {
        "precision": agreed / stated if stated else float("nan"),
        "recall": agreed / true if true else float("nan"),
        "f1": 2 * agreed / (stated + true) if stated + true else float("nan"),
    }
