"""Names and numbers in an image's header, to be found again in its report."""

from __future__ import annotations

from pathlib import Path

import pydicom

from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.load import looks_like_dicom
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_KEYWORDS = (
    *("PatientName", "PatientID", "OtherPatientNames", "OtherPatientIDs", "PatientBirthName"),
    *("PatientMotherBirthName", "ResponsiblePerson", "PatientTelephoneNumbers", "PatientAddress"),
    *("ReferringPhysicianName", "ConsultingPhysicianName", "PerformingPhysicianName", "PhysiciansOfRecord"),
    *("NameOfPhysiciansReadingStudy", "RequestingPhysician", "OperatorsName", "InstitutionName"),
    *("AccessionNumber", "StudyID", "AdmissionID", "StudyInstanceUID", "SOPInstanceUID"),
)


def header_words(path: Path) -> tuple[str, ...]:
    """Return what a DICOM file's header says of persons; nothing for other files and unreadable ones."""
    try:
        with path.open("rb") as stream:
            if not looks_like_dicom(stream.read(132 + 8)):
                return ()
        with captured_warnings():
            header = Header(pydicom.dcmread(path, stop_before_pixels=True, force=True))
            return tuple(text for keyword in _KEYWORDS for text in header.texts(keyword))
    except Exception:
        # The parser meets arbitrary bytes; what cannot be read has been told of by `load_radiograph`.
        return ()
