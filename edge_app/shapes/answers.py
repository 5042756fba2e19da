"""Answers to queries."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.shapes.boxes import BoxEdges


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
