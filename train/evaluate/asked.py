"""The best hits of every kind of query, scored as the runtime fuses them, and whether they are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Fusion, Sides
from edge_retrieve.runtime.calibration import QueryKind
from edge_retrieve.runtime.encoder import FloatArray
from edge_retrieve.runtime.fusion import asked_of, weights_for
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.probe import suspicion
from edge_retrieve.train.evaluate.encoded import EncodedArchive

KINDS = tuple(
    QueryKind(asked, searched, conditioned)
    for conditioned in (True, False)
    for asked in Sides
    for searched in Sides
)

_AT_ONCE = 256  # queries scored together; bounds memory to this many times the studies

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FoundHits:
    """The best hits of queries, one row for each query.

    Parameters
    ----------
    patients : int64 array of shape [Q]
        Who asks.
    answerable : bool array of shape [Q]
        Whether any case of another patient has the finding in the region.
    scores : float32 array of shape [Q, k]
        Best first; NaN where there are fewer.
    right : bool array of shape [Q, k]
        Whether the hit has the query's finding in the query's region.
    """

    patients: _Ints
    answerable: _Bools
    scores: FloatArray
    right: _Bools

    @classmethod
    def joined(cls, parts: list[FoundHits]) -> FoundHits:
        """Return the queries of several archives, whose patients are different people."""
        shift, patients = 0, []
        for part in parts:
            patients.append(part.patients + shift)
            shift += int(part.patients.max(initial=0)) + 1
        rest = (np.concatenate([getattr(part, name) for part in parts]) for name in _ROWS)
        return cls(np.concatenate(patients), *rest)


_ROWS = tuple(item.name for item in fields(FoundHits))[1:]


def draw_queries(archive: EncodedArchive, most: int, seed: int) -> _Ints:
    """Return queries [Q, 3] (study, region, finding), at most so many: also such as no other case answers."""
    every = np.argwhere(archive.truth).astype(np.int64)
    if len(every) <= most:
        return every
    return np.asarray(every[np.sort(np.random.default_rng(seed).choice(len(every), most, replace=False))])


def find_hits(
    archive: EncodedArchive,
    kind: QueryKind,
    queries: _Ints,
    bereft: _Bools,
    *,
    hits: int,
    fusion: Fusion | None,
) -> FoundHits:
    """Rank the cases of other patients for each query and return the first.

    The words of a text query are the same with and without a region: what was said of the region.

    Parameters
    ----------
    archive : EncodedArchive
    kind : QueryKind
    queries : int64 array of shape [Q, 3]
        Study, region and finding.
    bereft : bool array of shape [Q]
        Queries for which the archive is searched as if it had no case with the finding in the region.
    hits : int
        For each query.
    fusion : Fusion, optional
        The bundle's.
    """
    rows, answerable, scores, right = [], [], [], []
    for block, place in _blocks(queries):
        asking = queries[block]
        relevant = archive.truth[:, place][:, asking[:, 2]].T
        others = archive.patients[None, :] != archive.patients[asking[:, 0]][:, None]
        relevant = relevant & others & ~bereft[block][:, None]
        # A right answer taken out of the archive is taken out as a candidate, not called wrong.
        gone = bereft[block][:, None] & archive.truth[:, place][:, asking[:, 2]].T
        found = score_all(archive, kind, asking, place, fusion)
        found = np.where(others & ~gone, found, np.nan)
        order = _best(found, hits)
        rows.append(block)
        answerable.append(relevant.any(axis=1))
        scores.append(_padded(np.take_along_axis(found, order, axis=1), hits, np.nan))
        right.append(_padded(np.take_along_axis(relevant, order, axis=1), hits, False))
    together = np.concatenate(rows)
    return FoundHits(
        archive.patients[queries[together, 0]],
        np.concatenate(answerable),
        np.concatenate(scores).astype(np.float32),
        np.concatenate(right).astype(bool),
    )


def score_all(
    archive: EncodedArchive, kind: QueryKind, queries: _Ints, place: int, fusion: Fusion | None
) -> FloatArray:
    """Return the score of every study for queries about one region, as `runtime.search` makes it.

    Returns
    -------
    float32 array of shape [n, N]
        NaN for a study with nothing to compare.
    """
    study = queries[:, 0]
    image, text = _asking(archive, kind, study, place)
    weights = weights_for(fusion, kind.conditioned)
    total = np.zeros((len(queries), len(archive)), dtype=np.float64)
    shares, held_anywhere = 0.0, np.zeros(len(archive), dtype=bool)
    for side, (rows, held) in _compared(archive, kind, place).items():
        vector, share = asked_of(side, weights, image, text)
        if vector is None or not held.any():
            continue
        if kind.conditioned:
            usual = archive.regions[archive.has_image, place]
            mean = usual.mean(axis=0) if len(usual) else np.zeros(rows.shape[1], np.float32)
            vector = suspicion(vector, mean, len(usual))
        cosines = vector @ rows.T
        expected = cosines[:, held].mean(axis=1, keepdims=True)
        total += share * np.where(held, cosines, expected)
        shares += share
        held_anywhere |= held
    return np.asarray(np.where(held_anywhere, total / max(shares, 1e-12), np.nan), dtype=np.float32)


def divided(archive: EncodedArchive, parts: int, seed: int) -> list[EncodedArchive]:
    """Return an archive's patients dealt out to so many archives of about the same size."""
    people, row_of = np.unique(archive.patients, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(people)) % parts
    return [_only(archive, np.flatnonzero(dealt[row_of] == part)) for part in range(parts)]


