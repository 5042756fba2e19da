"""Evaluation on held-out phantoms (synthetic): retrieval with and without conditioning, boxes, sides."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Laterality, Region
from edge_retrieve.runtime.encoder import Encoder, PreparedImage
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.train.metrics import average_precision, ndcg_at, precision_at
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, sample_archive

RENDER_SIZE = 512
# P@5 of a query with fewer relevant cases than 5 could not reach 1 whatever is retrieved.
MIN_RELEVANT = 5

Progress = Callable[[str, int, int], None]
_Array = npt.NDArray[np.float32]


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
    retrieval : dict of str to Comparison
        Keys ``image_to_image``, ``image_to_text``, ``text_to_image``, ``image_text``.
    laterality_swap : float
        Share of conditioned image-to-image queries in a region with a twin whose first hit has the
        finding on the other side only.
    region_iou : float
        Mean IoU of the 29 boxes.
    """

    seed: int
    studies: int
    queries: int
    retrieval: dict[str, Comparison]
    laterality_swap: float
    region_iou: float


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
                direction: {
                    form: _mean([getattr(report.retrieval[direction], form) for report in self.seeds])
                    for form in ("conditioned", "unconditioned")
                }
                for direction in self.seeds[0].retrieval
            },
            "laterality_swap": float(np.mean([report.laterality_swap for report in self.seeds])),
            "regions": {"iou": float(np.mean([report.region_iou for report in self.seeds]))},
            "seeds": [asdict(report) for report in self.seeds],
        }


def _mean(figures: Sequence[RetrievalFigures]) -> dict[str, float]:
    return {
        item.name: float(np.mean([getattr(figure, item.name) for figure in figures]))
        for item in fields(RetrievalFigures)
    }


@dataclass(frozen=True)
class _Archive:
    """Everything encoded: row n of each array is study n."""

    patients: npt.NDArray[np.int64]
    truth: npt.NDArray[np.bool_]  # [N, 29, L]
    queries: npt.NDArray[np.int64]  # [Q, 3]: study, region, finding
    regions: _Array  # [N, 29, D]
    whole: _Array  # [N, D]
    region_texts: _Array  # [N, 29, D], zero where the report says nothing of the region
    has_text: npt.NDArray[np.bool_]  # [N, 29]
    reports: _Array  # [N, D]
    region_iou: float


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
    archive = _encode_archive(encoder, studies, seed, workers, progress)
    if not len(archive.queries):
        raise ConfigError(
            f"no finding is in the same region of {MIN_RELEVANT + 1} patients",
            where=f"eval phantom, {studies} studies",
            remedy="Use more studies",
        )
    scores = _Scores(archive)
    retrieval = {}
    swap = 0.0
    for direction in ("image_to_image", "image_to_text", "text_to_image", "image_text"):
        forms = []
        for conditioned in (True, False):
            ranked, first = _rank(archive, lambda n, d=direction, c=conditioned: scores.of(d, n, c))  # type: ignore[misc]
            forms.append(_figures(ranked))
            if conditioned and direction == "image_to_image":
                swap = _laterality_swap(archive, first)
        retrieval[direction] = Comparison(*forms)
    return SeedReport(seed, studies, len(archive.queries), retrieval, swap, archive.region_iou)


class _Scores:
    """Similarity of every study to a query, for each direction of retrieval."""

    def __init__(self, archive: _Archive) -> None:
        self.archive = archive

    def of(self, direction: str, query: int, conditioned: bool) -> _Array:
        """Return scores [N] of one query; a study with nothing to compare scores -2."""
        a = self.archive
        study, region, _ = a.queries[query]
        # The words of a text query are the same with and without conditioning: what was said of the region.
        text = a.region_texts[study, region] if a.has_text[study, region] else a.reports[study]
        image = a.regions[study, region] if conditioned else a.whole[study]
        images = a.regions[:, region] if conditioned else a.whole
        texts = a.region_texts[:, region] if conditioned else a.reports
        missing = ~a.has_text[:, region] if conditioned else np.zeros(len(a.whole), dtype=bool)
        if direction == "image_to_image":
            return np.asarray(images @ image)
        if direction == "text_to_image":
            return np.asarray(images @ text)
        if direction == "image_to_text":
            return np.where(missing, np.float32(-2.0), texts @ image)
        both = image + text
        by_image, by_text = images @ both / 2, texts @ both / 2
        return np.where(missing, by_image, (by_image + by_text) / 2)


