"""PadChest-GR (BIMCV): sentences of reports with boxes, on images of PadChest.

Layout: ``grounded_reports_*.json`` (StudyID, ImageID, findings with sentence_en, boxes as fractions),
``master_table.csv`` (StudyID, PatientID, split), and the PNG files below ``PadChest_GR`` or
``Padchest_GR_files``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.mimic_cxr import SPLITS
from edge_retrieve.train.datasets.records import GroundedPhrase, Roots, StudyRecord
from edge_retrieve.train.datasets.tables import DiskIndex, read_json, read_table, require

DOWNLOAD = "PadChest-GR (bimcv.cipf.es/bimcv-projects/padchest-gr)"
FOLDERS = ("Padchest_GR_files/PadChest_GR", "PadChest_GR", "Padchest_GR_files", "images")


def read_padchest_gr(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the frontal images with their English report and its grounded sentences.

    The JSON file is read whole (4,555 studies, some 10 MB). An image file that is missing leaves its record
    without boxes: they are fractions of a size that only the file tells.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    path = require(roots.root, "grounded_reports_*.json", download=DOWNLOAD)
    table = require(roots.root, "master_table.csv", "master_table.csv/master_table.csv", download=DOWNLOAD)
    images = roots.images or require(roots.root, *FOLDERS, download=f"the images of {DOWNLOAD}")
    rows = read_table(table, ["StudyID", "PatientID", "split"])
    master = DiskIndex.of(rows, "StudyID", ["PatientID", "split"])
    studies = read_json(path)
    return _records(studies, master, images, path)


def _records(studies: Any, master: DiskIndex, images: Path, path: Path) -> Iterator[StudyRecord]:
    try:
        for study in studies:
            yield _record(study, master, images, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataSetError(
            f"a study is not of the published form ({error!r})", where=str(path), remedy=f"Use {DOWNLOAD}"
        ) from error


def _record(study: Mapping[str, Any], master: DiskIndex, images: Path, path: Path) -> StudyRecord:
    name, image = str(study["StudyID"]), images / str(study["ImageID"])
    known = master.first(name)
    if known is None:
        raise DataSetError(
            f"study {name} has no row in master_table.csv", where=str(path), remedy=f"Use {DOWNLOAD}"
        )
    size = _size(image)
    sentences: list[str] = []
    phrases: list[GroundedPhrase] = []
    labels: dict[str, Assertion] = {}
    for finding in study["findings"]:
        sentence = " ".join(str(finding.get("sentence_en") or "").split())
        if sentence:
            sentences.append(sentence if sentence[-1] in ".!?" else f"{sentence}.")
        named = [str(label) for label in finding.get("labels") or []]
        if finding.get("abnormal"):
            labels.update(dict.fromkeys(named, Assertion.PRESENT))
        # Both lists mark places of the sentence.
        boxes = _boxes([*(finding.get("boxes") or []), *(finding.get("extra_boxes") or [])], size)
        if sentence and boxes:
            phrases.append(GroundedPhrase(sentence, boxes, ", ".join(named)))
    return StudyRecord(
        image=image,
        image_id=str(study["ImageID"]),
        study=name,
        patient=known[0],
        view=View.UNKNOWN,
        frontal=True,  # PadChest-GR took frontal images only
        report=f"FINDINGS: {' '.join(sentences)}" if sentences else "",
        split=SPLITS.get(known[1]),
        frame=size,
        phrases=tuple(phrases),
        labels=labels,
    )


def _boxes(fractions: list[list[float]], size: tuple[int, int] | None) -> tuple[Box, ...]:
    """Return boxes in pixels from fractions of width and height, empty and repeated ones left out."""
    if size is None:
        return ()
    width, height = size
    boxes = (
        Box(x1 * width, y1 * height, x2 * width, y2 * height).clipped(width, height)
        for x1, y1, x2, y2 in fractions
    )
    return tuple(dict.fromkeys(box for box in boxes if box.area > 0))


def _size(path: Path) -> tuple[int, int] | None:
    """Return an image's width and height from its header; None where there is no readable file."""
    try:
        with Image.open(path) as image:
            return int(image.width), int(image.height)
    except (OSError, ValueError):
        return None
