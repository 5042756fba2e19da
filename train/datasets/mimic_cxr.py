"""MIMIC-CXR-JPG 2.x with the reports of MIMIC-CXR (PhysioNet), and what sets annotated on it share.

Layout: ``files/p10/p10000032/s50414267/<dicom_id>.jpg``, ``mimic-cxr-2.0.0-{split,metadata,chexpert}.csv.gz``
beside it; reports in ``files/p10/p10000032/s50414267.txt`` of the other download.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.preprocess.view import view_in_words
from edge_retrieve.train.datasets.mimic_reports import report_of
from edge_retrieve.train.datasets.records import Roots, StudyRecord, is_frontal
from edge_retrieve.train.datasets.tables import DiskIndex, Row, read_table, require
from edge_retrieve.train.phantom.sampling import Split

IMAGES_DOWNLOAD = "MIMIC-CXR-JPG 2.x (physionet.org/content/mimic-cxr-jpg)"
REPORTS_DOWNLOAD = "mimic-cxr-reports.zip of MIMIC-CXR (physionet.org/content/mimic-cxr)"
SPLITS = {
    "train": Split.TRAIN,
    "validate": Split.VAL,
    "validation": Split.VAL,
    "valid": Split.VAL,
    "val": Split.VAL,
    "test": Split.TEST,
}

_CODED_VIEWS = "ViewCodeSequence_CodeMeaning"
_PROCEDURE = "PerformedProcedureStepDescription"
CHEXPERT_VALUES = {"1": Assertion.PRESENT, "0": Assertion.ABSENT, "-1": Assertion.UNCERTAIN}


@dataclass(frozen=True)
class ImageFacts:
    """What the metadata table says of an image.

    Parameters
    ----------
    subject, study : str
    view : View
    size : (int, int) or None
        Width and height of the original, pixels.
    """

    subject: str
    study: str
    view: View
    size: tuple[int, int] | None


class MimicTree:
    """The images, the metadata and the reports of MIMIC-CXR on disk.

    Parameters
    ----------
    images : Path
        Unpacked MIMIC-CXR-JPG.
    reports : Path, optional
        Unpacked reports; those beside the images by default.

    Raises
    ------
    DataSetError
        Where a file is missing; names it and its download.
    """

    def __init__(self, images: Path, reports: Path | None = None) -> None:
        self.images = require(images, "files", download=IMAGES_DOWNLOAD)
        self._reports = self.images if reports is None else require(
            reports, "files", download=REPORTS_DOWNLOAD
        )  # fmt: skip
        metadata = require(images, "mimic-cxr-2.*-metadata.csv", download=IMAGES_DOWNLOAD)
        columns = ["subject_id", "study_id", "ViewPosition", "Rows", "Columns"]
        rows = read_table(metadata, ["dicom_id", *columns])
        self._facts = DiskIndex.of(rows, "dicom_id", [*columns, _CODED_VIEWS, _PROCEDURE])

    def image(self, subject: str, study: str, dicom: str) -> Path:
        """Return where an image lies."""
        return self.images / f"p{subject[:2]}" / f"p{subject}" / f"s{study}" / f"{dicom}.jpg"

    def report(self, subject: str, study: str) -> str:
        """Return findings and impression of a study, empty where there is no report file."""
        path = self._reports / f"p{subject[:2]}" / f"p{subject}" / f"s{study}.txt"
        try:
            return report_of(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise DataSetError(
                f"the report cannot be read ({error.strerror})", where=str(path), remedy="Check the disk"
            ) from error

    def facts(self, dicom: str) -> ImageFacts | None:
        """Return what the metadata says of an image, None where it has no row."""
        found = self._facts.first(dicom)
        if found is None:
            return None
        subject, study, position, rows, columns, coded, _ = found
        size = (int(float(columns)), int(float(rows))) if rows and columns else None
        return ImageFacts(subject, study, _view(position, coded), size)


def _view(position: str, coded: str) -> View:
    """Return the view that ViewPosition and the view code name, unknown where they contradict each other.

    ViewPosition is missing for some 4 % of the images and wrong for a few; the code comes from another
    field of the original header.
    """
    named = [view for text in (position, coded.replace("-", " ")) if (view := view_in_words(text))]
    if not named and coded:
        words = {"postero-anterior": View.PA, "antero-posterior": View.AP}
        named = [words[coded.lower()]] if coded.lower() in words else []
    first = named[0] if named else View.UNKNOWN
    if any(is_frontal(view) is not is_frontal(first) for view in named):
        return View.UNKNOWN
    return first


def chexpert_labels(cells: Row) -> dict[str, Assertion]:
    """Return CheXpert labels: 1 present, 0 absent, -1 uncertain; a blank was not spoken of."""
    found = {}
    for name, cell in cells.items():
        value = cell.strip()
        key = value[: -len(".0")] if value.endswith(".0") else value
        if key in CHEXPERT_VALUES:
            found[name] = CHEXPERT_VALUES[key]
    return found


def read_mimic_cxr(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the images of MIMIC-CXR-JPG with their reports, in the order of the split table.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    images = roots.images or roots.root
    tree = MimicTree(images, roots.reports)
    split = require(roots.root, "mimic-cxr-2.*-split.csv", download=IMAGES_DOWNLOAD)
    rows = read_table(split, ["dicom_id", "study_id", "subject_id", "split"])
    return _records(tree, rows, _labels(roots.root))


def _records(tree: MimicTree, rows: Iterator[Row], labels: _Labels) -> Iterator[StudyRecord]:
    for row in rows:
        subject, study, dicom = row["subject_id"], row["study_id"], row["dicom_id"]
        facts = tree.facts(dicom)
        view = facts.view if facts else View.UNKNOWN
        yield StudyRecord(
            image=tree.image(subject, study, dicom),
            image_id=dicom,
            study=study,
            patient=subject,
            view=view,
            frontal=is_frontal(view),
            report=tree.report(subject, study),
            split=SPLITS.get(row["split"]),
            frame=facts.size if facts else None,
            labels=labels.of(study),
        )


class _Labels:
    """The labels of studies, where their table was downloaded."""

    def __init__(self, names: list[str], index: DiskIndex | None) -> None:
        self._names, self._index = names, index

    def of(self, study: str) -> dict[str, Assertion]:
        found = self._index.first(study) if self._index is not None else None
        return {} if found is None else chexpert_labels(dict(zip(self._names, found, strict=True)))


def _labels(root: Path) -> _Labels:
    path = min(root.glob("mimic-cxr-2.*-chexpert.csv*"), default=None)
    if path is None:
        return _Labels([], None)
    rows = read_table(path, ["subject_id", "study_id"])
    names: list[str] = []

    def pairs() -> Iterator[tuple[str, list[str]]]:
        for row in rows:
            if not names:
                names.extend(name for name in row if name not in ("subject_id", "study_id"))
            yield row["study_id"], [row[name] for name in names]

    return _Labels(names, DiskIndex.of_pairs(pairs()))
