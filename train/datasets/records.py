"""What every loader of this package yields: one image with all its data set knows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.sampling import Split


class FurtherRegion(str, Enum):
    """Chest ImaGenome's seven names beside the 29 regions; read and kept, not trained on."""

    DESCENDING_AORTA = "descending aorta"
    LEFT_CARDIAC_SILHOUETTE = "left cardiac silhouette"
    RIGHT_CARDIAC_SILHOUETTE = "right cardiac silhouette"
    LEFT_CARDIOPHRENIC_ANGLE = "left cardiophrenic angle"
    RIGHT_CARDIOPHRENIC_ANGLE = "right cardiophrenic angle"
    LEFT_UPPER_ABDOMEN = "left upper abdomen"
    RIGHT_UPPER_ABDOMEN = "right upper abdomen"


@dataclass(frozen=True)
class Roots:
    """Where the parts of a data set lie; publishers split them over several downloads.

    Parameters
    ----------
    root : Path
        The data set's own folder.
    images : Path, optional
        Folder with the images where it is another one (MIMIC-CXR-JPG for sets annotated on it).
    reports : Path, optional
        Folder or table with the reports where it is another one.
    """

    root: Path
    images: Path | None = None
    reports: Path | None = None


@dataclass(frozen=True)
class GroundedPhrase:
    """A phrase, or the name of a finding, and where on the image it is.

    Parameters
    ----------
    text : str
    boxes : tuple of Box
        Several where the phrase has several places.
    category : str
        The data set's own class of it; empty where it has none.
    """

    text: str
    boxes: tuple[Box, ...]
    category: str = ""


@dataclass(frozen=True)
class RegionStatement:
    """What an annotation says of one region.

    Parameters
    ----------
    region : Region
    phrase : str
        The words of the report.
    finding : str
        In the data set's own words.
    assertion : Assertion
    """

    region: Region
    phrase: str
    finding: str
    assertion: Assertion


@dataclass(frozen=True)
class StudyRecord:
    """One image of a study.

    Parameters
    ----------
    image : Path
        DICOM, PNG or JPEG; not opened by a loader, and not checked to exist.
    image_id, study, patient : str
        As the data set names them. A study may have several images.
    view : View
    frontal : bool or None
        Known even where PA or AP is not; None where nobody says.
    report : str
        Empty where there is none.
    split : Split or None
        None where the publisher made no split.
    boxes : mapping of Region to Box
        In pixels of `frame`.
    further_boxes : mapping of FurtherRegion to Box
    frame : (int, int) or None
        Width and height of the image that all boxes were drawn on; None for that of the file. A resized copy
        of a data set still gets its boxes right.
    phrases : tuple of GroundedPhrase
    statements : tuple of RegionStatement
    labels : mapping of str to Assertion
        Image-level findings in the data set's own words; what is blank there is absent here.
    """

    image: Path
    image_id: str
    study: str
    patient: str
    view: View = View.UNKNOWN
    frontal: bool | None = None
    report: str = ""
    split: Split | None = None
    boxes: Mapping[Region, Box] = field(default_factory=dict)
    further_boxes: Mapping[FurtherRegion, Box] = field(default_factory=dict)
    frame: tuple[int, int] | None = None
    phrases: tuple[GroundedPhrase, ...] = ()
    statements: tuple[RegionStatement, ...] = ()
    labels: Mapping[str, Assertion] = field(default_factory=dict)


Loader = Callable[[Roots], Iterator[StudyRecord]]


def is_frontal(view: View) -> bool | None:
    """Return whether a view is frontal, None where the view is unknown."""
    return {View.PA: True, View.AP: True, View.LATERAL: False}.get(view)


def exclude_patients(records: Iterable[StudyRecord], patients: AbstractSet[str]) -> Iterator[StudyRecord]:
    """Yield the records of other patients: no image, nor any other image, of a test patient is trained on."""
    return (record for record in records if record.patient not in patients)


def split_of(record: StudyRecord, validation_share: float) -> Split:
    """Return the split of a record: the publisher's, else one drawn from the patient's name.

    The draw is a hash, so it is the same in every run and all images of a patient get the same.

    Parameters
    ----------
    record : StudyRecord
    validation_share : float
        Share of the patients to validate on where the publisher made no split, 0 to 1.
    """
    if record.split is not None:
        return record.split
    return Split.VAL if patient_draw(record.patient) < validation_share else Split.TRAIN


def patient_draw(patient: str) -> float:
    """Return a number in [0, 1) that belongs to a patient."""
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:6], "big") / 2**48