def _rank(
    archive: _Archive, scores: Callable[[int], _Array]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return relevance in ranked order [Q, N] (False beyond the candidates) and the first hit of each query."""
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


def _laterality_swap(archive: _Archive, first: npt.NDArray[np.int64]) -> float:
    swapped = []
    for hit, (_, region, finding) in zip(first, archive.queries, strict=True):
        twin = REGIONS[region].mirrored.position
        if REGIONS[region].laterality is not Laterality.MIDLINE:
            swapped.append(archive.truth[hit, twin, finding] and not archive.truth[hit, region, finding])
    return float(np.mean(swapped)) if swapped else 0.0


def _encode_archive(
    encoder: Encoder, studies: int, seed: int, workers: int, progress: Progress | None
) -> _Archive:
    plan = sample_archive(studies, seed, split=Split.TEST)
    size = encoder.bundle.manifest.image_size
    dim = encoder.bundle.manifest.embedding_dim
    regions = np.zeros((len(plan), len(REGIONS), dim), dtype=np.float32)
    whole = np.zeros((len(plan), dim), dtype=np.float32)
    truth = np.zeros((len(plan), len(REGIONS), len(Finding)), dtype=bool)
    findings = list(Finding)
    overlaps: list[float] = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        rendered = pool.imap(_render, [(study, size) for study in plan], chunksize=8)
        for n, (prepared, boxes, placed) in enumerate(rendered):
            encoding = encoder.encode_prepared([prepared])[0]
            regions[n], whole[n] = encoding.regions, encoding.global_embedding
            overlaps += [found.iou(true) for found, true in zip(encoding.boxes, boxes, strict=True)]
            for finding, where in placed:
                truth[n, [region.position for region in where], findings.index(finding)] = True
            if progress:
                progress(f"seed {seed}: render and encode", n + 1, len(plan))
    identities = {patient: n for n, patient in enumerate(dict.fromkeys(study.patient for study in plan))}
    patients = np.array([identities[study.patient] for study in plan], dtype=np.int64)
    written = [write_report(study.spec, rng_seed=study.spec.study_seed, held_out=True) for study in plan]
    region_texts, has_text = _encode_region_texts(encoder, written)
    return _Archive(
        patients=patients,
        truth=truth,
        queries=_queries(plan, truth, patients),
        regions=regions,
        whole=whole,
        region_texts=region_texts,
        has_text=has_text,
        reports=encoder.encode_texts(written),
        region_iou=float(np.mean(overlaps)),
    )


_Placed = tuple[tuple[Finding, tuple[Region, ...]], ...]


def _render(job: tuple[PlannedStudy, int]) -> tuple[PreparedImage, tuple[Box, ...], _Placed]:
    study, size = job
    cv2.setNumThreads(1)
    image = render(study.spec, RENDER_SIZE)
    shown = display_values(image)
    square, mapping = letterbox(shown, size)
    prepared = PreparedImage(square, mapping, width=shown.shape[1], height=shown.shape[0])
    placed = tuple((entry.lesion.finding, entry.regions) for entry in image.findings)
    return prepared, tuple(image.boxes[region] for region in REGIONS), placed


def _encode_region_texts(encoder: Encoder, reports: Sequence[str]) -> tuple[_Array, npt.NDArray[np.bool_]]:
    entries = [
        (n, region.position, text)
        for n, report in enumerate(reports)
        for region, text in text_by_region(parse_report(report)).items()
    ]
    unique = sorted({text for _, _, text in entries})
    encoded = dict(zip(unique, encoder.encode_texts(unique), strict=True))
    texts = np.zeros((len(reports), len(REGIONS), encoder.bundle.manifest.embedding_dim), dtype=np.float32)
    has_text = np.zeros(texts.shape[:2], dtype=bool)
    for study, region, text in entries:
        texts[study, region], has_text[study, region] = encoded[text], True
    return texts, has_text


def _queries(
    plan: Sequence[PlannedStudy], truth: npt.NDArray[np.bool_], patients: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return every (study, region, finding) asked for that has at least `MIN_RELEVANT` relevant candidates."""
    findings = list(Finding)
    rows = []
    for n, study in enumerate(plan):
        others = patients != patients[n]
        for lesion in study.spec.lesions:
            region, finding = lesion.region.position, findings.index(lesion.finding)
            if truth[n, region, finding] and (truth[:, region, finding] & others).sum() >= MIN_RELEVANT:
                rows.append((n, region, finding))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
