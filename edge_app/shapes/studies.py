"""Studies and uploads: who, what was read, what the report says, where the regions are."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.shapes.boxes import BoxEdges


@dataclass(frozen=True)
class SeenBox:
    """Where the model sees a region, and how sure it is."""

    region: str
    laterality: str
    box: BoxEdges
    score: float


@dataclass(frozen=True)
class SaidFinding:
    """A finding that a sentence states, denies or leaves open."""

    finding: str
    assertion: str
    regions: list[str]


@dataclass(frozen=True)
class SaidSentence:
    """A sentence of a report with what it says."""

    text: str
    section: str
    regions: list[str]
    mentions: list[SaidFinding]


@dataclass(frozen=True)
class StudyLine:
    """A study as a line of the worklist."""

    study: str
    patient: str
    accession: str
    date: str
    sex: str
    age: float | None
    view: str
    flags: list[str]
    findings: list[str]
    has_report: bool


@dataclass(frozen=True)
class StudyPage:
    """A page of the worklist."""

    total: int
    offset: int
    studies: list[StudyLine]


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image: what was read of it and where the model sees the regions."""

    view: str
    flags: list[str]
    applied: list[str]
    width: int
    height: int
    boxes: list[SeenBox]


@dataclass(frozen=True)
class StudyShape(ImageFacts):
    """A whole study; the image is its first searched one, else its first."""

    study: str
    patient: str
    accession: str
    date: str
    sex: str
    age: float | None
    report: str
    findings: list[str]
    sentences: list[SaidSentence]


@dataclass(frozen=True)
class UploadShape(ImageFacts):
    """An uploaded image; `upload` is its name in later requests."""

    upload: str
    file_name: str
    patient: str
    date: str
    sex: str
    age: float | None
