"""Phrase grounding on annotated images: phrases with boxes, as MS-CXR has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.encoder import FloatArray, ImageEncoding
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.grounding import findings_named, phrase_maps, region_weights, regions_named
from edge_retrieve.train.datasets.records import StudyRecord
from edge_retrieve.train.evaluate.encoded import StudyEncoder
from edge_retrieve.train.evaluate.grounding import (
    GROUNDING_METRICS,
    PhraseScores,
    collect,
    phrase_figures,
)
from edge_retrieve.train.evaluate.record_archive import encode_file

GRID = 224  # cells a side that grounding is scored on: a box edge is off by at most half of 1/224

Progress = Callable[[str, int, int], None]


def ground_records(
    encoder: StudyEncoder, records: Iterable[StudyRecord], progress: Progress | None = None
) -> PhraseScores:
    """Score every phrase that has boxes.

    Parameters
    ----------
    encoder : StudyEncoder
    records : iterable of StudyRecord
        Those without phrases are passed over.
    progress : callable, optional
        Called with a phase's name, images done and images in all.

    Returns
    -------
    PhraseScores
        Against the union of a phrase's boxes; the column `Versus.BOX` is not measured.

    Raises
    ------
    ArchiveError
        No record has a phrase with a box inside its image.
    PixelError
        An image cannot be read.
    """
    held = [record for record in records if any(phrase.boxes for phrase in record.phrases)]
    numbers: dict[str, int] = {}
    patients: list[int] = []
    studies: list[int] = []
    figures: list[list[list[float]]] = []
    for n, record in enumerate(held):
        encoding = encode_file(encoder, record.image)
        found = _ground(encoder, encoding, record)
        figures += found
        studies += [n] * len(found)
        patients += [numbers.setdefault(record.patient, len(numbers))] * len(found)
        if progress:
            progress("ground", n + 1, len(held))
    if not figures:
        raise ArchiveError(
            "no phrase has a box inside its image",
            where=f"{len(held)} images with phrases",
            remedy="Give phrases with boxes in pixels of the image",
        )
    return collect(patients, studies, figures)


def _ground(encoder: StudyEncoder, encoding: ImageEncoding, record: StudyRecord) -> list[list[list[float]]]:
    frame = record.frame or (encoding.width, encoding.height)
    masks = {phrase.text: boxes_mask(phrase.boxes, frame) for phrase in record.phrases if phrase.text.strip()}
    texts = [text for text, mask in masks.items() if mask.any() and not mask.all()]
    if not texts:
        return []
    about = [regions_named(text) for text in texts]
    stated = [findings_named(text) for text in texts]
    maps = phrase_maps(encoder, encoding, encoder.encode_texts(texts), about, stated)
    figures = []
    for text, regions, found in zip(texts, about, maps, strict=True):
        alone = _enlarged(region_weights(encoding, regions))
        figures.append(
            [
                phrase_figures(_enlarged(found.values), masks[text]),
                [float("nan")] * len(GROUNDING_METRICS),
                phrase_figures(alone / max(float(alone.max()), 1e-6), masks[text]),
            ]
        )
    return figures


def boxes_mask(boxes: Sequence[Box], frame: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the union of boxes, in pixels of a frame (width, height), as a mask of 224 x 224 cells.

    A cell is in where its centre is.
    """
    steps = (np.arange(GRID) + 0.5) / GRID
    xs, ys = steps * frame[0], steps * frame[1]
    mask = np.zeros((GRID, GRID), dtype=bool)
    for box in boxes:
        mask |= np.outer((box.y1 <= ys) & (ys < box.y2), (box.x1 <= xs) & (xs < box.x2))
    return mask


def _enlarged(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.resize(values, (GRID, GRID), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
