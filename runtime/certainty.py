"""How sure the hits of a query are, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import ScoreCalibration
from edge_retrieve.runtime.calibration import QueryKind, calibrate, sides_of
from edge_retrieve.runtime.fusion import fuse_places
from edge_retrieve.runtime.index import Partitions
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.search import Ranked

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Certainty:
    """Probabilities of hits, best hit first.

    Parameters
    ----------
    by_hit : float32 array of shape [n]
        Combined over the places as the scores are. Of a weighted mean it is the share of the places in which
        the hit is expected to share the finding.
    by_probe : float32 array of shape [n, P]
        That the hit shares the finding in one place; NaN where it has nothing there.
    """

    by_hit: FloatArray
    by_probe: FloatArray

    def at(self, ranks: npt.NDArray[np.intp]) -> Certainty:
        """Return those at ranks, counted from 0."""
        return Certainty(self.by_hit[ranks], self.by_probe[ranks])


def certainty_of(
    ranked: Ranked,
    probes: Sequence[Probe],
    query: Query,
    index: Partitions,
    calibration: ScoreCalibration | None,
    allowed: npt.NDArray[np.int64] | None,
) -> Certainty | None:
    """Return how sure ranked studies are.

    Parameters
    ----------
    ranked : Ranked
    probes : sequence of Probe
        That the studies were ranked for.
    query : Query
    index : Partitions
        That was searched.
    calibration : ScoreCalibration, optional
        Of the bundle.
    allowed : int64 array, optional
        Studies that the query's filters leave; None where there is no filter.

    Returns
    -------
    Certainty or None
        None where the bundle has no curves for such a query.
    """
    columns = []
    for column, probe in enumerate(probes):
        rows = {
            side: len(index.partition(side, probe.region)) for side in query.sides if probe.share(side) > 0
        }
        searched = [side for side, count in rows.items() if count]
        if not searched:
            columns.append(np.full(len(ranked.studies), np.nan, np.float32))
            continue
        kind = QueryKind(sides_of(probe.asked_with), sides_of(searched), probe.region is not None)
        # Of an empty choice there is no hit to be sure of.
        studies = max(1, max(rows.values()) if allowed is None else len(allowed))
        found = calibrate(calibration, kind, studies, ranked.by_probe[:, column])
        if found is None:
            return None
        columns.append(found)
    if not columns:
        return None
    by_probe = np.stack(columns, axis=1)
    # Nothing to compare in a place is no sign of the finding there.
    known = np.where(np.isnan(by_probe), np.float32(0), by_probe)
    weights = [probe.weight for probe in probes]
    return Certainty(fuse_places(known, [0.0] * len(probes), weights, query.combine), by_probe)


def abstains(
    ranked: Ranked, certainty: Certainty | None, level: float, least_score: float | None
) -> tuple[bool, float | None]:
    """Decide whether there is no sufficiently similar case, and say by which level.

    Parameters
    ----------
    ranked : Ranked
    certainty : Certainty, optional
        Of the ranked studies.
    level : float
        A probability that one of them has to reach.
    least_score : float, optional
        A score that one of them has to reach where there is no certainty; any will do where None.
    """
    reached = ranked.scores if certainty is None else certainty.by_hit
    decisive = least_score if certainty is None else level
    return not len(reached) or (decisive is not None and float(reached.max()) < decisive), decisive
