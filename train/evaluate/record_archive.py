"""A data set's records as an encoded archive: any set with findings, places, or only reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, boxes_to_array
from edge_retrieve.runtime.encoder import FloatArray, ImageEncoding, PreparedImage
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess import letterbox, load_radiograph
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.datasets.location_set import build_location_set
from edge_retrieve.train.datasets.records import StudyRecord
from edge_retrieve.train.evaluate.encoded import EncodedArchive, StudyEncoder, sample_queries
from edge_retrieve.train.evaluate.texts import encode_reports

# Images whose found boxes are averaged to the prior; they are encoded twice.
_PRIOR_IMAGES = 32

Progress = Callable[[str, int, int], None]
_Bools = npt.NDArray[np.bool_]


class Truth(str, Enum):
    """What says which finding a study has, and where."""

    REGIONS = "regions"  # annotated findings in regions
    LABELS = "labels"  # findings of the image, of no known place: CheXpert 5x200
    REPORTS = "reports"  # the report-derived location set, see `datasets.location_set`


@dataclass(frozen=True)
class _Relevance:
    truth: _Bools  # [N, 29, L]
    unplaced: _Bools  # [N, L]
    aside: _Bools  # [N, 29, L]
    queries: npt.NDArray[np.int64]


def encode_records(
    encoder: StudyEncoder,
    records: Iterable[StudyRecord],
    *,
    truth: Truth | None = None,
    least: int = 1,
    progress: Progress | None = None,
) -> EncodedArchive:
    """Encode images and reports of a data set, one after the other; only embeddings are kept.

    Parameters
    ----------
    encoder : StudyEncoder
    records : iterable of StudyRecord
        Frontal images; others are left out. A record whose image is no file (``Path()``) is text alone.
    truth : Truth, optional
        By default the first of `Truth` that any record has.
    least : int
        Relevant studies of other patients that a query needs.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ArchiveError
        No record has what `truth` asks for.
    PixelError
        An image cannot be read.
    """
    held = [record for record in records if record.frontal is not False]
    relevance = _relevance(held, truth or _truth_of(held), least)
    texts = encode_reports(encoder, [record.report for record in held])
    prior = _average_boxes(encoder, held)
    count, dim = len(held), encoder.embedding_dim
    regions = np.zeros((count, len(REGIONS), dim), dtype=np.float32)
    prior_regions = np.zeros_like(regions)
    whole = np.zeros((count, dim), dtype=np.float32)
    for n, record in enumerate(held):
        if _pictured(record):
            encoding = encode_file(encoder, record.image)
            regions[n], whole[n] = encoding.regions, encoding.global_embedding
            size = np.array([encoding.width, encoding.height] * 2, dtype=np.float32)
            placed = [Box(*map(float, edges)) for edges in prior * size]
            prior_regions[n] = encoder.encode_boxes(encoding, placed)
        if progress:
            progress("encode", n + 1, count)
    return EncodedArchive(
        patients=_numbered([record.patient for record in held]),
        truth=relevance.truth,
        anywhere=np.asarray(relevance.unplaced | relevance.truth.any(axis=1)),
        aside=relevance.aside,
        queries=relevance.queries,
        has_image=np.array([_pictured(record) for record in held], dtype=bool),
        regions=regions,
        whole=whole,
        has_text=texts.has_text,
        region_texts=texts.region_texts,
        has_report=texts.has_report,
        reports=texts.reports,
        prior_regions=prior_regions,
        said=texts.said,
        written=texts.written,
    )


def encode_file(encoder: StudyEncoder, path: Path) -> ImageEncoding:
    """Read one image file and encode it.

    Raises
    ------
    PixelError
        It cannot be read.
    """
    pixels = load_radiograph(path).pixels
    square, mapping = letterbox(pixels, encoder.image_size)
    prepared = PreparedImage(square, mapping, width=pixels.shape[1], height=pixels.shape[0])
    return encoder.encode_prepared([prepared])[0]


def _pictured(record: StudyRecord) -> bool:
    return record.image != Path()


def _truth_of(records: Sequence[StudyRecord]) -> Truth:
    if any(record.statements for record in records):
        return Truth.REGIONS
    return Truth.LABELS if any(record.labels for record in records) else Truth.REPORTS


def _relevance(records: Sequence[StudyRecord], truth: Truth, least: int) -> _Relevance:
    patients = _numbered([record.patient for record in records])
    if truth is Truth.REPORTS:
        return _from_reports(records, least)
    present = [
        [
            (statement.region.position if truth is Truth.REGIONS else -1, statement.finding)
            for statement in record.statements
            if statement.assertion is Assertion.PRESENT
        ]
        + [(-1, name) for name, assertion in record.labels.items() if assertion is Assertion.PRESENT]
        for record in records
    ]
    names = sorted({name for row in present for _, name in row})
    placed = np.zeros((len(records), len(REGIONS), len(names)), dtype=bool)
    unplaced = np.zeros((len(records), len(names)), dtype=bool)
    for n, row in enumerate(present):
        for place, name in row:
            if place < 0:
                unplaced[n, names.index(name)] = True
            else:
                placed[n, place, names.index(name)] = True
    queries = sample_queries(placed, unplaced, patients, least)
    if not len(queries):
        raise ArchiveError(
            f"no finding is had by {least + 1} patients",
            where=f"{len(records)} cases, {truth.value}",
            remedy="Give more cases, or lower --min-relevant",
        )
    return _Relevance(placed, unplaced, np.zeros_like(placed), queries)


def _from_reports(records: Sequence[StudyRecord], least: int) -> _Relevance:
    located = build_location_set(records, min_patients=least + 1)
    row_of: dict[str, int] = {}
    for n, record in enumerate(records):
        row_of.setdefault(record.image_id, n)
    rows = np.array([row_of[image] for image in located.images], dtype=np.int64)
    truth = np.zeros((len(records), len(REGIONS), len(FINDINGS)), dtype=bool)
    aside = np.zeros_like(truth)
    # A study's further images are no candidates: the set knows one image of each.
    aside[np.setdiff1d(np.arange(len(records)), rows)] = True
    queries = []
    for pair in located.pairs:
        place, finding = pair.region.position, FINDINGS.index(pair.finding)
        truth[rows[list(pair.positives)], place, finding] = True
        aside[rows[list(pair.left_out)], place, finding] = True
        queries += [(int(rows[query]), place, finding) for query in pair.queries]
    unplaced = np.zeros((len(records), len(FINDINGS)), dtype=bool)
    return _Relevance(truth, unplaced, aside, np.array(sorted(queries), dtype=np.int64).reshape(-1, 3))


def _average_boxes(encoder: StudyEncoder, records: Sequence[StudyRecord]) -> FloatArray:
    """Return the mean of the boxes found on some images, evenly spread, fractions of the image [29, 4]."""
    files = [record.image for record in records if _pictured(record)]
    chosen = (
        [files[n] for n in np.unique(np.linspace(0, len(files) - 1, _PRIOR_IMAGES).astype(int))]
        if files
        else []
    )
    boxes = []
    for path in chosen:
        encoding = encode_file(encoder, path)
        size = np.array([encoding.width, encoding.height] * 2, dtype=np.float32)
        boxes.append(boxes_to_array(encoding.boxes) / size)
    return np.asarray(np.mean(boxes, axis=0) if boxes else np.zeros((len(REGIONS), 4)), dtype=np.float32)


def _numbered(patients: Sequence[str]) -> npt.NDArray[np.int64]:
    numbers = {patient: n for n, patient in enumerate(dict.fromkeys(patients))}
    return np.array([numbers[patient] for patient in patients], dtype=np.int64)
