"""What `POST /api/explain` answers, for the description of the interface; `edge_app.explaining` makes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from edge_retrieve.edge_app.shapes import Result
from edge_retrieve.edge_app.shapes.boxes import BoxEdges


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NeighbourModel(_Model):
    """A case near the query in one place."""

    study: str
    rank: int
    score: float
    probability: float | None
    stated: list[str]
    denied: list[str]
    suspected: list[str]
    sentences: list[str]
    box: BoxEdges | None


class VoteModel(_Model):
    """How the neighbours of a place stand to one finding."""

    finding: str
    probability: float | None
    share: float
    base_rate: float
    beyond_chance: float
    supporters: list[str] = Field(alias="for")
    nearest_without: str | None


class SidesModel(_Model):
    """Whether the nearest images and the nearest reports say the same."""

    agree: bool
    image: str | None
    text: str | None
    shared: int
    compared: int


class RareModel(_Model):
    """A rare finding and the nearest case that states it."""

    finding: str
    case: NeighbourModel


class PlaceModel(_Model):
    """The evidence of one place; `region` is null for the whole image."""

    region: str | None
    box: BoxEdges | None
    drawn: BoxEdges | None
    silence: str | None
    votes: list[VoteModel]
    neighbours: list[NeighbourModel]
    sides: SidesModel | None
    rare: list[RareModel]


class EvidenceModel(_Model):
    """The evidence of a query, with the answer to it."""

    study: str | None
    survey: bool
    calibrated: bool
    fitted_on: str | None
    abstained: bool
    reports: int
    places: list[PlaceModel]
    result: Result


class CaseCitationModel(_Model):
    """A retrieved case that a sentence rests on."""

    study: str
    region: str | None


class BoxCitationModel(_Model):
    """A region of the query's own image that a sentence rests on."""

    region: str
    box: BoxEdges


class SentenceModel(_Model):
    """A sentence of a draft."""

    section: str
    text: str
    probability: float | None
    citations: list[CaseCitationModel | BoxCitationModel]


class FaultModel(_Model):
    """One thing that is wrong with a sentence."""

    fault: str
    detail: str


class DroppedModel(_Model):
    """A sentence that a writer wanted and the evidence does not bear."""

    text: str
    problems: list[FaultModel]


class DraftModel(_Model):
    """A preliminary report; `draft` is the name that it can be accepted by."""

    draft: str
    query_id: str
    status: str
    writer: str
    prompt: str | None
    sentences: list[SentenceModel]
    cases: list[str]
    dropped: list[DroppedModel]
    notes: list[str]
    text: str


class ExplanationModel(_Model):
    """Evidence, and a draft in the template's words."""

    evidence: EvidenceModel
    draft: DraftModel
    language_model: str | None
