"""Fitting what a vote is worth: isotonic curves from votes beyond chance to probabilities.

As with single scores (`train.evaluate.calibration`) the archive is asked whole, in quarters and in
sixteenths. There are two sets of curves. Where every region is asked about in turn, most of what is asked for
is not there: a curve fitted on suspected regions alone would see findings everywhere. Where somebody suspects
a region, it is there more often: of those it is fitted on, half show something.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.bundle import Fusion, ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.explain.vote_curves import VoteCurves
from edge_retrieve.runtime.explain.votes import NEIGHBOURS
from edge_retrieve.train.evaluate.asked import FoundHits, divided
from edge_retrieve.train.evaluate.calibration import PARTS, SEED, STUDIES, Progress, fit_curve
from edge_retrieve.train.evaluate.encoded import WHOLE
from edge_retrieve.train.evaluate.neighbours import (
    StatedArchive,
    find_neighbours,
    suspected_regions,
    votes_of,
)

# More bins than for single scores: nearly all votes are near chance, and the few others decide.
_BINS = 240
_MOST_STUDIES = 800  # that ask, of archives of one size


def fit_votes(
    archive: StatedArchive,
    *,
    graphs: str,
    data: str,
    fusion: Fusion | None,
    calibration: ScoreCalibration | None,
    seed: int = SEED,
    progress: Progress | None = None,
) -> VoteCurves:
    """Fit the curves of every kind of query.

    Parameters
    ----------
    archive : StatedArchive
        Held out from training, and from everything that reports figures.
    graphs : str
        Digest of the bundle's graphs.
    data : str
        In words: what the archive is.
    fusion, calibration : optional
        The bundle's.
    seed : int
        Of the parts that the archive is divided into.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        The archive is too small.
    """
    kinds = [(asked, conditioned) for conditioned in (True, False) for asked in Sides]
    sizes = [divide(archive, parts, seed) for parts in PARTS]
    suspected: list[ScoreCurve] = []
    surveyed: list[ScoreCurve] = []
    for done, (asked, conditioned) in enumerate(kinds):
        if progress:
            progress("fit the votes", done, len(kinds))
        for parts in sizes:
            studies = max(1, round(len(archive.archive) / len(parts)))
            found = [
                ask(
                    part, asked, conditioned, fusion, calibration, most=_MOST_STUDIES // len(parts), seed=seed
                )
                for part in parts
                if len(part.archive) > NEIGHBOURS
            ]
            # What is not asked in regions is not asked in all of them.
            for n, fitted in enumerate((suspected, surveyed) if conditioned else (suspected,)):
                curve = fit_curve(FoundHits.joined([each[n] for each in found]), _BINS) if found else None
                if curve is not None:
                    fitted.append(ScoreCurve(asked, Sides.BOTH, conditioned, studies, *curve))
    if progress:
        progress("fit the votes", len(kinds), len(kinds))
    if not suspected or not surveyed:
        raise ConfigError(
            f"{len(archive.archive)} studies hold too few findings to fit votes on",
            where="eval report --fit",
            remedy=f"Use more studies; {STUDIES} are meant",
        )
    calibrations = (
        ScoreCalibration("isotonic", data, 0.0, NEIGHBOURS, tuple(each)) for each in (suspected, surveyed)
    )
    return VoteCurves(graphs, *calibrations)


def divide(archive: StatedArchive, parts: int, seed: int) -> list[StatedArchive]:
    """Return an archive's patients dealt out to so many archives of about the same size."""
    # What is stated rides along in a field of the same shape, which no vote looks at.
    carried = divided(replace(archive.archive, aside=archive.stated), parts, seed)
    return [StatedArchive(replace(part, aside=np.zeros_like(part.aside)), part.aside) for part in carried]


def ask(
    archive: StatedArchive,
    asked: Sides,
    conditioned: bool,
    fusion: Fusion | None,
    calibration: ScoreCalibration | None,
    *,
    most: int,
    seed: int = SEED,
) -> tuple[FoundHits, FoundHits]:
    """Let studies ask in every region, or as a whole, and return the votes and whether they are right.

    Parameters
    ----------
    most : int
        Studies that ask.
    seed : int
        Of the clean regions that are suspected.

    Returns
    -------
    suspected, surveyed : FoundHits
        Votes in suspected regions, and in all; the same where no region is asked in.
    """
    count = len(archive.archive)
    step = max(1, count // max(1, most))
    asking = np.arange(0, count, step, dtype=np.int64)
    suspected = suspected_regions(archive.archive.truth, seed)[asking]
    looked, votes, right, patients = [], [], [], []
    for place in range(len(REGIONS)) if conditioned else (WHOLE,):
        found = find_neighbours(
            archive.archive,
            asking,
            place,
            asked=asked,
            conditioned=conditioned,
            fusion=fusion,
            calibration=calibration,
        )
        beyond, supported = votes_of(found, archive)
        votes.append(np.where(supported, beyond, np.nan).astype(np.float32))
        looked.append(suspected[:, place] if conditioned else np.ones(len(asking), dtype=bool))
        right.append(archive.true_in(place)[asking])
        patients.append(archive.archive.patients[asking])
    who, every, true = np.concatenate(patients), np.concatenate(votes), np.concatenate(right)
    some = np.where(np.concatenate(looked)[:, None], every, np.nan).astype(np.float32)
    answerable = np.ones(len(who), dtype=bool)
    return FoundHits(who, answerable, some, true), FoundHits(who, answerable, every, true)
