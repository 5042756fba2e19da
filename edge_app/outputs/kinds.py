"""The kinds of objects a result can leave as, and one such object ready to be sent or saved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OutputKind(str, Enum):
    """What a result is written as."""

    SR = "sr"
    GSPS = "gsps"
    SC = "sc"
    FHIR = "fhir"

    @property
    def words(self) -> str:
        """What it is, in words."""
        return _TITLES[self]

    @property
    def is_dicom(self) -> bool:
        """Whether it is a DICOM object, which a PACS takes; else it is JSON."""
        return self is not OutputKind.FHIR


_TITLES = {
    OutputKind.SR: "structured report (TID 1500)",
    OutputKind.GSPS: "presentation state with the boxes",
    OutputKind.SC: "page as a secondary capture",
    OutputKind.FHIR: "FHIR R4 bundle",
}


@dataclass(frozen=True)
class Output:
    """One object made of a result.

    Parameters
    ----------
    kind : OutputKind
    file_name : str
        A name to save it under; holds no identifier of a patient.
    media_type : str
        ``application/dicom`` or ``application/fhir+json``.
    data : bytes
        The whole file: Part 10 of DICOM, or JSON in UTF-8.
    sop_class, sop_instance : str
        UIDs; empty for FHIR.
    study : str
        The study it belongs to.
    """

    kind: OutputKind
    file_name: str
    media_type: str
    data: bytes
    sop_class: str
    sop_instance: str
    study: str
