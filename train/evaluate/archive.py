"""A test archive of held-out phantoms, rendered and encoded."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.encoder import Encoder, PreparedImage
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, sample_archive

RENDER_SIZE = 512
# P@5 of a query with fewer relevant cases than 5 could not reach 1 whatever is retrieved.
MIN_RELEVANT = 5

Progress = Callable[[str, int, int], None]
_Array = npt.NDArray[np.float32]
_Placed = tuple[tuple[Finding, tuple[Region, ...]], ...]


@dataclass(frozen=True)
class EncodedArchive:
    """Everything encoded; row n of each array is study n.

    Parameters
    ----------
    patients : int64 array of shape [N]
    truth : bool array of shape [N, 29, L]
        Findings present in each region, by the archive's truth.
    queries : int64 array of shape [Q, 3]
        Study, region and finding of each query.
    regions : float32 array of shape [N, 29, D]
    whole : float32 array of shape [N, D]
    region_texts : float32 array of shape [N, 29, D]
        Zero where the report says nothing of the region.
    has_text : bool array of shape [N, 29]
    reports : float32 array of shape [N, D]
        Whole reports.
    region_iou : float
        Mean IoU of the 29 boxes.
    """

    patients: npt.NDArray[np.int64]
    truth: npt.NDArray[np.bool_]
    queries: npt.NDArray[np.int64]
    regions: _Array
    whole: _Array
    region_texts: _Array
    has_text: npt.NDArray[np.bool_]
    reports: _Array
    region_iou: float


def encode_archive(
    encoder: Encoder, studies: int, seed: int, workers: int, progress: Progress | None
) -> EncodedArchive:
    """Render a test archive in `workers` processes, with held-out paraphrases, and encode it."""
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
    return EncodedArchive(
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
    """Return every (study, region, finding) asked for with at least `MIN_RELEVANT` relevant candidates."""
    findings = list(Finding)
    rows = []
    for n, study in enumerate(plan):
        others = patients != patients[n]
        for lesion in study.spec.lesions:
            region, finding = lesion.region.position, findings.index(lesion.finding)
            if truth[n, region, finding] and (truth[:, region, finding] & others).sum() >= MIN_RELEVANT:
                rows.append((n, region, finding))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