def _only(archive: EncodedArchive, rows: npt.NDArray[np.intp]) -> EncodedArchive:
    # The average boxes' embeddings may not have been computed: an array of no rows then.
    taken: dict[str, Any] = {
        name: values[rows] if len(values) == len(archive) else values[:0]
        for name, values in archive.arrays().items()
    }
    return EncodedArchive(
        **{**taken, "queries": np.zeros((0, 3), dtype=np.int64)},
        said=tuple(archive.said[row] for row in rows),
        written=tuple(archive.written[row] for row in rows),
    )


def _asking(
    archive: EncodedArchive, kind: QueryKind, study: _Ints, place: int
) -> tuple[FloatArray | None, FloatArray | None]:
    image = archive.regions[study, place] if kind.conditioned else archive.whole[study]
    spoken = archive.has_text[study, place]
    text = np.where(spoken[:, None], archive.region_texts[study, place], archive.reports[study])
    return (
        image if kind.asked is not Sides.TEXT else None,
        text if kind.asked is not Sides.IMAGE else None,
    )


def _compared(
    archive: EncodedArchive, kind: QueryKind, place: int
) -> dict[Modality, tuple[FloatArray, _Bools]]:
    if kind.conditioned:
        images, texts = archive.regions[:, place], archive.region_texts[:, place]
        told = archive.has_text[:, place]
    else:
        images, texts, told = archive.whole, archive.reports, archive.has_report
    sides = {}
    if kind.searched is not Sides.TEXT:
        sides[Modality.IMAGE] = (images, archive.has_image)
    if kind.searched is not Sides.IMAGE:
        sides[Modality.TEXT] = (texts, told)
    return sides


def _blocks(queries: _Ints) -> Iterator[tuple[_Ints, int]]:
    for place in np.unique(queries[:, 1]):
        members = np.flatnonzero(queries[:, 1] == place).astype(np.int64)
        for start in range(0, len(members), _AT_ONCE):
            yield members[start : start + _AT_ONCE], int(place)


def _best(scores: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Return the columns of each row's best scores, best first, those that are NaN last."""
    losses = np.where(np.isnan(scores), np.inf, -scores)
    if scores.shape[1] <= count:
        return np.argsort(losses, axis=1, kind="stable")
    near = np.argpartition(losses, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(losses, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1)


def _padded(values: npt.NDArray[np.generic], width: int, blank: float) -> npt.NDArray[np.generic]:
    short = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, short)), constant_values=blank) if short > 0 else values
