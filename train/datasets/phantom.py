"""Phantom studies as a training corpus, rendered once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, boxes_to_array
from edge_retrieve.train.config import DataConfig
from edge_retrieve.train.datasets.corpus import (
    FINDINGS,
    LUNG_SIDE,
    MASK_SIDE,
    Corpus,
    LesionMasks,
    supervise,
)
from edge_retrieve.train.digest import renderer_digest
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.geometry import SIDES
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import Density, PlannedStudy, Split, sample_archive

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Job:
    study: PlannedStudy
    render_size: int
    image_size: int


@dataclass(frozen=True)
class _Rendered:
    pixels: npt.NDArray[np.uint8]  # [S, S]
    boxes: npt.NDArray[np.float32]  # [29, 4]
    findings: tuple[int, ...]
    masks: npt.NDArray[np.uint8]  # [lesions, 64, 64]
    lungs: npt.NDArray[np.uint8]  # [2, 128, 128]


def _render(job: _Job) -> _Rendered:
    cv2.setNumThreads(1)
    image = render(job.study.spec, job.render_size)
    shown = display_values(image)
    side = (job.image_size, job.image_size)
    small = cv2.resize(shown, side, interpolation=cv2.INTER_AREA)
    placed = [image.boxes[region] for region in REGIONS]
    masks = [_coarse(entry.mask, MASK_SIDE) for entry in image.findings]
    return _Rendered(
        np.round(small * 255.0).astype(np.uint8),
        boxes_to_array(placed) / np.float32(job.render_size),
        tuple(FINDINGS.index(entry.lesion.finding) for entry in image.findings),
        np.array(masks, dtype=np.uint8).reshape(-1, MASK_SIDE, MASK_SIDE),
        np.array([_coarse(lung, LUNG_SIDE) for lung in image.lungs], dtype=np.uint8),
    )


def _coarse(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.uint8]:
    scaled = cv2.resize(mask.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _rendered(jobs: list[_Job], workers: int) -> Iterator[_Rendered]:
    if workers <= 1:
        yield from map(_render, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_render, jobs, chunksize=16)


def load_phantom_corpus(
    config: DataConfig, image_size: int, split: Split, progress: Progress | None = None
) -> Corpus:
    """Render phantom studies, or take them from the cache.

    Parameters
    ----------
    config : DataConfig
    image_size : int
        Side of the square the model takes, pixels.
    split : Split
        `Split.TRAIN` gives `config.studies` studies, any other `config.validation_studies`.
    progress : callable, optional
        Called with studies done and studies in all.
    """
    count = config.studies if split is Split.TRAIN else config.validation_studies
    # Validation studies are as the test's; only what is trained on may be crowded.
    density = config.density if split is Split.TRAIN else Density.CLINICAL
    plan = sample_archive(count, config.seed, split=split, density=density)
    reports = [
        write_report(study.spec, rng_seed=study.spec.study_seed, held_out=split is Split.TEST)
        for study in plan
    ]
    drawn = [count, config.seed, density.value, split.value, renderer_digest()]
    key = json.dumps([*drawn, config.render_size, image_size, LUNG_SIDE])
    folder = Path(config.cache).expanduser() / hashlib.sha256(key.encode()).hexdigest()[:16]
    if not (folder / "boxes.npy").is_file():
        _fill(
            folder, [_Job(study, config.render_size, image_size) for study in plan], config.workers, progress
        )
    labels, region_texts = supervise(reports)
    identities = {patient: n for n, patient in enumerate(dict.fromkeys(study.patient for study in plan))}
    return Corpus(
        pixels=np.load(folder / "pixels.npy", mmap_mode="r"),
        boxes=np.load(folder / "boxes.npy"),
        patients=np.array([identities[study.patient] for study in plan], dtype=np.int64),
        reports=reports,
        labels=labels,
        region_texts=region_texts,
        lesions=_load_lesions(folder / "lesions.npz"),
        lungs=np.load(folder / "lungs.npy"),
    )


def _load_lesions(path: Path) -> LesionMasks:
    with np.load(path) as stored:
        return LesionMasks(stored["studies"], stored["findings"], stored["masks"])


def _fill(folder: Path, jobs: list[_Job], workers: int, progress: Progress | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    size = jobs[0].image_size
    pixels = np.lib.format.open_memmap(
        folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(len(jobs), size, size)
    )
    boxes = np.zeros((len(jobs), len(REGIONS), 4), dtype=np.float32)
    lungs = np.zeros((len(jobs), len(SIDES), LUNG_SIDE, LUNG_SIDE), dtype=np.uint8)
    studies: list[int] = []
    findings: list[int] = []
    masks: list[npt.NDArray[np.uint8]] = []
    for row, rendered in enumerate(_rendered(jobs, workers)):
        pixels[row], boxes[row], lungs[row] = rendered.pixels, rendered.boxes, rendered.lungs
        studies += [row] * len(rendered.findings)
        findings += rendered.findings
        masks.append(rendered.masks)
        if progress:
            progress(row + 1, len(jobs))
    np.savez(
        folder / "lesions.npz",
        studies=np.array(studies, dtype=np.int64),
        findings=np.array(findings, dtype=np.int64),
        masks=np.concatenate(masks),
    )
    pixels.flush()
    np.save(folder / "lungs.npy", lungs)
    # The boxes are written last, under a temporary name: their presence says the cache is whole.
    partial = folder / "boxes.partial.npy"
    np.save(partial, boxes)
    partial.replace(folder / "boxes.npy")
