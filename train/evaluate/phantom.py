"""Evaluation on held-out phantoms (synthetic): retrieval with and without conditioning, boxes, sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Laterality
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.evaluate.archive import MIN_RELEVANT, EncodedArchive, Progress, encode_archive
from edge_retrieve.train.evaluate.grounding import GroundingFigures
from edge_retrieve.train.metrics import average_precision, ndcg_at, precision_at

_Array = npt.NDArray[np.float32]


class Direction(str, Enum):
    """What asks for what; ``image_text`` asks with both and searches both."""

    IMAGE_TO_IMAGE = "image_to_image"
    IMAGE_TO_TEXT = "image_to_text"
    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TEXT = "image_text"


@dataclass(frozen=True)
class RetrievalFigures:
    """Means over queries, each 0 to 1."""

    p_at_1: float
    p_at_5: float
    p_at_10: float
    map: float
    ndcg_at_10: float


@dataclass(frozen=True)
class Comparison:
    """One direction of retrieval with and without a region set in the query."""

    conditioned: RetrievalFigures
    unconditioned: RetrievalFigures


@dataclass(frozen=True)
class SeedReport:
    """Figures of one test archive.

    Parameters
    ----------
    seed, studies, queries : int
    retrieval : mapping of Direction to Comparison
    laterality_swap : float
        Share of conditioned image-to-image queries in a region with a twin whose first hit has the
        finding on the other side only.
    region_iou : float
        Mean IoU of the 29 boxes.
    grounding : GroundingFigures
    """

    seed: int
    studies: int
    queries: int
    retrieval: Mapping[Direction, Comparison]
    laterality_swap: float
    region_iou: float
    grounding: GroundingFigures


@dataclass(frozen=True)
class PhantomReport:
    """Figures of several test archives; `mean` averages them."""

    seeds: tuple[SeedReport, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``edge-retrieve eval phantom --json``: means, then each seed."""
        return {
            "synthetic": True,
            "relevant": "same finding in the same region, another patient",
            "studies_per_seed": self.seeds[0].studies,
            "retrieval": {
                direction.value: {
                    form: _mean([getattr(report.retrieval[direction], form) for report in self.seeds])
                    for form in ("conditioned", "unconditioned")
                }
                for direction in self.seeds[0].retrieval
            },
            "laterality_swap": float(np.mean([report.laterality_swap for report in self.seeds])),
            "grounding": {
                name: float(np.mean([getattr(report.grounding, name) for report in self.seeds]))
                for name in ("cnr", "miou", "pointing")
            },
            "regions": {"iou": float(np.mean([report.region_iou for report in self.seeds]))},
            "seeds": [asdict(report) for report in self.seeds],
        }


def _mean(figures: Sequence[RetrievalFigures]) -> dict[str, float]:
    return {
        item.name: float(np.mean([getattr(figure, item.name) for figure in figures]))
        for item in fields(RetrievalFigures)
    }


def evaluate_phantom(
    encoder: Encoder,
    *,
    studies: int = 1000,
    seeds: Sequence[int] = (101, 102, 103),
    workers: int = 2,
    progress: Progress | None = None,
) -> PhantomReport:
    """Score a bundle on held-out phantoms: other patients, other paraphrases, hard candidates.

    A candidate is relevant where it has the query's finding in the query's region, by the archive's truth.
    The candidates hold each patient's hard variants (the finding elsewhere, another finding there, the
    mirrored side, the clean twin). A query's own patient is left out.

    Parameters
    ----------
    encoder : Encoder
    studies : int
        Studies per seed.
    seeds : sequence of int
    workers : int
        Processes that render.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        Where the archive is too small to hold a query with enough relevant cases.
    """
    return PhantomReport(tuple(_evaluate_seed(encoder, studies, seed, workers, progress) for seed in seeds))


