"""The neighbours of every study in every region, found as the runtime finds them, and their votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.bundle import Fusion, ScoreCalibration, Sides
from edge_retrieve.runtime.calibration import QueryKind, calibrate
from edge_retrieve.runtime.explain.base_rates import BaseRates
from edge_retrieve.runtime.explain.votes import NEIGHBOURS, beyond_chance, vote_shares, vote_weights
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate.asked import score_all
from edge_retrieve.train.evaluate.encoded import WHOLE, EncodedArchive

_AT_ONCE = 256  # queries scored together; bounds memory to this many times the studies

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StatedArchive:
    """An archive and what its reports state.

    Parameters
    ----------
    archive : EncodedArchive
    stated : bool array of shape [N, 29, L]
        As the report parser reads it; findings in the order of `Finding`.
    """

    archive: EncodedArchive
    stated: _Bools

    def rates(self) -> BaseRates:
        """Return how common each finding is, as the store counts it."""
        told = self.stated[self.archive.has_report]
        placed, anywhere = told.sum(axis=0), told.any(axis=1).sum(axis=0)
        counts: dict[tuple[Finding, Region | None], int] = {
            (FINDINGS[finding], REGIONS[place]): int(placed[place, finding])
            for place, finding in np.argwhere(placed)
        }
        counts |= {(FINDINGS[n], None): int(anywhere[n]) for n in np.flatnonzero(anywhere)}
        return BaseRates(int(self.archive.has_report.sum()), counts)

    def said_in(self, place: int) -> _Bools:
        """Return what the reports state in a region, or anywhere for `WHOLE`, shape [N, L]."""
        return np.asarray(self.stated.any(axis=1) if place == WHOLE else self.stated[:, place])

    def true_in(self, place: int) -> _Bools:
        """Return what is there in a region, or anywhere for `WHOLE`, shape [N, L]."""
        return np.asarray(self.archive.anywhere if place == WHOLE else self.archive.truth[:, place])


@dataclass(frozen=True)
class Found:
    """The neighbours of studies in one place.

    Parameters
    ----------
    place : int
        A region's position, or `WHOLE`.
    asking : int64 array of shape [n]
        Studies that ask.
    rows : int64 array of shape [n, k]
        Their neighbours, nearest first.
    scores, probabilities : float64 array of shape [n, k]
    held : bool array of shape [n, k]
        False where there are fewer neighbours.
    """

    place: int
    asking: _Ints
    rows: _Ints
    scores: _Floats
    probabilities: _Floats
    held: _Bools


def find_neighbours(
    archive: EncodedArchive,
    asking: _Ints,
    place: int,
    *,
    asked: Sides,
    conditioned: bool,
    fusion: Fusion | None,
    calibration: ScoreCalibration | None,
) -> Found:
    """Return the nearest cases of other patients in a place.

    Parameters
    ----------
    archive : EncodedArchive
    asking : int64 array of shape [n]
    place : int
    asked : Sides
        What of the studies asks.
    conditioned : bool
        Whether cases are compared in the place, or as a whole.
    fusion : Fusion, optional
    calibration : ScoreCalibration, optional
        Probabilities are not known without it: the scores stand in, as in the runtime.
    """
    kind = QueryKind(asked, Sides.BOTH, conditioned)
    if place == WHOLE:  # the whole report asks, not what it says of a region
        archive = replace(archive, has_text=np.zeros_like(archive.has_text))
    region = max(place, 0)  # compared nowhere then
    parts = []
    for start in range(0, len(asking), _AT_ONCE):
        block = asking[start : start + _AT_ONCE]
        queries = np.stack([block, np.full_like(block, region), np.zeros_like(block)], axis=1)
        scores = score_all(archive, kind, queries, region, fusion).astype(np.float64)
        own = archive.patients[None, :] == archive.patients[block][:, None]
        parts.append(_nearest(np.where(own | np.isnan(scores), -np.inf, scores)))
    rows, best = (np.concatenate(each) for each in zip(*parts, strict=True))
    held = np.isfinite(best)
    scores = np.where(held, best, np.nan)
    sure = calibrate(calibration, kind, int(archive.has_image.sum()), scores.astype(np.float32))
    return Found(place, asking, rows, scores, scores if sure is None else sure.astype(np.float64), held)


def votes_of(found: Found, stated: StatedArchive) -> tuple[_Floats, _Bools]:
    """Return the votes beyond chance and whether any neighbour supports each, shapes [n, L]."""
    said = stated.said_in(found.place)
    base = said[stated.archive.has_report].mean(axis=0) if stated.archive.has_report.any() else 0.0
    held = found.held & stated.archive.has_report[found.rows]
    named = said[found.rows] & held[..., None]
    weights = vote_weights(np.where(held, found.probabilities, 0.0))
    shares = vote_shares(weights, named, np.broadcast_to(base, (len(FINDINGS),)))
    return beyond_chance(shares, np.broadcast_to(base, (len(FINDINGS),))), np.asarray(named.any(axis=1))


def suspected_regions(truth: _Bools, seed: int) -> _Bools:
    """Return the regions that show something, and as many others; one where a study shows nothing.

    Parameters
    ----------
    truth : bool array of shape [N, 29, L]
    seed : int
        Of the others.

    Returns
    -------
    bool array of shape [N, 29]
    """
    asked = np.asarray(truth.any(axis=2))
    generator = np.random.default_rng(seed)
    for row in asked:
        clean = np.flatnonzero(~row)
        row[generator.choice(clean, min(len(clean), max(1, int(row.sum()))), replace=False)] = True
    return asked


def _nearest(scores: _Floats) -> Sequence[npt.NDArray[np.generic]]:
    """Return the columns of each row's best scores, best first, and these."""
    count = min(NEIGHBOURS, scores.shape[1])
    near = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    best = np.take_along_axis(scores, near, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1).astype(np.int64), np.take_along_axis(best, order, axis=1)
