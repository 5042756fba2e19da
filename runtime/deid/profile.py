"""What becomes of each attribute of a DICOM header that is read, against PS3.15 Annex E, Table E.1-1.

A store keeps no header: of all attributes of the table, those below are the only ones of which anything
reaches it (`runtime.preprocess`); the others are removed, the action X, by not being read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Treatment(str, Enum):
    """What is done to an attribute, in the words of Table E.1-1a."""

    REPLACED = "D: replaced by a pseudonym"
    UID = "U: replaced by a UID that is the same for all its uses"
    EMPTIED = "Z: stored empty"
    MODIFIED = "C: cleaned, kept in another form"
    USED = "X: used while reading, not stored"


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    Parameters
    ----------
    keyword : str
    tag : int
    treatment : Treatment
    option : str
        The option of Annex E that allows what the basic profile would remove; empty where none is needed.
    """

    keyword: str
    tag: int
    treatment: Treatment
    option: str = ""


_DATES = "Retain Longitudinal Temporal Information With Modified Dates (113107)"
_PATIENT = "Retain Patient Characteristics (113108)"
_WORDS = "Clean Descriptors (113105)"

PROFILE: tuple[Attribute, ...] = (
    Attribute("PatientID", 0x00100020, Treatment.REPLACED),
    Attribute("StudyInstanceUID", 0x0020000D, Treatment.UID),
    Attribute("SOPInstanceUID", 0x00080018, Treatment.UID),
    Attribute("StudyDate", 0x00080020, Treatment.MODIFIED, _DATES),
    Attribute("AccessionNumber", 0x00080050, Treatment.EMPTIED),
    Attribute("PatientSex", 0x00100040, Treatment.MODIFIED, _PATIENT),
    Attribute("PatientAge", 0x00101010, Treatment.MODIFIED, _PATIENT),
    Attribute("StudyDescription", 0x00081030, Treatment.USED, _WORDS),
    Attribute("SeriesDescription", 0x0008103E, Treatment.USED, _WORDS),
    Attribute("PerformedProcedureStepDescription", 0x00400254, Treatment.USED, _WORDS),
    Attribute("ProtocolName", 0x00181030, Treatment.USED, _WORDS),
    Attribute("AcquisitionDeviceProcessingDescription", 0x00181400, Treatment.USED, _WORDS),
    Attribute("PatientName", 0x00100010, Treatment.USED),
    Attribute("ReferringPhysicianName", 0x00080090, Treatment.USED),
    Attribute("InstitutionName", 0x00080080, Treatment.USED),
)
"""Attributes of the table that are read. Pixels are cleaned (Clean Pixel Data, 113101); so are reports."""