def _evaluate_seed(
    encoder: Encoder, studies: int, seed: int, workers: int, progress: Progress | None
) -> SeedReport:
    archive = encode_archive(encoder, studies, seed, workers, progress)
    if not len(archive.queries):
        raise ConfigError(
            f"no finding is in the same region of {MIN_RELEVANT + 1} patients",
            where=f"eval phantom, {studies} studies",
            remedy="Use more studies",
        )
    retrieval = {}
    swap = 0.0
    for direction in Direction:
        forms = []
        for conditioned in (True, False):
            ranked, first = _rank(archive, partial(score, archive, direction, conditioned))
            forms.append(_figures(ranked))
            if conditioned and direction is Direction.IMAGE_TO_IMAGE:
                swap = _laterality_swap(archive, first)
        retrieval[direction] = Comparison(*forms)
    return SeedReport(
        seed, studies, len(archive.queries), retrieval, swap, archive.region_iou, archive.grounding
    )


def score(archive: EncodedArchive, direction: Direction, conditioned: bool, query: int) -> _Array:
    """Return the similarity of every study to one query, as the runtime fuses it.

    The words of a text query are the same with and without conditioning: what was said of the region.
    Where both sides are searched and a study's report is silent about the region, that side counts with
    the mean of the studies whose reports are not.

    Parameters
    ----------
    archive : EncodedArchive
    direction : Direction
    conditioned : bool
    query : int
        Row of `archive.queries`.

    Returns
    -------
    float32 array of shape [N]
        -2 for a study with nothing to compare.
    """
    study, region, _ = archive.queries[query]
    has_text = archive.has_text[study, region]
    text = archive.region_texts[study, region] if has_text else archive.reports[study]
    image = archive.regions[study, region] if conditioned else archive.whole[study]
    images = archive.regions[:, region] if conditioned else archive.whole
    texts = archive.region_texts[:, region] if conditioned else archive.reports
    silent = ~archive.has_text[:, region] if conditioned else np.zeros(len(images), dtype=bool)
    if direction is Direction.IMAGE_TO_IMAGE:
        return np.asarray(images @ image)
    if direction is Direction.TEXT_TO_IMAGE:
        return np.asarray(images @ text)
    if direction is Direction.IMAGE_TO_TEXT:
        return np.asarray(np.where(silent, np.float32(-2.0), texts @ image))
    both = (image + text) / 2
    by_image, by_text = images @ both, texts @ both
    if silent.all():
        return np.asarray(by_image)
    return np.asarray((by_image + np.where(silent, by_text[~silent].mean(), by_text)) / 2)


def _rank(
    archive: EncodedArchive, scores: Callable[[int], _Array]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return relevance in ranked order [Q, N] (False past the candidates) and each query's first hit."""
    ranked = np.zeros((len(archive.queries), len(archive.patients)), dtype=bool)
    first = np.zeros(len(archive.queries), dtype=np.int64)
    for n, (study, region, finding) in enumerate(archive.queries):
        others = np.flatnonzero(archive.patients != archive.patients[study])
        order = others[np.argsort(-scores(n)[others], kind="stable")]
        ranked[n, : len(order)] = archive.truth[order, region, finding]
        first[n] = order[0]
    return ranked, first


def _figures(ranked: npt.NDArray[np.bool_]) -> RetrievalFigures:
    return RetrievalFigures(
        p_at_1=float(precision_at(ranked, 1).mean()),
        p_at_5=float(precision_at(ranked, 5).mean()),
        p_at_10=float(precision_at(ranked, 10).mean()),
        map=float(average_precision(ranked).mean()),
        ndcg_at_10=float(ndcg_at(ranked, 10).mean()),
    )


def _laterality_swap(archive: EncodedArchive, first: npt.NDArray[np.int64]) -> float:
    swapped = []
    for hit, (_, region, finding) in zip(first, archive.queries, strict=True):
        twin = REGIONS[region].mirrored.position
        if REGIONS[region].laterality is not Laterality.MIDLINE:
            swapped.append(archive.truth[hit, twin, finding] and not archive.truth[hit, region, finding])
    return float(np.mean(swapped)) if swapped else 0.0
