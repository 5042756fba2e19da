"""Indiana University chest X-rays (Open-i), as distributed with two tables.

Layout: ``indiana_reports.csv`` (uid, MeSH, ..., findings, impression), ``indiana_projections.csv`` (uid,
filename, projection), and the PNG files below ``images/images_normalized``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.records import Roots, StudyRecord
from edge_retrieve.train.datasets.tables import DiskIndex, Row, read_table, require

DOWNLOAD = "the Indiana University chest X-ray collection (openi.nlm.nih.gov)"
FOLDERS = ("images/images_normalized", "images_normalized", "images")

_FRONTAL = {"Frontal": True, "Lateral": False}


def read_iu_xray(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the images with the report of their study.

    Patients are not published: every study counts as one. A projection says frontal or lateral, not PA or AP.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    reports = require(roots.root, "indiana_reports.csv", download=DOWNLOAD)
    projections = require(roots.root, "indiana_projections.csv", download=DOWNLOAD)
    images = roots.images or require(roots.root, *FOLDERS, download=f"the images of {DOWNLOAD}")
    texts = DiskIndex.of(
        read_table(reports, ["uid", "findings", "impression"]), "uid", ["findings", "impression"]
    )
    return _records(read_table(projections, ["uid", "filename", "projection"]), texts, images)


def _records(rows: Iterator[Row], texts: DiskIndex, images: Path) -> Iterator[StudyRecord]:
    for row in rows:
        findings, impression = texts.first(row["uid"]) or ("", "")
        parts = (("FINDINGS", findings), ("IMPRESSION", impression))
        frontal = _FRONTAL.get(row["projection"])
        yield StudyRecord(
            image=images / row["filename"],
            image_id=row["filename"],
            study=row["uid"],
            patient=row["uid"],
            view=View.LATERAL if frontal is False else View.UNKNOWN,
            frontal=frontal,
            report="\n".join(f"{name}: {' '.join(body.split())}" for name, body in parts if body.strip()),
        )
