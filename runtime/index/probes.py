"""How far codes and cells can be trusted, measured on a partition's own rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_retrieve.runtime.index.cells import Reach
from edge_retrieve.runtime.index.quantiser import FloatArray, IntArray

LEAST_WIDTH = 2.5
"""Fewest standard deviations of a row's error by which its score may be too low: 99.4 % if it is normal."""

LEAST_REACH = 4.0
"""Fewest standard deviations of its cell's scatter by which a row may score above the cell's centre."""

_PROBES = 64  # so many rows, and so many random vectors
_NEAR = 10  # rows nearest a probe
_MISSED = 0.002  # share of near rows that may lie beyond a width


@dataclass(frozen=True)
class Probes:
    """Queries on which it is measured how far codes and cells can be trusted.

    Parameters
    ----------
    queries : float32 array of shape [Q, D]
        Some of the sample's rows, then random vectors.
    scores : float32 array of shape [Q, m]
        Of the sample's rows; minus infinity where the row is the query.
    """

    queries: FloatArray
    scores: FloatArray

    def near(self, count: int) -> tuple[IntArray, FloatArray]:
        """Return the numbers of the nearest of the sample and their scores, shape [Q, count]."""
        first = max(0, self.scores.shape[1] - count)
        near = np.argpartition(self.scores, first, axis=1)[:, -count:].astype(np.int32)
        return near, np.take_along_axis(self.scores, near, axis=1)


def draw_probes(sample: FloatArray) -> Probes:
    """Draw probes for rows less their mean, shape [m, D], in the coder's directions."""
    count, dim = sample.shape
    places = np.arange(0, count, max(1, count // _PROBES))[:_PROBES]
    random = np.random.default_rng(0).normal(size=(_PROBES, dim))
    queries = np.concatenate([sample[places], random]).astype(np.float32)
    scores = queries @ sample.T
    # A probe's own row is underrated most, and needs it least: its score is far above the others'.
    scores[np.arange(len(places)), places] = -np.inf
    return Probes(queries, scores)


def code_width(probes: Probes, known: FloatArray, left: FloatArray, residual: FloatArray) -> float:
    """Measure by how many standard deviations codes underrate the rows nearest to a query.

    Parameters
    ----------
    probes : Probes
    known : float32 array of shape [m, D]
        What the codes of the sample's rows stand for.
    left : float32 array of shape [m]
        What they leave of them, as a share of all rows'.
    residual : float32 array of shape [D]
    """
    near, exact = probes.near(_NEAR)
    # A row is found where its score by its code, and the width, reach the worst of the nearest.
    short = exact.min(axis=1, keepdims=True) - np.take_along_axis(probes.queries @ known.T, near, axis=1)
    deviations = np.sqrt(np.square(probes.queries) @ residual)[:, np.newaxis] * left[near]
    return max(LEAST_WIDTH, _needed(short, deviations))


def reach_width(probes: Probes, cells: IntArray, reach: Reach) -> float:
    """Measure by how many standard deviations the rows nearest to a query lie above their cell's centre.

    Parameters
    ----------
    probes : Probes
    cells : int32 array of shape [m]
        Of the sample's rows.
    reach : Reach
    """
    near, exact = probes.near(_NEAR)
    base = np.take_along_axis(probes.queries @ reach.centres.T, cells[near], axis=1)
    deviations = np.take_along_axis(reach.deviations(probes.queries), cells[near], axis=1)
    return max(LEAST_REACH, _needed(exact.min(axis=1, keepdims=True) - base, deviations))


def _needed(short: FloatArray, deviations: FloatArray) -> float:
    """Return how many standard deviations make up for what all but a few near rows lack."""
    ratios = (short / np.maximum(deviations, 1e-9))[np.isfinite(short)]
    return float(np.quantile(ratios, 1 - _MISSED)) if len(ratios) else 0.0
