"""Ranking studies: one query vector per place, every partition asked, the cosines fused.

For a study and a place (a region, or the whole) the score is the mean cosine between the query's
embeddings and those the study has there, its image's and its report's. Where a study has only one of
the two, the other counts with the mean cosine of the query to all studies that have it: an image that no
sentence speaks of is neither rewarded nor punished. (Leaving it out would reward it, because
image-to-image cosines lie higher than image-to-text ones.) Over several places the mean is taken again.

Who names a region suspects something there. What most images show there is then not what is looked for:
half of the archive's usual appearance of the region is taken off the query first (`suspicion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index

FloatArray = npt.NDArray[np.float32]

BOTH = (Modality.IMAGE, Modality.TEXT)

# Chosen on phantoms: anything from a quarter to three quarters does better than nothing taken off.
_TAKEN_OFF = 0.5
# A few cases are no norm: the mean appearance is that of the cases and of so many blank ones.
_BLANK_CASES = 50

_LEAST_CANDIDATES = 100
_CANDIDATES_PER_HIT = 8


@dataclass(frozen=True)
class Probe:
    """What is searched for in one place.

    Parameters
    ----------
    region : Region or None
        None for the whole image or report.
    vector : float32 array of shape [D]
        The mean of the query's unit embeddings there (image, text, or both). Not brought back to
        unit length: so an inner product with it *is* the mean of their cosines.
    """

    region: Region | None
    vector: FloatArray


@dataclass(frozen=True)
class Ranked:
    """Studies in order, best first.

    Parameters
    ----------
    studies : int64 array of shape [n]
        The store's numbers.
    scores : float32 array of shape [n]
        Mean over the probes.
    by_probe : float32 array of shape [n, P]
        Per probe in the order given; NaN where the study has nothing there.
    """

    studies: npt.NDArray[np.int64]
    scores: FloatArray
    by_probe: FloatArray


def suspicion(vectors: FloatArray, mean: FloatArray, cases: int) -> FloatArray:
    """Return what a query for a region looks for: its embedding, less half of how the region usually looks.

    Most images are normal in most places, so a query that is unsure between normal and a finding would
    find normal cases first, though nobody asks for these. Taking the mean off a query is the centring of
    embeddings against hubs (Suzuki et al., EMNLP 2013), done half.

    Parameters
    ----------
    vectors : float32 array of shape [..., D]
    mean : float32 array of shape [D]
        Mean embedding of the region over the archive's images.
    cases : int
        How many it is the mean of.
    """
    weight = _TAKEN_OFF * cases / (cases + _BLANK_CASES)
    return np.asarray(vectors - np.float32(weight) * mean, dtype=np.float32)


def search(
    index: Index,
    probes: Sequence[Probe],
    k: int,
    *,
    modalities: Sequence[Modality] = BOTH,
    exclude: frozenset[int] = frozenset(),
) -> Ranked:
    """Return the best studies for a query.

    Every partition proposes its own best; all that any proposes are then scored exactly in all.

    Parameters
    ----------
    index : Index
    probes : sequence of Probe
    k : int
        Number of studies wanted; fewer come back where there are fewer.
    modalities : sequence of Modality
        Which sides of the archive are searched.
    exclude : frozenset of int
        Numbers of studies to leave out.
    """
    partitions = [[index.partition(modality, probe.region) for modality in modalities] for probe in probes]
    probes = [_suspicious(index, probe) for probe in probes]
    exclude |= index.deleted()
    wanted = max(_LEAST_CANDIDATES, _CANDIDATES_PER_HIT * k)
    proposed = [
        partition.search(probe.vector, wanted, exclude)[0]
        for probe, sides in zip(probes, partitions, strict=True)
        for partition in sides
    ]
    studies = np.unique(np.concatenate(proposed)) if proposed else np.zeros(0, np.int64)
    if not len(studies):
        return Ranked(studies, np.zeros(0, np.float32), np.zeros((0, len(probes)), np.float32))
    by_probe = np.full((len(studies), len(probes)), np.nan, np.float32)
    fallback = np.zeros(len(probes), np.float32)
    for column, (probe, sides) in enumerate(zip(probes, partitions, strict=True)):
        filled = [partition for partition in sides if len(partition)]
        if not filled:
            continue
        cosines = np.stack([partition.scores(probe.vector, studies) for partition in filled])
        expected = np.asarray([partition.expected_score(probe.vector) for partition in filled], np.float32)
        missing = np.isnan(cosines)
        fused = np.where(missing, expected[:, np.newaxis], cosines).mean(axis=0)
        by_probe[:, column] = np.where(missing.all(axis=0), np.nan, fused)
        fallback[column] = expected.mean()
    scores = np.where(np.isnan(by_probe), fallback, by_probe).mean(axis=1)
    # Equal scores in the order stored, so that an answer never depends on chance.
    order = np.lexsort((studies, -scores))[:k]
    return Ranked(studies[order], scores[order].astype(np.float32), by_probe[order])


def _suspicious(index: Index, probe: Probe) -> Probe:
    if probe.region is None:
        return probe
    images = index.partition(Modality.IMAGE, probe.region)
    return Probe(probe.region, suspicion(probe.vector, images.mean, len(images)))
