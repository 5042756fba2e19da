"""Test archives of held-out phantoms, rendered once and encoded by one or several models."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region, boxes_to_array
from edge_retrieve.runtime.encoder import FloatArray, ImageEncoding, PreparedImage
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding import findings_named, phrase_maps, region_weights, regions_named
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.train.datasets.corpus import FINDINGS, supervise
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.encoded import EncodedArchive, StudyEncoder, sample_queries
from edge_retrieve.train.evaluate.grounding import PhraseScores, bounding_box, collect, phrase_figures
from edge_retrieve.train.evaluate.texts import encode_reports
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, sample_archive

RENDER_SIZE = 512
MASK_GRID = 96  # cells a side that grounding is scored on
# P@5 of a query with fewer relevant cases than 5 could not reach 1 whatever is retrieved.
MIN_RELEVANT = 5
# Training phantoms whose boxes are averaged to the prior, and how large they are rendered for it.
_PRIOR_STUDIES, _PRIOR_SIZE = 32, 128

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EncodedPhantoms:
    """A phantom archive, encoded, and what is scored beside retrieval.

    Parameters
    ----------
    archive : EncodedArchive
    stated : bool array of shape [N, 29, L]
        Findings that the reports state in each region, as the report parser reads them.
    boxes : RegionBoxes
        Of all 29 regions, fractions of the image.
    phrases : PhraseScores
        Of the sentences about each lesion's region.
    """

    archive: EncodedArchive
    stated: npt.NDArray[np.bool_]
    boxes: RegionBoxes
    phrases: PhraseScores


@dataclass(frozen=True)
class _Rendered:
    """One study as it comes back from a rendering process; masks are reduced to `MASK_GRID` cells a side."""

    prepared: tuple[PreparedImage, ...]  # one for each model
    boxes: tuple[Box, ...]
    lesions: tuple[tuple[Finding, tuple[Region, ...], npt.NDArray[np.bool_]], ...]


def encode_archive(
    encoder: StudyEncoder, studies: int, seed: int, workers: int, progress: Progress | None = None
) -> EncodedPhantoms:
    """Render a test archive in `workers` processes, with held-out paraphrases, and encode it."""
    return encode_archives([encoder], studies, seed, workers, progress)[0]


def encode_archives(
    encoders: Sequence[StudyEncoder], studies: int, seed: int, workers: int, progress: Progress | None = None
) -> list[EncodedPhantoms]:
    """Render a test archive once and encode it with each of several models.

    Parameters
    ----------
    encoders : sequence of StudyEncoder
    studies, seed : int
    workers : int
        Processes that render; 0 or 1 renders in this one.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.
    """
    plan = sample_archive(studies, seed, split=Split.TEST)
    prior = _prior_boxes(seed)
    written = [write_report(study.spec, rng_seed=study.spec.study_seed, held_out=True) for study in plan]
    identities = {patient: n for n, patient in enumerate(dict.fromkeys(study.patient for study in plan))}
    patients = np.array([identities[study.patient] for study in plan], dtype=np.int64)
    passes = [_Pass(encoder, written, patients, prior) for encoder in encoders]
    jobs = [(study, tuple(encoder.image_size for encoder in encoders)) for study in plan]
    for n, rendered in enumerate(_rendered(jobs, workers)):
        for number, encoding_pass in enumerate(passes):
            encoding_pass.add(n, rendered, rendered.prepared[number])
        if progress:
            progress(f"seed {seed}: render and encode", n + 1, len(plan))
    return [encoding_pass.finish() for encoding_pass in passes]


class _Pass:
    """One model's way through an archive, study by study: only embeddings and figures are kept."""

    def __init__(
        self,
        encoder: StudyEncoder,
        written: Sequence[str],
        patients: npt.NDArray[np.int64],
        prior: npt.NDArray[np.float32],
    ) -> None:
        self._encoder, self._patients, self._prior = encoder, patients, prior
        count, dim = len(written), encoder.embedding_dim
        self._texts = encode_reports(encoder, written)
        self._stated = supervise(written)[0] > 0
        self._regions = np.zeros((count, len(REGIONS), dim), dtype=np.float32)
        self._prior_regions = np.zeros_like(self._regions)
        self._whole = np.zeros((count, dim), dtype=np.float32)
        self._truth = np.zeros((count, len(REGIONS), len(FINDINGS)), dtype=bool)
        self._found = np.zeros((count, len(REGIONS), 4), dtype=np.float32)
        self._true = np.zeros_like(self._found)
        self._scores = np.zeros((count, len(REGIONS)), dtype=np.float32)
        self._phrases: list[tuple[int, list[list[float]]]] = []

    def add(self, n: int, rendered: _Rendered, prepared: PreparedImage) -> None:
        encoding = self._encoder.encode_prepared([prepared])[0]
        size = np.array([encoding.width, encoding.height] * 2, dtype=np.float32)
        self._regions[n], self._whole[n] = encoding.regions, encoding.global_embedding
        average = [Box(*map(float, edges)) for edges in self._prior * size]
        self._prior_regions[n] = self._encoder.encode_boxes(encoding, average)
        self._found[n] = boxes_to_array(encoding.boxes) / size
        self._true[n] = boxes_to_array(rendered.boxes) / size
        self._scores[n] = encoding.box_scores
        for finding, where, _ in rendered.lesions:
            self._truth[n, [region.position for region in where], FINDINGS.index(finding)] = True
        self._phrases += [(n, each) for each in self._ground(n, encoding, rendered)]

    def _ground(self, n: int, encoding: ImageEncoding, rendered: _Rendered) -> list[list[list[float]]]:
        """Score what the report says of each lesion's region against all that lies there."""
        masks: dict[int, npt.NDArray[np.bool_]] = {}
        for region in dict.fromkeys(where[0] for _, where, _ in rendered.lesions):
            together = np.any([mask for _, where, mask in rendered.lesions if region in where], axis=0)
            if self._texts.has_text[n, region.position] and together.any() and not together.all():
                masks[region.position] = together
        if not masks:
            return []
        places = list(masks)
        about = [regions_named(self._texts.said[n][place]) for place in places]
        stated = [findings_named(self._texts.said[n][place]) for place in places]
        maps = phrase_maps(self._encoder, encoding, self._texts.region_texts[n, places], about, stated)
        figures = []
        for place, regions, found in zip(places, about, maps, strict=True):
            shown, mask = _enlarged(found.values), masks[place]
            alone = _enlarged(region_weights(encoding, regions))
            figures.append(
                [
                    phrase_figures(shown, mask),
                    phrase_figures(shown, _boxed(mask)),
                    phrase_figures(alone / max(float(alone.max()), 1e-6), mask),
                ]
            )
        return figures

    def finish(self) -> EncodedPhantoms:
        texts = self._texts
        nowhere = np.zeros((len(self._patients), len(FINDINGS)), dtype=bool)
        archive = EncodedArchive(
            patients=self._patients,
            truth=self._truth,
            anywhere=np.asarray(self._truth.any(axis=1)),
            aside=np.zeros_like(self._truth),
            queries=sample_queries(self._truth, nowhere, self._patients, MIN_RELEVANT),
            has_image=np.ones(len(self._patients), dtype=bool),
            regions=self._regions,
            whole=self._whole,
            has_text=texts.has_text,
            region_texts=texts.region_texts,
            has_report=texts.has_report,
            reports=texts.reports,
            prior_regions=self._prior_regions,
            said=texts.said,
            written=texts.written,
        )
        boxes = RegionBoxes(self._found, self._true, self._scores)
        studies = [n for n, _ in self._phrases]
        phrases = collect(self._patients[studies].tolist(), studies, [each for _, each in self._phrases])
        return EncodedPhantoms(archive, self._stated, boxes, phrases)


