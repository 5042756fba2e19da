"""Tuning what images and texts count in a fused score, on held-out phantoms.

Four cosines are known of a query and a case (`runtime.fusion`). Their weights are found one proportion after
the other: how much the case's report counts beside its image for a query by image, then for a query by text,
then how much the query's text counts beside its image. Each time the proportion is taken that ranks best, or
rather the one nearest to equal weights of all that are within one standard error of the best (Breiman et al.,
"Classification and Regression Trees", 1984, section 3.4.3): what phantoms cannot tell is left equal. Nor is
any side left out altogether: a phantom's report never errs, and real ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, FusionWeights, Sides
from edge_retrieve.train.evaluate.encoded import EncodedArchive
from edge_retrieve.train.evaluate.fusion_check import placed_queries, ranked_figures
from edge_retrieve.train.metrics import METRICS

# Other phantoms than a calibration is fitted on: it would be fitted on scores that were made to rank them.
SEED = 302
METRIC = "ndcg_at_10"
GRID = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

_MOST_QUERIES = 2000

Progress = Callable[[str, int, int], None]
_Figures = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tried:
    """One proportion, tried.

    Parameters
    ----------
    asked : Sides
        What asked, of an archive of images and reports.
    conditioned : bool
    share : float
        Of the case's report beside its image; where both asked, of the query's text beside its image.
    figure : float
        Mean of `METRIC` over the queries.
    """

    asked: Sides
    conditioned: bool
    share: float
    figure: float


@dataclass(frozen=True)
class Tuning:
    """Weights, and how they were found.

    Parameters
    ----------
    fusion : Fusion
    tried : tuple of Tried
    """

    fusion: Fusion
    tried: tuple[Tried, ...]


def tune_fusion(
    archive: EncodedArchive, *, data: str, seed: int = SEED, progress: Progress | None = None
) -> Tuning:
    """Find the weights of the four cosines, with and without a region.

    Parameters
    ----------
    archive : EncodedArchive
        Held out from training, and from everything that reports figures.
    data : str
        In words: what the archive is.
    seed : int
        Of the queries that are drawn.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        The archive has no query with a region.
    """
    queries = placed_queries(archive)
    if len(queries) > _MOST_QUERIES:
        chosen = np.random.default_rng(seed).choice(len(queries), _MOST_QUERIES, replace=False)
        queries = queries[np.sort(chosen)]
    steps = _Steps(archive, queries, progress)
    conditioned, unconditioned = (steps.tune(form) for form in (True, False))
    return Tuning(Fusion(conditioned, unconditioned, data), tuple(steps.tried))


class _Steps:
    """The proportions tried so far."""

    def __init__(
        self, archive: EncodedArchive, queries: npt.NDArray[np.int64], progress: Progress | None
    ) -> None:
        self.tried: list[Tried] = []
        self._archive, self._queries, self._progress = archive, queries, progress

    def tune(self, conditioned: bool) -> FusionWeights:
        of_image = self._best(Sides.IMAGE, conditioned, lambda share: FusionWeights(1 - share, share, 0, 0))
        of_text = self._best(Sides.TEXT, conditioned, lambda share: FusionWeights(0, 0, 1 - share, share))

        def both(share: float) -> FusionWeights:
            return FusionWeights(
                *(round((1 - share) * part, 6) for part in (1 - of_image, of_image)),
                *(round(share * part, 6) for part in (1 - of_text, of_text)),
            )

        return both(self._best(Sides.BOTH, conditioned, both))

    def _best(self, asked: Sides, conditioned: bool, weights: Callable[[float], FusionWeights]) -> float:
        table = []
        for share in GRID:
            if self._progress:
                self._progress("tune the fusion", len(self.tried), 6 * len(GRID))
            table.append(self._figures(asked, conditioned, weights(share)))
            self.tried.append(Tried(asked, conditioned, share, float(table[-1].mean())))
        return one_standard_error(GRID, np.asarray(table))

    def _figures(self, asked: Sides, conditioned: bool, weights: FusionWeights) -> _Figures:
        """Return the metric of each query."""
        fusion = Fusion(weights, weights, "")
        figures = ranked_figures(self._archive, self._queries, asked, conditioned, fusion)
        return figures[:, METRICS.index(METRIC)]


def one_standard_error(shares: Sequence[float], figures: _Figures) -> float:
    """Return the share nearest to one half of all that do about as well as the best.

    Parameters
    ----------
    shares : sequence of S floats
    figures : float64 array of shape [S, Q]
        Of each query. A share does about as well where its mean is less than one standard error of the
        differences, query by query, below the best one's.
    """
    best = int(np.argmax(figures.mean(axis=1)))
    lost = figures[best] - figures
    error = lost.std(axis=1) / np.sqrt(figures.shape[1])
    good = [
        share for share, mean, width in zip(shares, lost.mean(axis=1), error, strict=True) if mean <= width
    ]
    return min(good, key=lambda share: abs(share - 0.5))
