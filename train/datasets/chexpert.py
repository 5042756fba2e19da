"""CheXpert v1.0 (Stanford AIMI), its reports from CheXpert Plus, and the CheXpert5x200 retrieval set.

Layout: ``train.csv`` and ``valid.csv`` beside ``train/patient00001/study1/view1_frontal.jpg``; their Path
column starts with the name of the download (``CheXpert-v1.0-small/``). Reports:
``df_chexpert_plus_240401.csv``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.mimic_cxr import chexpert_labels
from edge_retrieve.train.datasets.records import Roots, StudyRecord
from edge_retrieve.train.datasets.tables import DiskIndex, Row, read_table, require
from edge_retrieve.train.phantom.sampling import Split

DOWNLOAD = "CheXpert-v1.0 or CheXpert-v1.0-small (aimi.stanford.edu)"
PLUS_DOWNLOAD = "df_chexpert_plus_240401.csv of CheXpert Plus (aimi.stanford.edu)"
LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other",
    "Fracture", "Support Devices",
)  # fmt: skip
FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")

_HEADER = ("Path", "Frontal/Lateral", "AP/PA", *LABELS)


def read_chexpert(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the images of both tables; their reports where CheXpert Plus is there (`reports`).

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    tables = [
        (read_table(require(roots.root, name, download=DOWNLOAD), _HEADER), split)
        for name, split in (("train.csv", Split.TRAIN), ("valid.csv", Split.VAL))
    ]
    require(roots.images or roots.root, "train", download=DOWNLOAD)
    reports = _plus_reports(roots)
    return (_record(row, split, roots, reports) for rows, split in tables for row in rows)


def read_chexpert_5x200(roots: Roots, *, each: int = 200, seed: int = 0) -> Iterator[StudyRecord]:
    """Yield CheXpert5x200: for each of five findings 200 frontal images that show it and nothing else.

    The rule (Huang et al. 2021, GLoRIA, section 4.2): of the training table, one of `FIVE` is 1 and every
    other finding is 0, blank or 0.0 in the file; -1 rules an image out. "No Finding" is no finding and is not
    looked at. Which 200 is a draw: ours orders the paths by a hash; where the list of a publication lies in
    the root as ``chexpert_5x200.csv`` (column Path), that list is taken.

    Parameters
    ----------
    roots : Roots
    each : int
        Images per finding.
    seed : int
        Of the draw.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged, or fewer images fulfil the rule.
    """
    table = require(roots.root, "train.csv", download=DOWNLOAD)
    reports = _plus_reports(roots)
    listed = roots.root / "chexpert_5x200.csv"
    if listed.is_file():
        wanted = {_relative(row["Path"]): "" for row in read_table(listed, ["Path"])}
    else:
        wanted = _draw(table, each, seed)
    rows = read_table(table, _HEADER)
    return (
        _record(row, Split.TEST, roots, reports, only=wanted[_relative(row["Path"])])
        for row in rows
        if _relative(row["Path"]) in wanted
    )


def only_finding(row: Row) -> str:
    """Return the one of `FIVE` that a row shows alone, empty where it is none or not alone."""
    labels = chexpert_labels({name: row[name] for name in LABELS[1:]})
    stated = [name for name, value in labels.items() if value is not Assertion.ABSENT]
    alone = len(stated) == 1 and stated[0] in FIVE and labels[stated[0]] is Assertion.PRESENT
    return stated[0] if alone else ""


def _draw(table: Path, each: int, seed: int) -> dict[str, str]:
    found: dict[str, list[tuple[bytes, str]]] = {name: [] for name in FIVE}
    for row in read_table(table, _HEADER):
        name = only_finding(row) if row["Frontal/Lateral"] == "Frontal" else ""
        if name:
            path = _relative(row["Path"])
            found[name].append((hashlib.sha256(f"{seed}:{path}".encode()).digest(), path))
    for name, entries in found.items():
        if len(entries) < each:
            raise DataSetError(
                f"only {len(entries)} frontal images show {name} and nothing else, {each} are wanted",
                where=str(table),
                remedy=f"Use the whole training table of {DOWNLOAD}",
            )
    return {path: name for name, entries in found.items() for _, path in sorted(entries)[:each]}


def _relative(path: str) -> str:
    """Return a path from ``train/`` or ``valid/`` on, whatever the download was called."""
    parts = PurePosixPath(path).parts
    start = next((n for n, part in enumerate(parts) if part in ("train", "valid", "test")), 0)
    return str(PurePosixPath(*parts[start:]))


@dataclass(frozen=True)
class _PlusReports:
    index: DiskIndex | None

    def of(self, relative: str) -> str:
        """Return findings and impression of an image."""
        found = self.index.first(_key(relative)) if self.index is not None else None
        if found is None:
            return ""
        parts = (("FINDINGS", found[0]), ("IMPRESSION", found[1]))
        return "\n".join(f"{name}: {' '.join(body.split())}" for name, body in parts if body.strip())


def _key(path: str) -> str:
    # CheXpert Plus names the same image .png or .jpg, with or without a folder before it.
    return str(PurePosixPath(_relative(path)).with_suffix(""))


def _plus_reports(roots: Roots) -> _PlusReports:
    path = roots.reports
    if path is None:
        path = min(roots.root.glob("df_chexpert_plus_*.csv*"), default=None)
        if path is None:
            return _PlusReports(None)
    elif path.is_dir():
        path = require(path, "df_chexpert_plus_*.csv", download=PLUS_DOWNLOAD)
    elif not path.is_file():
        raise DataSetError("there is no such file", where=str(path), remedy=f"Download {PLUS_DOWNLOAD}")
    columns = ["section_findings", "section_impression"]
    rows = read_table(path, ["path_to_image", *columns])
    return _PlusReports(
        DiskIndex.of_pairs((_key(row["path_to_image"]), _sections(row, columns)) for row in rows)
    )


def _sections(row: Row, columns: Sequence[str]) -> list[str]:
    # pandas wrote absent sections as nothing or as "nan".
    return ["" if row[name].strip().lower() == "nan" else row[name] for name in columns]


def _record(row: Row, split: Split, roots: Roots, reports: _PlusReports, only: str = "") -> StudyRecord:
    relative = _relative(row["Path"])
    parts = PurePosixPath(relative).parts
    if len(parts) != 4:
        raise DataSetError(
            f"'{row['Path']}' is no path of CheXpert",
            where=str(roots.root),
            remedy=f"Use the tables of {DOWNLOAD}",
        )
    frontal = {"Frontal": True, "Lateral": False}.get(row["Frontal/Lateral"])
    shown = row["AP/PA"] if row["AP/PA"] in ("AP", "PA") else "UNKNOWN"
    return StudyRecord(
        image=(roots.images or roots.root) / relative,
        image_id=relative,
        study=f"{parts[1]}/{parts[2]}",
        patient=parts[1],
        view=View.LATERAL if frontal is False else View(shown),
        frontal=frontal,
        report=reports.of(relative),
        split=split,
        labels={only: Assertion.PRESENT} if only else chexpert_labels({name: row[name] for name in LABELS}),
    )