def _prior_boxes(seed: int) -> npt.NDArray[np.float32]:
    """Return the average boxes of training phantoms, fractions of the image, shape [29, 4]."""
    boxes = []
    for study in sample_archive(_PRIOR_STUDIES, seed, split=Split.TRAIN):
        image = render(study.spec, _PRIOR_SIZE)
        boxes.append(boxes_to_array([image.boxes[region] for region in REGIONS]) / np.float32(_PRIOR_SIZE))
    return np.asarray(np.mean(boxes, axis=0), dtype=np.float32)


def _rendered(jobs: list[tuple[PlannedStudy, tuple[int, ...]]], workers: int) -> Iterator[_Rendered]:
    if workers <= 1:
        yield from map(_render, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_render, jobs, chunksize=8)


def _render(job: tuple[PlannedStudy, tuple[int, ...]]) -> _Rendered:
    study, sizes = job
    cv2.setNumThreads(1)
    image = render(study.spec, RENDER_SIZE)
    shown = display_values(image)
    prepared = []
    for size in sizes:
        square, mapping = letterbox(shown, size)
        prepared.append(PreparedImage(square, mapping, width=shown.shape[1], height=shown.shape[0]))
    return _Rendered(
        tuple(prepared),
        tuple(image.boxes[region] for region in REGIONS),
        tuple((entry.lesion.finding, entry.regions, _reduced(entry.mask)) for entry in image.findings),
    )


def _reduced(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a mask on the coarser grid; a cell is in where any of its pixels is."""
    share = cv2.resize(mask.astype(np.float32), (MASK_GRID, MASK_GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0)


def _enlarged(values: FloatArray) -> FloatArray:
    side = (MASK_GRID, MASK_GRID)
    return np.asarray(cv2.resize(values, side, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _boxed(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the box around a mask; the mask itself where its box would be the whole image."""
    box = bounding_box(mask)
    return mask if box.all() else box
