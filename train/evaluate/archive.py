"""A test archive of held-out phantoms, rendered and encoded."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding, PreparedImage
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding import similarity_maps
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate.grounding import GroundingFigures, summarize
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, sample_archive

RENDER_SIZE = 512
MASK_GRID = 96  # cells a side that grounding is scored on
# P@5 of a query with fewer relevant cases than 5 could not reach 1 whatever is retrieved.
MIN_RELEVANT = 5

Progress = Callable[[str, int, int], None]
_Array = npt.NDArray[np.float32]


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
    grounding : GroundingFigures
        Of each lesion's sentence against the lesion's mask.
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
    grounding: GroundingFigures


@dataclass(frozen=True)
class _Rendered:
    """One study as it comes back from a rendering process; masks are reduced to `MASK_GRID` cells a side."""

    prepared: PreparedImage
    boxes: tuple[Box, ...]
    lesions: tuple[tuple[Finding, tuple[Region, ...], npt.NDArray[np.bool_]], ...]


def encode_archive(
    encoder: Encoder, studies: int, seed: int, workers: int, progress: Progress | None
) -> EncodedArchive:
    """Render a test archive in `workers` processes, with held-out paraphrases, and encode it."""
    plan = sample_archive(studies, seed, split=Split.TEST)
    manifest = encoder.bundle.manifest
    written = [write_report(study.spec, rng_seed=study.spec.study_seed, held_out=True) for study in plan]
    region_texts, has_text = _encode_region_texts(encoder, written)
    regions = np.zeros((len(plan), len(REGIONS), manifest.embedding_dim), dtype=np.float32)
    whole = np.zeros((len(plan), manifest.embedding_dim), dtype=np.float32)
    truth = np.zeros((len(plan), len(REGIONS), len(FINDINGS)), dtype=bool)
    overlaps: list[float] = []
    grounded: list[tuple[_Array, npt.NDArray[np.bool_]]] = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        jobs = [(study, manifest.image_size) for study in plan]
        for n, rendered in enumerate(pool.imap(_render, jobs, chunksize=8)):
            encoding = encoder.encode_prepared([rendered.prepared])[0]
            regions[n], whole[n] = encoding.regions, encoding.global_embedding
            overlaps += [found.iou(true) for found, true in zip(encoding.boxes, rendered.boxes, strict=True)]
            for finding, where, _ in rendered.lesions:
                truth[n, [region.position for region in where], FINDINGS.index(finding)] = True
            masks = {where[0].position: mask for _, where, mask in rendered.lesions}
            grounded += _ground(encoder, encoding, masks, region_texts[n], has_text[n])
            if progress:
                progress(f"seed {seed}: render and encode", n + 1, len(plan))
    identities = {patient: n for n, patient in enumerate(dict.fromkeys(study.patient for study in plan))}
    patients = np.array([identities[study.patient] for study in plan], dtype=np.int64)
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
        grounding=summarize(grounded),
    )


def _render(job: tuple[PlannedStudy, int]) -> _Rendered:
    study, size = job
    cv2.setNumThreads(1)
    image = render(study.spec, RENDER_SIZE)
    shown = display_values(image)
    square, mapping = letterbox(shown, size)
    return _Rendered(
        PreparedImage(square, mapping, width=shown.shape[1], height=shown.shape[0]),
        tuple(image.boxes[region] for region in REGIONS),
        tuple((entry.lesion.finding, entry.regions, _reduced(entry.mask)) for entry in image.findings),
    )


def _reduced(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a mask on the coarser grid; a cell is in where any of its pixels is."""
    share = cv2.resize(mask.astype(np.float32), (MASK_GRID, MASK_GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0)


def _ground(
    encoder: Encoder,
    encoding: ImageEncoding,
    masks: Mapping[int, npt.NDArray[np.bool_]],
    texts: _Array,
    has_text: npt.NDArray[np.bool_],
) -> list[tuple[_Array, npt.NDArray[np.bool_]]]:
    """Return the map of what the report says of each lesion's region, beside the lesion's mask."""
    places = [place for place, mask in masks.items() if has_text[place] and mask.any() and not mask.all()]
    if not places:
        return []
    side = (MASK_GRID, MASK_GRID)
    maps = similarity_maps(encoder, encoding, texts[places])
    return [
        (np.asarray(cv2.resize(each, side, interpolation=cv2.INTER_LINEAR), dtype=np.float32), masks[place])
        for each, place in zip(maps, places, strict=True)
    ]


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
    rows = []
    for n, study in enumerate(plan):
        others = patients != patients[n]
        for lesion in study.spec.lesions:
            region, finding = lesion.region.position, FINDINGS.index(lesion.finding)
            if truth[n, region, finding] and (truth[:, region, finding] & others).sum() >= MIN_RELEVANT:
                rows.append((n, region, finding))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
