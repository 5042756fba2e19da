"""A site's own folder: DICOM, PNG or JPEG files and their reports, nothing annotated.

Reports come as `ReportSource` reads them everywhere: a text file beside an image, a folder of texts, or a
table. A folder ``reports`` or a table ``reports.csv`` in the root is found without being named.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom

from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.inputs import find_inputs
from edge_retrieve.runtime.preprocess.load import looks_like_dicom
from edge_retrieve.runtime.preprocess.quiet import captured_warnings
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.preprocess.view import find_view
from edge_retrieve.runtime.report_sources import NOTHING, ReportEntry, ReportSource
from edge_retrieve.train.datasets.records import Roots, StudyRecord, is_frontal

_HEAD = 256  # bytes that tell DICOM from other formats
_TAGS = [
    "PatientID", "StudyInstanceUID", "SOPInstanceUID", "ViewPosition", "ViewCodeSequence",
    "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription", "PatientOrientation",
    "AcquisitionDeviceProcessingDescription",
]  # fmt: skip


def read_site(roots: Roots) -> Iterator[StudyRecord]:
    """Yield every image file below a folder, in sorted order, with its report.

    Of DICOM files the header is read, of others nothing: patient, study and view come from the table then. An
    image whose patient nobody names counts as a patient of its own.

    Raises
    ------
    DataSetError
        There is no such folder, or no image in it.
    ConfigError
        The reports are not as `ReportSource` reads them.
    """
    root = roots.images or roots.root
    if not roots.root.is_dir() or not root.is_dir():
        raise DataSetError(
            "there is no such folder", where=str(root), remedy="Name the folder of your images"
        )
    if next(find_inputs([root]), None) is None:
        raise DataSetError(
            "there is no DICOM, PNG or JPEG file below it", where=str(root), remedy="Name another folder"
        )
    return _records(root, ReportSource(roots.reports or _found_reports(roots.root)))


def _found_reports(root: Path) -> Path | None:
    return next((path for path in (root / "reports.csv", root / "reports") if path.exists()), None)


def _records(root: Path, source: ReportSource) -> Iterator[StudyRecord]:
    for path in find_inputs([root]):
        header = _header(path)
        study = header.text("StudyInstanceUID") if header else ""
        entry = source.for_file(path)
        if (entry is None or not entry.text) and study:
            entry = source.for_study(study) or entry
        yield _record(path, root, header, entry or NOTHING)


def _record(path: Path, root: Path, header: Header | None, entry: ReportEntry) -> StudyRecord:
    name = path.relative_to(root).as_posix()
    view = entry.view or (find_view(header)[0] if header else View.UNKNOWN)
    study = (header.text("StudyInstanceUID") if header else "") or entry.study or name
    patient = (header.text("PatientID") if header else "") or entry.patient or study
    return StudyRecord(
        image=path,
        image_id=(header.text("SOPInstanceUID") if header else "") or name,
        study=study,
        patient=patient,
        view=view,
        frontal=is_frontal(view),
        report=entry.text,
    )


def _header(path: Path) -> Header | None:
    """Return what a DICOM header says, None for other formats; a damaged one is left to the decoder."""
    try:
        with path.open("rb") as stream:
            if not looks_like_dicom(stream.read(_HEAD)):
                return None
        with captured_warnings():
            return Header(pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=_TAGS))
    except Exception:
        # pydicom meets arbitrary bytes here; the decoder names what is wrong with the file.
        return None
