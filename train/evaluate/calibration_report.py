"""Whether probabilities hold on phantoms that they were not fitted on, and what abstaining buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, ScoreCalibration
from edge_retrieve.runtime.calibration import QueryKind, calibrate
from edge_retrieve.train.evaluate.asked import KINDS, FoundHits, divided
from edge_retrieve.train.evaluate.bootstrap import RESAMPLES
from edge_retrieve.train.evaluate.calibration import Progress, asked_of_all
from edge_retrieve.train.evaluate.encoded import EncodedArchive
from edge_retrieve.train.evaluate.ranking import Form
from edge_retrieve.train.evaluate.reliability import measure_reliability, risk_coverage

# Whole archives and eighths of them: the second is no size that the curves are fitted on.
PARTS = (1, 8)
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_CURVE_POINTS = 50

# Other queries than those that a curve is fitted on, should anybody fit and test on one archive.
_SEED = 7


def calibration_rows(
    calibration: ScoreCalibration,
    fusion: Fusion | None,
    archives: Sequence[EncodedArchive],
    *,
    abstain_below: float,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return one row of figures for each kind of query and size of archive.

    Parameters
    ----------
    calibration : ScoreCalibration
    fusion : Fusion, optional
        The bundle's.
    archives : sequence of EncodedArchive
        One for each seed, of about the same size.
    abstain_below : float
        A probability: queries whose best hit is less sure are not answered.
    resamples : int
        Of the patients.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.
    """
    sizes = [[part for archive in archives for part in divided(archive, parts, _SEED)] for parts in PARTS]
    rows = []
    for done, kind in enumerate(KINDS):
        if progress:
            progress("measure the curves", done, len(KINDS))
        for members in sizes:
            studies = round(np.mean([len(archive) for archive in members]))
            mixed, natural = (
                asked_of_all(members, kind, fusion, seed=_SEED, unanswerable=share)
                for share in (calibration.unanswerable, 0.0)
            )
            sure = calibrate(calibration, kind, studies, mixed.scores)
            plain = calibrate(calibration, kind, studies, natural.scores)
            if sure is None or plain is None:
                continue
            error = measure_reliability(plain, natural.right, natural.patients, resamples=1).error
            rows.append(
                {
                    **_row(kind, studies, mixed, sure, abstain_below, resamples),
                    "ece_none_taken_out": error,
                }
            )
    if progress:
        progress("measure the curves", len(KINDS), len(KINDS))
    return rows


def _row(
    kind: QueryKind,
    studies: int,
    found: FoundHits,
    sure: npt.NDArray[np.float32],
    abstain_below: float,
    resamples: int,
) -> dict[str, Any]:
    asked = ~np.isnan(sure).all(axis=1)
    sure, right, answerable = sure[asked], found.right[asked], found.answerable[asked]
    reliability = measure_reliability(sure, right, found.patients[asked], resamples=resamples)
    best = sure[:, 0].astype(np.float64)
    curve = risk_coverage(best, ~right[:, 0])
    answered = best >= abstain_below
    shown = np.unique(np.linspace(0, len(best) - 1, _CURVE_POINTS).astype(int))
    return {
        "asked": kind.asked.value,
        "searched": kind.searched.value,
        "form": (Form.CONDITIONED if kind.conditioned else Form.UNCONDITIONED).value,
        "studies": studies,
        "queries": len(best),
        "ece": reliability.error,
        "ece_interval": reliability.interval.to_json(),
        "brier": reliability.brier,
        "risk_at": {f"{coverage:.1f}": curve.at(coverage) for coverage in COVERAGES},
        "aurc": curve.area,
        "answered": _share(answered),
        "answered_risk": _share(~right[answered, 0]),
        "answered_of_answerable": _share(answered[answerable]),
        "answered_of_unanswerable": _share(answered[~answerable]),
        "bins": [
            {"share": float(share), "probability": float(mean), "right": float(true)}
            for share, mean, true in zip(
                reliability.counts, reliability.probabilities, reliability.right, strict=True
            )
            if share > 0
        ],
        "risk_coverage": [[float(curve.coverage[n]), float(curve.risk[n])] for n in shown],
    }


def _share(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
