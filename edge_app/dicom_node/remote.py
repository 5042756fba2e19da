"""What another system has, and what became of asking it for that or sending it something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.preprocess.header import Header

_XRAY = {"CR", "DX", "RG"}


@dataclass(frozen=True)
class RemoteStudy:
    """A study that another system has.

    Parameters
    ----------
    study, patient, accession : str
        Study Instance UID, Patient ID, Accession Number.
    date : str
        ``YYYYMMDD`` or empty.
    description : str
    modalities : tuple of str
        Empty where it does not say.
    """

    study: str
    patient: str
    accession: str
    date: str
    description: str
    modalities: tuple[str, ...]

    @property
    def may_be_xray(self) -> bool:
        """Whether nothing speaks against X-rays among its images."""
        return not self.modalities or bool(_XRAY & set(self.modalities))


@dataclass(frozen=True)
class Transfer:
    """What became of a retrieval.

    Parameters
    ----------
    completed, failed : int
        Objects.
    """

    completed: int
    failed: int


@dataclass(frozen=True)
class Sent:
    """What became of a file that was sent.

    Parameters
    ----------
    path : Path
    ok : bool
    what : str
        The other system's answer, or why it was not asked.
    """

    path: Path
    ok: bool
    what: str


def check_search(patient: str, study: str, accession: str) -> None:
    """Raise `QueryError` where nothing is searched by, or a wildcard would match other patients."""
    if not (patient or study or accession):
        raise QueryError("nothing is searched by", remedy="Give a patient, a study or an accession number")
    if set("*?\\") & set(patient + study + accession):
        raise QueryError("wildcards find other patients' studies", remedy="Give the whole identifier")


def remote_study(answer: Dataset) -> RemoteStudy:
    """Return the study that an answer of C-FIND or QIDO-RS describes."""
    header = Header(answer)
    return RemoteStudy(
        study=header.text("StudyInstanceUID"),
        patient=header.text("PatientID"),
        accession=header.text("AccessionNumber"),
        date=header.text("StudyDate"),
        description=header.text("StudyDescription"),
        modalities=header.texts("ModalitiesInStudy"),
    )


def newest_first(studies: Iterable[RemoteStudy]) -> tuple[RemoteStudy, ...]:
    """Return studies by date, those without one last."""
    return tuple(sorted(studies, key=lambda each: each.date, reverse=True))
