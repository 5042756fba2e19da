"""Retrieval figures as the JSON that other tools read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edge_retrieve.train.evaluate.bootstrap import RESAMPLES
from edge_retrieve.train.evaluate.ranking import Criterion, Direction, Form
from edge_retrieve.train.evaluate.retrieval import RetrievalResult, Summary


def retrieval_json(results: Sequence[RetrievalResult], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return the part of a report that retrieval fills; the keys are those of ``eval phantom --json``."""
    summary = Summary(results, resamples)
    conditioned = [direction for direction, form in summary.pairs if form is Form.CONDITIONED]
    swap, swap_interval = summary.laterality_swap()
    return {
        "queries": sum(len(result.patients) for result in results),
        "retrieval": _by_direction(summary, summary.figures),
        "laterality_swap": swap,
        "laterality_swap_interval": swap_interval,
        "intervals": _by_direction(summary, summary.intervals),
        "gain": {direction.value: summary.gain(direction) for direction in conditioned},
        "other_relevance": [
            {
                "relevant": criterion.value,
                "direction": direction.value,
                "form": form.value,
                **summary.figures(direction, form, criterion),
            }
            for criterion in Criterion
            if criterion is not Criterion.JOINT
            for direction, form in summary.pairs
        ],
        "baselines": summary.baseline_rows(),
    }


def _by_direction(summary: Summary, make: Callable[[Direction, Form], Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for direction, form in summary.pairs:
        nested.setdefault(direction.value, {})[form.value] = make(direction, form)
    return nested
