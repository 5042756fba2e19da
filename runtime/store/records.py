"""What goes into a store and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.grey import GreyScale
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.reports import ParsedReport
from edge_retrieve.runtime.store.embeddings import FloatArray


@dataclass(frozen=True)
class NewEncoding:
    """The part of an image's encoding that is kept.

    Parameters
    ----------
    boxes : tuple of Box
        29 boxes, pixels of the image as displayed.
    box_scores : float32 array of shape [29]
    regions : float32 array of shape [29, D]
    global_embedding : float32 array of shape [D]
    """

    boxes: tuple[Box, ...]
    box_scores: FloatArray
    regions: FloatArray
    global_embedding: FloatArray


@dataclass(frozen=True)
class NewImage:
    """An image to be stored.

    Parameters
    ----------
    study, patient, study_date, sex : str
        As in the file or its report's table; empty where unknown.
    age : float or None
        Years.
    sop_instance, pixels_sha256 : str
        Either makes the image known again.
    source : str
        Where it was read from.
    view : View
    width, height : int
        Pixels of the image as displayed.
    flags : tuple of Flag
    applied : tuple of str
        Steps applied to the stored values.
    preview : bytes
        PNG of its grey values.
    encoding : NewEncoding or None
        None for an image that is kept but not searched (a lateral view).
    accession : str
        Number of the order; empty where unknown.
    scale : GreyScale or None
        What the grey values mean; None for 8 bits as displayed.
    """

    study: str
    patient: str
    study_date: str
    sex: str
    age: float | None
    sop_instance: str
    pixels_sha256: str
    source: str
    view: View
    width: int
    height: int
    flags: tuple[Flag, ...]
    applied: tuple[str, ...]
    preview: bytes
    encoding: NewEncoding | None
    accession: str = ""
    scale: GreyScale | None = None


@dataclass(frozen=True)
class NewReport:
    """The report of a study to be stored; replaces the one the study has.

    Parameters
    ----------
    study : str
    text : str
        As written.
    parsed : ParsedReport
    global_embedding : float32 array of shape [D]
        Of the whole text.
    regions : tuple of (Region, float32 array of shape [D])
        Of the sentences that speak of each region.
    """

    study: str
    text: str
    parsed: ParsedReport
    global_embedding: FloatArray
    regions: tuple[tuple[Region, FloatArray], ...]


@dataclass(frozen=True)
class StoredImage:
    """An image as stored, without its pixels and embeddings.

    Parameters
    ----------
    sop_instance, pixels_sha256, source : str
    view : View
    width, height : int
        Pixels of the image as displayed; the preview may be smaller.
    flags : tuple of Flag
    applied : tuple of str
    indexed : bool
        Whether image queries search it.
    boxes : tuple of Box
        29 boxes, or none where not indexed.
    box_scores : tuple of float
        One per box.
    """

    sop_instance: str
    pixels_sha256: str
    source: str
    view: View
    width: int
    height: int
    flags: tuple[Flag, ...]
    applied: tuple[str, ...]
    indexed: bool
    boxes: tuple[Box, ...]
    box_scores: tuple[float, ...]


@dataclass(frozen=True)
class StudyRecord:
    """A study as stored.

    Parameters
    ----------
    study, patient : str
    study_date : str
        ``YYYYMMDD`` or empty.
    sex : str
    age : float or None
        Years.
    report : str
        As written; empty where the study has none.
    parsed : ParsedReport
        The report's sentences, with their findings and regions.
    images : tuple of StoredImage
        Searched ones first.
    accession : str
        Number of the order; empty where unknown.
    """

    study: str
    patient: str
    study_date: str
    sex: str
    age: float | None
    report: str
    parsed: ParsedReport
    images: tuple[StoredImage, ...]
    accession: str = ""


@dataclass(frozen=True)
class StudySummary:
    """A study as a line of a list.

    Parameters
    ----------
    study, patient, study_date, sex : str
    age : float or None
        Years.
    view : View
        Of its first image.
    findings : tuple of Finding
        Stated as present, in the order of the report.
    has_report, indexed : bool
        `indexed` is whether image queries search it.
    accession : str
        Number of the order; empty where unknown.
    """

    study: str
    patient: str
    study_date: str
    sex: str
    age: float | None
    view: View
    findings: tuple[Finding, ...]
    has_report: bool
    indexed: bool
    accession: str = ""


@dataclass(frozen=True)
class StoreStats:
    """A store in figures.

    Parameters
    ----------
    studies, patients, images, indexed_images, reports, sentences, findings : int
        `findings` counts the statements of presence.
    embeddings : int
        Vectors of both modalities.
    bytes : int
        Size of the database file.
    bundle_id : str
        The bundle all embeddings come from.
    model_id : str
    schema_version : int
    unerased : int
        Studies deleted whose traces are still in the files.
    """

    studies: int
    patients: int
    images: int
    indexed_images: int
    reports: int
    sentences: int
    findings: int
    embeddings: int
    bytes: int
    bundle_id: str
    model_id: str
    schema_version: int
    unerased: int


@dataclass(frozen=True)
class KnownImage:
    """An image found again.

    Parameters
    ----------
    study : str
        The study that holds it.
    same_pixels : bool
        False where only its SOP instance is the same.
    """

    study: str
    same_pixels: bool
