"""What drafts of preliminary reports are worth, over several archives: figures, intervals, differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.explain.evidence import STATED_FROM
from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, bootstrap_means, intervals
from edge_retrieve.train.evaluate.drafts import TEMPLATE, DraftedArchive
from edge_retrieve.train.evaluate.reliability import measure_reliability, risk_coverage

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_LIKELY = 0.1  # votes from here on are looked at apart: most others are plainly nothing
_COUNTED = ("finding_region", "finding")

Floats = npt.NDArray[np.float64]


def drafts_json(archives: Sequence[DraftedArchive], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return by writer: F1, precision, recall, and of the template what its sentences rest on.

    Figures are the means over archives; intervals come from resampling each one's patients.

    Parameters
    ----------
    archives : sequence of DraftedArchive
        At least one.
    resamples : int
    """
    writers = list(archives[0].stated)
    report: dict[str, Any] = {}
    drawn: dict[str, Floats] = {}
    for writer in writers:
        tables = [_counts(archive, writer) for archive in archives]
        means = np.mean([_rates(table.mean(axis=0)) for table in tables], axis=0)
        draws = [
            _rates(bootstrap_means(table, archive.patients, resamples=resamples))
            for table, archive in zip(tables, archives, strict=True)
        ]
        drawn[writer] = np.asarray(np.mean(draws, axis=0))
        spread = intervals(drawn[writer])
        figures: dict[str, Any] = {}
        for n, name in enumerate(_names()):
            figures[name], figures[f"{name}_interval"] = float(means[n]), spread[n].to_json()
        report[writer] = figures
    report[TEMPLATE] |= _grounds(archives)
    for writer in writers:
        if writer != TEMPLATE:
            gap = intervals(drawn[TEMPLATE] - drawn[writer])
            report[writer]["template_minus"] = {
                name: {
                    "difference": report[TEMPLATE][name] - report[writer][name],
                    "interval": each.to_json(),
                }
                for name, each in zip(_names(), gap, strict=True)
                if name.endswith("f1")
            }
    return report


def votes_json(archives: Sequence[DraftedArchive], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return how far the probabilities of votes hold: all of them, and those that are not plainly nothing.

    Each vote counts the same.
    """
    report: dict[str, Any] = {}
    for name, least in (("all", 0.0), ("likely", _LIKELY)):
        sure, right, patients, shift = [], [], [], 0
        for archive in archives:
            counted = np.nan_to_num(archive.votes, nan=-1.0) >= least
            study, _, _ = np.nonzero(counted)
            sure.append(archive.votes[counted])
            right.append(archive.truth[counted])
            patients.append(archive.patients[study] + shift)
            shift += int(archive.patients.max(initial=0)) + 1
        measured = measure_reliability(
            np.concatenate(sure)[:, None],
            np.concatenate(right)[:, None],
            np.concatenate(patients).astype(np.int64),
            resamples=resamples,
        )
        report[name] = {
            "votes": sum(map(len, sure)),
            "ece": measured.error,
            "ece_interval": measured.interval.to_json(),
            "brier": measured.brier,
        }
    return report


def risk_json(archives: Sequence[DraftedArchive]) -> dict[str, Any]:
    """Return what abstaining buys, place by place: the share of wrong answers at each coverage.

    The answer of a place is its leading finding, or none where no vote counts as present; the confidence is
    that of the vote, or of there being none. It is wrong where the finding is not there, or something is.
    """
    confidence, wrong = [], []
    for archive in archives:
        best = np.max(np.nan_to_num(archive.votes, nan=0.0), axis=2)
        lead = np.argmax(np.nan_to_num(archive.votes, nan=0.0), axis=2)
        states = best >= STATED_FROM
        there = np.take_along_axis(archive.truth, lead[..., None], axis=2)[..., 0]
        missed = ~states & archive.truth.any(axis=2)
        confidence.append(np.where(states, best, 1.0 - best)[archive.asked])
        wrong.append(np.where(states, ~there, missed)[archive.asked])
    curve = risk_coverage(np.concatenate(confidence), np.concatenate(wrong))
    return {
        "places": len(curve.risk),
        "risk_at": {f"{coverage:.1f}": curve.at(coverage) for coverage in COVERAGES},
        "aurc": curve.area,
    }


def _names() -> list[str]:
    return [f"{counted}_{name}" for counted in _COUNTED for name in ("f1", "precision", "recall")]


def _counts(archive: DraftedArchive, writer: str) -> Floats:
    """Return true positives, stated and true of each study, of pairs and then of findings, shape [N, 6]."""
    asked = archive.asked[..., None]
    stated, truth = archive.stated[writer] & asked, archive.truth & asked
    columns: list[npt.NDArray[np.int64]] = []
    for said, there in ((stated, truth), (stated.any(axis=1), truth.any(axis=1))):
        axes = tuple(range(1, said.ndim))
        columns += [(said & there).sum(axis=axes), said.sum(axis=axes), there.sum(axis=axes)]
    return np.stack(columns, axis=1).astype(np.float64)


def _rates(counts: Floats) -> Floats:
    """Return F1, precision and recall of pairs and of findings, shape [..., 6], of mean counts."""
    parts = []
    for first in (0, 3):
        hits, said, there = (counts[..., first + n] for n in range(3))
        parts += [
            2 * hits / np.maximum(said + there, 1e-12),
            hits / np.maximum(said, 1e-12),
            hits / np.maximum(there, 1e-12),
        ]
    return np.stack(parts, axis=-1)


def _grounds(archives: Sequence[DraftedArchive]) -> dict[str, Any]:
    sentences, unsupported, citations, correct = np.sum(
        [archive.grounds.sum(axis=0) for archive in archives], axis=0
    ).tolist()
    return {
        "sentences": sentences,
        "unsupported": unsupported / sentences if sentences else 0.0,
        "citations": citations,
        "citations_correct": correct / citations if citations else None,
    }
