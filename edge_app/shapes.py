"""The JSON forms of the command line, the HTTP interface and its client: field names are the keys.

Boxes are ``(x1, y1, x2, y2)`` in pixels of the image as displayed at full size. Dates are ``YYYY-MM-DD``,
empty where unknown. docs/http-api.md says what each entry means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BoxEdges = tuple[float, float, float, float]


@dataclass(frozen=True)
class RegionName:
    """A region of the model."""

    name: str
    laterality: str
    position: int


@dataclass(frozen=True)
class RegionList:
    """All regions, in the order of the model's outputs."""

    regions: list[RegionName]


@dataclass(frozen=True)
class FindingList:
    """All findings that a report is read for."""

    findings: list[str]


@dataclass(frozen=True)
class ModelInUse:
    """The model that encodes queries."""

    id: str
    bundle: str
    training_data: str


@dataclass(frozen=True)
class Limits:
    """What a request may ask for at most."""

    max_upload_mib: int
    max_hits: int


@dataclass(frozen=True)
class Archive:
    """The archive that is searched."""

    name: str
    synthetic: bool
    studies: int
    model: ModelInUse
    limits: Limits
    disclaimer: str


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


@dataclass(frozen=True)
class OtherwiseStated:
    """What a hit's report states elsewhere, or as something else, than was asked for."""

    kind: str
    finding: str
    region: str | None


@dataclass(frozen=True)
class Match:
    """The evidence of a hit in one region; `region` is null where whole images were compared."""

    region: str | None
    score: float
    finding: str | None
    laterality: str | None
    box: BoxEdges | None
    image_score: float | None
    text_score: float | None
    drawn: BoxEdges | None
    mismatch: OtherwiseStated | None
    probability: float | None


@dataclass(frozen=True)
class HitShape:
    """A similar case; ranks count from 1."""

    rank: int
    study: str
    patient: str
    score: float
    probability: float | None
    regions: list[Match]
    sentences: list[str]


@dataclass(frozen=True)
class ShownHit(HitShape):
    """A similar case with what a page shows of it."""

    accession: str
    date: str
    sex: str
    age: float | None
    view: str
    width: int
    height: int
    report: str
    findings: list[str]
    flags: list[str]


@dataclass(frozen=True)
class QueryBox:
    """Where the model sees a region that was compared on the query image."""

    region: str
    box: BoxEdges | None


@dataclass(frozen=True)
class FusionShape:
    """What each cosine counts in the score."""

    image_to_image: float
    image_to_text: float
    text_to_image: float
    text_to_text: float


@dataclass(frozen=True)
class AnswerFacts:
    """What is said of an answer as a whole."""

    regions: list[str]
    query_boxes: list[QueryBox]
    abstained: bool
    calibrated: bool
    abstain_below: float | None
    offset: int
    more: bool
    set_apart: int
    fusion: FusionShape | None


@dataclass(frozen=True)
class Result(AnswerFacts):
    """The answer to a query as the command line prints it."""

    hits: list[HitShape]


@dataclass(frozen=True)
class Prior:
    """Another study of the query's own patient."""

    study: str
    date: str


@dataclass(frozen=True)
class Answer(AnswerFacts):
    """The answer to a query over HTTP."""

    hits: list[ShownHit]
    query_id: str
    priors: list[Prior]
    took_ms: float


@dataclass(frozen=True)
class GreyWindow:
    """A linear window, in units of the grey values."""

    name: str
    center: float
    width: float


@dataclass(frozen=True)
class PixelFacts:
    """What the numbers of ``pixels`` mean."""

    rows: int
    columns: int
    width: int
    height: int
    minimum: int
    maximum: int
    scale: str
    bits: int
    windows: list[GreyWindow]
    note: str


@dataclass(frozen=True)
class LocatedBox:
    """A place that resembles a phrase."""

    box: BoxEdges
    score: float


@dataclass(frozen=True)
class Grounded:
    """Where a phrase is on an image."""

    phrase: str
    regions: list[str]
    findings: list[str]
    peak: float
    boxes: list[LocatedBox]
    rows: int
    columns: int
    values: list[list[float]]
    width: int
    height: int
    took_ms: float


@dataclass(frozen=True)
class Alive:
    """That the process lives."""

    status: str


@dataclass(frozen=True)
class ReadyShape:
    """How far the warm-up is; `studies` once it is ready, `what` where it failed."""

    status: str
    engine: str
    studies: int | None = None
    what: str | None = None


@dataclass(frozen=True)
class VerdictShape:
    """What a reader thinks of a hit, and what had been asked."""

    query_id: str
    study: str
    verdict: str
    note: str
    at: str
    query: dict[str, Any]


@dataclass(frozen=True)
class VerdictList:
    """Some of the verdicts, newest first."""

    total: int
    feedback: list[VerdictShape]


@dataclass(frozen=True)
class RevealedShape:
    """When the hits of a read were first shown, and which."""

    at: str
    studies: list[str]
    abstained: bool


@dataclass(frozen=True)
class FinalShape:
    """What a reader thinks after the hits."""

    impression: str
    findings: list[str]
    sure: float | None
    at: str


@dataclass(frozen=True)
class ReadShape:
    """A read: the impression before the hits, their reveal, and the impression after."""

    read: str
    query_id: str
    query: dict[str, Any]
    asked_before: bool
    impression: str
    findings: list[str]
    sure: float | None
    at: str
    revealed: RevealedShape | None
    final: FinalShape | None


@dataclass(frozen=True)
class ReadList:
    """Some of the reads, newest first."""

    total: int
    reads: list[ReadShape]


@dataclass(frozen=True)
class JobProblemShape:
    """Why a job failed."""

    what: str
    where: str
    remedy: str


@dataclass(frozen=True)
class JobShape:
    """A job at one moment."""

    job: str
    kind: str
    state: str
    created: str
    done: int
    total: int
    step: str
    started: str | None
    ended: str | None
    result: dict[str, int | str] | None
    problem: JobProblemShape | None


@dataclass(frozen=True)
class JobList:
    """All jobs of this run of the server, newest first."""

    jobs: list[JobShape]
