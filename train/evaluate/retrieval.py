"""Retrieval figures of encoded archives: with and without conditioning, against baselines, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Laterality
from edge_retrieve.runtime.bundle import Fusion
from edge_retrieve.train.evaluate.baselines import Baseline, baseline_outcomes
from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, bootstrap_means, intervals
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive
from edge_retrieve.train.evaluate.ranking import Criterion, Direction, Form, Outcomes, model_outcomes
from edge_retrieve.train.metrics import METRICS

_Floats = npt.NDArray[np.float64]
Figures = dict[str, float]


@dataclass(frozen=True)
class RetrievalResult:
    """Outcomes of one archive, query by query.

    Parameters
    ----------
    patients : int64 array of shape [Q]
        Of the queries.
    ours : mapping of (Direction, Form) to Outcomes
        Conditioned ones only where some query names a region.
    baselines : mapping of (Baseline, Direction, Form) to Outcomes
    swapped : float64 array of shape [Q]
        1 where the first hit of a conditioned image-to-image query has the finding on the other side only, 0
        where not, NaN for regions without a twin.
    """

    patients: npt.NDArray[np.int64]
    ours: Mapping[tuple[Direction, Form], Outcomes]
    baselines: Mapping[tuple[Baseline, Direction, Form], Outcomes]
    swapped: _Floats


def evaluate_archive(
    archive: EncodedArchive, *, baselines: bool = True, fusion: Fusion | None = None
) -> RetrievalResult:
    """Rank every query of an archive in every direction and form, by the model and by baselines.

    Parameters
    ----------
    archive : EncodedArchive
    baselines : bool
    fusion : Fusion, optional
        The bundle's: what images and texts count where both ask.
    """
    placed = bool((archive.queries[:, 1] != WHOLE).any())
    forms = tuple(Form) if placed else (Form.UNCONDITIONED,)
    pairs = [(direction, form) for direction in Direction for form in forms]
    ours = {pair: model_outcomes(archive, *pair, fusion) for pair in pairs}
    compared = {}
    for baseline in Baseline if baselines else ():
        for direction, form in pairs:
            outcomes = baseline_outcomes(archive, baseline, direction, form)
            if outcomes is not None:
                compared[baseline, direction, form] = outcomes
    first = ours[Direction.IMAGE_TO_IMAGE, forms[0]].first
    return RetrievalResult(
        patients=archive.patients[archive.queries[:, 0]],
        ours=ours,
        baselines=compared,
        swapped=_swapped(archive, first) if placed else np.full(len(first), np.nan),
    )


def _swapped(archive: EncodedArchive, first: npt.NDArray[np.int64]) -> _Floats:
    swapped = np.full(len(first), np.nan)
    for row, (hit, (_, region, finding)) in enumerate(zip(first, archive.queries, strict=True)):
        if hit >= 0 and region != WHOLE and REGIONS[region].laterality is not Laterality.MIDLINE:
            twin = REGIONS[region].mirrored.position
            swapped[row] = archive.truth[hit, twin, finding] and not archive.truth[hit, region, finding]
    return swapped


class Summary:
    """Figures of several archives: means of their means, intervals from resampling each one's patients.

    Parameters
    ----------
    results : sequence of RetrievalResult
        One per archive (seed).
    resamples : int
    """

    def __init__(self, results: Sequence[RetrievalResult], resamples: int = RESAMPLES) -> None:
        self._results, self._resamples = results, resamples
        self.pairs = tuple(results[0].ours)

    def figures(self, direction: Direction, form: Form, criterion: Criterion = Criterion.JOINT) -> Figures:
        """Return our means by name of metric."""
        return _named(_mean_of([result.ours[direction, form].of(criterion) for result in self._results]))

    def intervals(self, direction: Direction, form: Form) -> dict[str, list[float]]:
        """Return the interval of each of our joint figures."""
        return _intervals(self._draws([result.ours[direction, form] for result in self._results]))

    def gain(self, direction: Direction) -> dict[str, Any]:
        """Return by metric what conditioning adds: difference, its interval, ratio."""
        with_region = [result.ours[direction, Form.CONDITIONED] for result in self._results]
        without = [result.ours[direction, Form.UNCONDITIONED] for result in self._results]
        return self.difference(with_region, without)

    def baseline_rows(self) -> list[dict[str, Any]]:
        """Return one row per baseline, direction and form: its figures and ours minus them."""
        rows = []
        for baseline, direction, form in self._results[0].baselines:
            theirs = [result.baselines[baseline, direction, form] for result in self._results]
            ours = [result.ours[direction, form] for result in self._results]
            rows.append(
                {
                    "baseline": baseline.value,
                    "direction": direction.value,
                    "form": form.value,
                    **_named(_mean_of([each.of(Criterion.JOINT) for each in theirs])),
                    "ours_minus": self.difference(ours, theirs),
                }
            )
        return rows

    def laterality_swap(self) -> tuple[float, list[float]]:
        """Return the share of swapped sides and its interval; NaN where no query has a side."""
        columns = [result.swapped[:, None] for result in self._results]
        draws = [
            self._resample(column, result) for column, result in zip(columns, self._results, strict=True)
        ]
        return float(_mean_of(columns)[0]), intervals(np.mean(draws, axis=0))[0].to_json()

    def difference(self, ours: Sequence[Outcomes], theirs: Sequence[Outcomes]) -> dict[str, Any]:
        """Compare on the queries that both answer, on the same draws."""
        pairs = [
            (first.of(Criterion.JOINT), second.of(Criterion.JOINT))
            for first, second in zip(ours, theirs, strict=True)
        ]
        differences = [first - second for first, second in pairs]
        draws = [
            self._resample(each, result) for each, result in zip(differences, self._results, strict=True)
        ]
        shared = [
            np.where(np.isnan(each), np.nan, first)
            for each, (first, _) in zip(differences, pairs, strict=True)
        ]
        means, spread = _mean_of(differences), intervals(np.mean(draws, axis=0))
        mine = _mean_of(shared)
        return {
            name: {
                "difference": float(means[n]),
                "interval": spread[n].to_json(),
                "ratio": float(mine[n] / (mine[n] - means[n])) if mine[n] != means[n] else None,
            }
            for n, name in enumerate(METRICS)
        }

    def _draws(self, outcomes: Sequence[Outcomes]) -> _Floats:
        tables = [each.of(Criterion.JOINT) for each in outcomes]
        draws = [self._resample(table, result) for table, result in zip(tables, self._results, strict=True)]
        return np.asarray(np.mean(draws, axis=0))

    def _resample(self, table: _Floats, result: RetrievalResult) -> _Floats:
        return bootstrap_means(table, result.patients, resamples=self._resamples)


def _mean_of(tables: Sequence[_Floats]) -> _Floats:
    """Return the mean over archives of the means over queries; NaN where no query applies."""
    means = []
    for table in tables:
        held = ~np.isnan(table)
        count = held.sum(axis=0)
        total = np.where(held, table, 0.0).sum(axis=0)
        means.append(np.divide(total, count, out=np.full(table.shape[1], np.nan), where=count > 0))
    return np.asarray(np.mean(means, axis=0))


def _named(values: _Floats) -> Figures:
    return dict(zip(METRICS, map(float, values), strict=True))


def _intervals(draws: _Floats) -> dict[str, list[float]]:
    return {name: each.to_json() for name, each in zip(METRICS, intervals(draws), strict=True)}
