"""Grounding figures as the JSON that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, intervals
from edge_retrieve.train.evaluate.grounding import GROUNDING_METRICS, THRESHOLDS, PhraseScores, Versus


def grounding_json(archives: Sequence[PhraseScores], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return the means over archives, against masks, then against boxes and for the region box alone.

    Parameters
    ----------
    archives : sequence of PhraseScores
    resamples : int
        0 leaves the intervals out.
    """
    report: dict[str, Any] = {"phrases": sum(len(archive) for archive in archives)}
    for versus in Versus:
        if all(np.isnan(archive.mean(versus)).all() for archive in archives):
            continue  # not measured: annotated boxes are no masks
        figures = _figures(archives, versus, resamples)
        if versus is Versus.MASK:
            report |= figures
        else:
            report[versus.value] = figures
    return report


def _figures(archives: Sequence[PhraseScores], versus: Versus, resamples: int) -> dict[str, Any]:
    means = np.mean([archive.mean(versus) for archive in archives], axis=0)
    by_name = dict(zip(GROUNDING_METRICS, map(float, means), strict=True))
    figures: dict[str, Any] = {name: by_name[name] for name in ("cnr", "cnr_signed", "miou", "pointing")}
    figures["iou_at"] = {f"{level}": by_name[f"iou_at_{level}"] for level in THRESHOLDS}
    if resamples:
        draws = np.mean([archive.resampled(versus, resamples) for archive in archives], axis=0)
        figures["intervals"] = {
            name: each.to_json() for name, each in zip(GROUNDING_METRICS, intervals(draws), strict=True)
        }
    return figures
