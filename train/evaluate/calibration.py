"""Fitting what a score is worth: isotonic curves from scores to the probability that a hit is right.

A hit is right where it has the query's finding in the query's region. Scores of the best hits of many queries
and whether they were right are fitted by isotonic regression (Zadrozny and Elkan, KDD 2002): the likeliest
curve that never falls. Two things decide what a score is worth beside the score itself, so the queries hold
both:

- how many cases there were to choose from: the archive is searched whole, in quarters and in sixteenths;
- whether the archive holds an answer at all: for some of the queries every case with the finding in the
  region is taken out. Without these, the best of a large archive always looks right, for phantoms have few
  findings, and no query would ever be told that there is no similar case.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, ScoreCalibration, ScoreCurve
from edge_retrieve.runtime.calibration import QueryKind
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.evaluate.asked import KINDS, FoundHits, divided, draw_queries, find_hits
from edge_retrieve.train.evaluate.encoded import EncodedArchive

SEED = 301
STUDIES = 2000
HITS = 10
UNANSWERABLE = 0.1
PARTS = (16, 4, 1)

_MOST_QUERIES = 3000  # of one kind over archives of one size
_BINS = 24
_LEAST_IN_BIN = 20
_DIGITS = 5

Progress = Callable[[str, int, int], None]
_Floats = npt.NDArray[np.float64]


def fit_calibration(
    archive: EncodedArchive,
    fusion: Fusion | None,
    *,
    data: str,
    seed: int = SEED,
    progress: Progress | None = None,
) -> ScoreCalibration:
    """Fit the curves of every kind of query.

    Parameters
    ----------
    archive : EncodedArchive
        Held out from training, and from everything that reports figures.
    fusion : Fusion, optional
        The bundle's: with other weights the scores are others.
    data : str
        In words: what the archive is.
    seed : int
        Of the queries that are drawn and the parts that the archive is divided into.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        The archive is too small.
    """
    sizes = [divided(archive, parts, seed) for parts in PARTS]
    curves = []
    for done, kind in enumerate(KINDS):
        if progress:
            progress("fit the curves", done, len(KINDS))
        for archives in sizes:
            curve = fit_curve(asked_of_all(archives, kind, fusion, seed=seed, unanswerable=UNANSWERABLE))
            if curve is not None:
                studies = max(1, round(len(archive) / len(archives)))
                curves.append(ScoreCurve(kind.asked, kind.searched, kind.conditioned, studies, *curve))
    if progress:
        progress("fit the curves", len(KINDS), len(KINDS))
    if not curves:
        raise ConfigError(
            f"{len(archive)} studies hold too few hits to calibrate on",
            where="bundle calibrate",
            remedy=f"Use more studies; {STUDIES} are meant",
        )
    return ScoreCalibration("isotonic", data, UNANSWERABLE, HITS, tuple(curves))


def asked_of_all(
    archives: list[EncodedArchive],
    kind: QueryKind,
    fusion: Fusion | None,
    *,
    seed: int,
    unanswerable: float,
) -> FoundHits:
    """Ask queries of one kind of several archives of about the same size.

    Parameters
    ----------
    archives : list of EncodedArchive
    kind : QueryKind
    fusion : Fusion, optional
    seed : int
        Of the queries drawn, the same for every kind.
    unanswerable : float
        Share of the queries whose right answers are taken out of the archive.
    """
    found = []
    for archive in archives:
        queries = draw_queries(archive, max(1, _MOST_QUERIES // len(archives)), seed)
        if not len(queries):
            continue
        bereft = np.random.default_rng(seed).random(len(queries)) < unanswerable
        found.append(find_hits(archive, kind, queries, bereft, hits=HITS, fusion=fusion))
    if not found:
        raise ConfigError("no study has a finding", where="phantoms", remedy="Use more studies")
    return FoundHits.joined(found)


def fit_curve(found: FoundHits, most_bins: int = _BINS) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Fit one curve.

    Hits of about equal score are counted together, blocks that violate the order are pooled, and each block
    stands at its mean score (centred isotonic regression: Oron and Flournoy, 2017): a curve without steps.

    Parameters
    ----------
    found : FoundHits
    most_bins : int
        Bins of equally many hits.

    Returns
    -------
    (scores, probabilities) or None
        None where there are too few hits.
    """
    held = ~np.isnan(found.scores)
    scores, right = found.scores[held].astype(np.float64), found.right[held].astype(np.float64)
    bins = min(most_bins, len(scores) // _LEAST_IN_BIN)
    if bins < 2:
        return None
    order = np.argsort(scores, kind="stable")
    parts = np.array_split(order, bins)
    counts = np.array([len(part) for part in parts], dtype=np.float64)
    places = np.array([scores[part].mean() for part in parts])
    shares = np.array([right[part].mean() for part in parts])
    # Equal scores in neighbouring bins are one place, not a step.
    places = np.round(places, _DIGITS)
    starts = np.flatnonzero(np.diff(places, prepend=-np.inf) > 0)
    weights = np.add.reduceat(counts, starts)
    shares = np.add.reduceat(shares * counts, starts) / weights
    block = isotonic_blocks(shares, weights)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    pooled = np.add.reduceat(weights, starts)
    knots = np.add.reduceat(places[np.unique(places, return_index=True)[1]] * weights, starts) / pooled
    heights = np.add.reduceat(shares * weights, starts) / pooled
    return (
        tuple(round(float(knot), _DIGITS) for knot in knots),
        tuple(round(float(height), _DIGITS) for height in heights),
    )


def isotonic_blocks(values: _Floats, weights: _Floats) -> npt.NDArray[np.int64]:
    """Pool adjacent violators (Ayer et al. 1955): return the block of each value, counted from 0.

    The means of the blocks rise, and are the weighted least-squares fit among all that do not fall.

    Parameters
    ----------
    values, weights : float64 array of shape [n]
        Weights above zero.
    """
    means: list[float] = []
    totals: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, size = value, weight, 1
        while means and means[-1] >= mean:
            last = totals.pop()
            mean = (means.pop() * last + mean * total) / (last + total)
            total, size = last + total, sizes.pop() + size
        means.append(mean)
        totals.append(total)
        sizes.append(size)
    return np.repeat(np.arange(len(sizes)), sizes)
