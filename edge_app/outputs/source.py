"""The query's DICOM file as a result refers to it: its study, its patient, and its pixels as shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.outputs import cleaning
from edge_retrieve.edge_app.outputs.geometry import Geometry, geometry_of
from edge_retrieve.runtime.errors import OutputError
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.load import looks_like_dicom
from edge_retrieve.runtime.preprocess.orientation import row_and_column_direction
from edge_retrieve.runtime.preprocess.quiet import captured_warnings
from edge_retrieve.runtime.preprocess.types import Radiograph

_NEEDED = {
    "SOPClassUID": "SOP Class UID",
    "SOPInstanceUID": "SOP Instance UID",
    "StudyInstanceUID": "Study Instance UID",
    "SeriesInstanceUID": "Series Instance UID",
}
# Multi-frame Grayscale Byte and Word Secondary Capture: an X-ray may be their only frame.
_MULTI_FRAME = {"1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.3"}
_SEXES = {"M", "F", "O"}

# What is taken over, and in which form. All of it is of the patient and the study, and nothing else is.
_TAKEN: dict[str, Callable[[Header, str], str]] = {
    "PatientName": cleaning.person_name,
    "IssuerOfPatientID": cleaning.long_string,
    "PatientBirthDate": cleaning.date,
    "StudyDate": cleaning.date,
    "StudyTime": cleaning.time,
    "ReferringPhysicianName": cleaning.person_name,
    "StudyID": cleaning.short_identifier,
    "AccessionNumber": cleaning.short_identifier,
    "StudyDescription": cleaning.long_string,
    "PatientAge": cleaning.age,
    **dict.fromkeys(_NEEDED, cleaning.uid),
}
# Type 2 (PS3.3 C.7.1.1, C.7.2.1): present even where empty. The others are left out then.
_TYPE_2 = {
    "PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber",
}  # fmt: skip


@dataclass(frozen=True)
class SourceImage:
    """The X-ray that was asked about, as its results refer to it.

    Parameters
    ----------
    reference : pydicom.dataset.Dataset
        What a result takes over of patient, study and image: conformant values in Unicode.
    header : Header
        All that the file says, without its pixels.
    radiograph : Radiograph
    geometry : Geometry
    where : str
        The file, for errors.
    """

    reference: Dataset
    header: Header
    radiograph: Radiograph
    geometry: Geometry
    where: str

    @property
    def study(self) -> str:
        """The Study Instance UID."""
        return str(self.reference.StudyInstanceUID)

    @property
    def sop_instance(self) -> str:
        """The SOP Instance UID."""
        return str(self.reference.SOPInstanceUID)


def read_source(path: Path) -> SourceImage:
    """Read the DICOM file that was asked about.

    Parameters
    ----------
    path : Path

    Raises
    ------
    PixelError
        Where it cannot be read as an X-ray.
    OutputError
        Where it is no DICOM, or lacks an identifier that the result would be filed by.
    """
    where = str(path)
    radiograph = load_radiograph(path)
    data = path.read_bytes()
    if not looks_like_dicom(data):
        raise OutputError(
            "a PNG or JPEG says neither whose image it is nor to which study it belongs",
            where=where,
            remedy="Ask with the DICOM file: results are filed in its study",
        )
    with captured_warnings():
        header = Header(pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True))
        reference = _reference(header, where)
        row, column = row_and_column_direction(header)
    height, width = radiograph.pixels.shape
    geometry = geometry_of(reference.Columns, reference.Rows, width, height, row, column)
    return SourceImage(reference, header, radiograph, geometry, where)


def _reference(header: Header, where: str) -> Dataset:
    taken = {keyword: read(header, keyword) for keyword, read in _TAKEN.items()}
    meta = Header(getattr(header.dataset, "file_meta", Dataset()))
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        taken[keyword] = taken[keyword] or cleaning.uid(meta, f"MediaStorage{keyword}")
    missing = [name for keyword, name in _NEEDED.items() if not taken[keyword]]
    if missing:
        raise OutputError(
            f"the header has no valid {', '.join(missing)}",
            where=where,
            remedy="Send the image from the PACS again: a result is filed by these",
        )
    reference = Dataset()
    reference.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in taken.items():
        if value or keyword in _TYPE_2:
            setattr(reference, keyword, value)
    reference.PatientID = _patient_id(header, where)
    sex = header.word("PatientSex")
    reference.PatientSex = sex if sex in _SEXES else ""
    _take_deidentification(header, reference)
    reference.Modality = header.word("Modality")[: cleaning.SHORT_STRING] or "OT"
    reference.Rows, reference.Columns = header.integer("Rows"), header.integer("Columns")
    reference.SamplesPerPixel = header.integer("SamplesPerPixel") or 1
    if reference.SOPClassUID in _MULTI_FRAME:
        # Of the single frame; highdicom looks for grey scales in the functional groups.
        reference.NumberOfFrames = 1
        reference.SharedFunctionalGroupsSequence = [Dataset()]
        reference.PerFrameFunctionalGroupsSequence = [Dataset()]
    return reference


def _patient_id(header: Header, where: str) -> str:
    values = header.texts("PatientID")
    value = cleaning.string(header, "PatientID")
    if len(values) > 1 or len(value) > cleaning.LONG_STRING:
        # A part of it may be another patient's; an archive that is sent none would file a new patient.
        raise OutputError(
            "the Patient ID is several values or longer than 64 characters",
            where=where,
            remedy="Correct it in the PACS: a result must name the patient as its image does",
        )
    return value


def _take_deidentification(header: Header, reference: Dataset) -> None:
    """Say of an object made from a de-identified image that it is de-identified (PS3.3 C.7.1.1)."""
    method = cleaning.long_string(header, "DeidentificationMethod")
    if header.word("PatientIdentityRemoved") == "YES" and method:
        reference.PatientIdentityRemoved = "YES"
        reference.DeidentificationMethod = method
