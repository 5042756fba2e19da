"""VinDr-CXR 1.0.0 (PhysioNet): boxes of 22 findings by three readers (training) or their consensus (test).

Layout: ``train/<image_id>.dicom``, ``test/<image_id>.dicom``, ``annotations/annotations_{train,test}.csv``,
``annotations/image_labels_{train,test}.csv``. There are no reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.train.datasets.records import GroundedPhrase, Roots, StudyRecord
from edge_retrieve.train.datasets.tables import DiskIndex, Row, number, read_table, require
from edge_retrieve.train.phantom.sampling import Split

DOWNLOAD = "VinDr-CXR 1.0.0 (physionet.org/content/vindr-cxr)"

_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_NO_BOX = {"", "nan"}


@dataclass(frozen=True)
class _Part:
    folder: Path
    split: Split
    boxes: DiskIndex
    labels: DiskIndex
    names: list[str]
    path: Path


def read_vindr_cxr(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the images of both splits with the boxes of all readers.

    A finding that two readers of an image saw is present, one that a single reader of several saw uncertain.
    Patients are not published: every image counts as one.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    return _records([_part(roots, name) for name in ("train", "test")])


def _part(roots: Roots, name: str) -> _Part:
    path = require(roots.root, f"annotations/annotations_{name}.csv", download=DOWNLOAD)
    labelled = require(roots.root, f"annotations/image_labels_{name}.csv", download=DOWNLOAD)
    folder = require(roots.images or roots.root, name, download=DOWNLOAD)
    columns = ["class_name", *_CORNERS]
    boxes = DiskIndex.of(read_table(path, ["image_id", *columns]), "image_id", columns)
    names: list[str] = []
    labels = DiskIndex.of_pairs(_votes(read_table(labelled, ["image_id"]), names))
    return _Part(folder, Split.TRAIN if name == "train" else Split.TEST, boxes, labels, names, path)


def _votes(rows: Iterator[Row], names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each reader's labels of an image, filling in the names of the columns."""
    for row in rows:
        if not names:
            names.extend(name for name in row if name not in ("image_id", "rad_id", "rad_ID"))
        yield row["image_id"], [row[name] for name in names]


def _records(parts: list[_Part]) -> Iterator[StudyRecord]:
    for part in parts:
        for image_id in part.labels.keys():  # noqa: SIM118 - not a mapping
            grouped: dict[str, list[Box]] = {}
            for cells in part.boxes.all(image_id):
                row = dict(zip(("class_name", *_CORNERS), cells, strict=True))
                if row["x_min"].strip().lower() in _NO_BOX:  # "No finding"
                    continue
                box = Box(*(number(row, corner, part.path) for corner in _CORNERS))
                boxes = grouped.setdefault(row["class_name"], [])
                if box.area > 0 and box not in boxes:
                    boxes.append(box)
            yield StudyRecord(
                image=part.folder / f"{image_id}.dicom",
                image_id=image_id,
                study=image_id,
                patient=image_id,
                frontal=True,  # posterior-anterior by the data set's selection
                split=part.split,
                phrases=tuple(GroundedPhrase(name, tuple(boxes), name) for name, boxes in grouped.items()),
                labels=_labels(part.labels.all(image_id), part.names),
            )


def _labels(votes: list[tuple[str, ...]], names: list[str]) -> dict[str, Assertion]:
    """Return the labels of an image from the votes of its readers; one row is the consensus."""
    found = {}
    for column, name in enumerate(names):
        count = sum(vote[column].strip() in ("1", "1.0") for vote in votes)
        if count == 0:
            found[name] = Assertion.ABSENT
        else:
            found[name] = Assertion.PRESENT if count >= min(2, len(votes)) else Assertion.UNCERTAIN
    return found
