"""Two ways of weighing images and texts, ranked against each other on the same queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, Sides
from edge_retrieve.runtime.calibration import QueryKind
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.evaluate.asked import score_all
from edge_retrieve.train.evaluate.bootstrap import RESAMPLES, Interval, bootstrap_means, intervals
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive
from edge_retrieve.train.metrics import METRICS, ranking_metrics

CHECKED = "p_at_5"

_AT_ONCE = 256

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class WeightsCompared:
    """One kind of query, ranked with two sets of weights over images and reports.

    Parameters
    ----------
    asked : Sides
    conditioned : bool
    before, after : float
        Mean of `CHECKED` over the queries; of several archives the mean of their means.
    difference : float
        After minus before.
    interval : Interval
        Of the difference; a paired bootstrap over patients.
    """

    asked: Sides
    conditioned: bool
    before: float
    after: float
    difference: float
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {**asdict(self), "asked": self.asked.value, "interval": self.interval.to_json()}


def placed_queries(archive: EncodedArchive) -> npt.NDArray[np.int64]:
    """Return the queries [Q, 3] that have an image, a region and words about it.

    Raises
    ------
    ConfigError
        There are none.
    """
    study, region, _ = archive.queries.T
    chosen = (region != WHOLE) & archive.has_image[study]
    # A study that is silent on the region has no words to ask with.
    queries = np.asarray(archive.queries[chosen & archive.has_text[study, region]])
    if not len(queries):
        raise ConfigError(
            f"{len(archive)} studies hold no query to tune on or to compare with "
            "(one with a region, an image and words)",
            where="fusion",
            remedy="Use more studies",
        )
    return queries


def ranked_figures(
    archive: EncodedArchive,
    queries: npt.NDArray[np.int64],
    asked: Sides,
    conditioned: bool,
    fusion: Fusion | None,
) -> npt.NDArray[np.float64]:
    """Return the figures of queries that search images and reports both, shape [Q, M], as `METRICS`.

    Parameters
    ----------
    archive : EncodedArchive
    queries : int64 array of shape [Q, 3]
        Study, region and finding.
    asked : Sides
        What of the query's study asks.
    conditioned : bool
    fusion : Fusion, optional
        All four cosines alike where None.
    """
    kind = QueryKind(asked, Sides.BOTH, conditioned)
    figures = np.zeros((len(queries), len(METRICS)))
    for place in np.unique(queries[:, 1]):
        members = np.flatnonzero(queries[:, 1] == place)
        for start in range(0, len(members), _AT_ONCE):
            rows = members[start : start + _AT_ONCE]
            block = queries[rows]
            scores = score_all(archive, kind, block, int(place), fusion)
            others = archive.patients[None, :] != archive.patients[block[:, 0]][:, None]
            order = np.argsort(np.where(others & ~np.isnan(scores), -scores, np.inf), axis=1, kind="stable")
            relevant = archive.truth[:, place][:, block[:, 2]].T & others
            figures[rows] = ranking_metrics(np.take_along_axis(relevant, order, axis=1))
    return figures


def compare_weights(
    archives: Sequence[EncodedArchive],
    before: Fusion | None,
    after: Fusion,
    *,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> tuple[WeightsCompared, ...]:
    """Rank every kind of query over images and reports with both weights.

    Parameters
    ----------
    archives : sequence of EncodedArchive
        Neither trained nor tuned on.
    before : Fusion, optional
        All four cosines alike where None.
    after : Fusion
    resamples : int
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        An archive has no query with a region.
    """
    column = METRICS.index(CHECKED)
    asking = [placed_queries(archive) for archive in archives]
    rows = []
    kinds = [(asked, conditioned) for conditioned in (True, False) for asked in Sides]
    for done, (asked, conditioned) in enumerate(kinds):
        if progress:
            progress("compare the weights", done, len(kinds))
        means, draws = [], []
        for archive, queries in zip(archives, asking, strict=True):
            first, second = (
                ranked_figures(archive, queries, asked, conditioned, fusion)[:, column]
                for fusion in (before, after)
            )
            means.append((first.mean(), second.mean()))
            gained = (second - first)[:, None]
            draws.append(bootstrap_means(gained, archive.patients[queries[:, 0]], resamples=resamples))
        old, new = np.mean(means, axis=0)
        (interval,) = intervals(np.mean(draws, axis=0))
        rows.append(WeightsCompared(asked, conditioned, float(old), float(new), float(new - old), interval))
    return tuple(rows)
