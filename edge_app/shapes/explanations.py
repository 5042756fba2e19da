"""Why these cases: evidence, what changes when a region is altered, and drafts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from edge_retrieve.edge_app.shapes.answers import Result
from edge_retrieve.edge_app.shapes.boxes import BoxEdges
from edge_retrieve.edge_app.shapes.naming import json_name


@dataclass(frozen=True)
class NeighbourShape:
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


@dataclass(frozen=True)
class VoteShape:
    """How the neighbours of a place stand to one finding; `for` are the studies that state it."""

    # For the description of the interface; read by Pydantic, which is not needed here.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"alias_generator": json_name, "populate_by_name": True}

    finding: str
    probability: float | None
    share: float
    base_rate: float
    beyond_chance: float
    for_: list[str]
    nearest_without: str | None


@dataclass(frozen=True)
class SidesShape:
    """Whether the nearest images and the nearest reports say the same."""

    agree: bool
    image: str | None
    text: str | None
    shared: int
    compared: int


@dataclass(frozen=True)
class RareShape:
    """A rare finding and the nearest case that states it."""

    finding: str
    case: NeighbourShape


@dataclass(frozen=True)
class PlaceShape:
    """The evidence of one place; `region` is null for the whole image."""

    region: str | None
    box: BoxEdges | None
    drawn: BoxEdges | None
    silence: str | None
    votes: list[VoteShape]
    neighbours: list[NeighbourShape]
    sides: SidesShape | None
    rare: list[RareShape]


@dataclass(frozen=True)
class EvidenceShape:
    """The evidence of a query, with the answer to it."""

    study: str | None
    survey: bool
    calibrated: bool
    fitted_on: str | None
    abstained: bool
    reports: int
    places: list[PlaceShape]
    result: Result


@dataclass(frozen=True)
class ChangeShape:
    """What an alteration changes in one region; `place` is the evidence of the altered region.

    `before` and `after` are what counts as present; the probabilities are of `finding`, which had the
    strongest vote.
    """

    region: str
    alteration: str
    before: str | None
    after: str | None
    finding: str | None
    probability_before: float | None
    probability_after: float | None
    lost: list[str]
    come: list[str]
    compared: int
    place: PlaceShape


@dataclass(frozen=True)
class ChangeList:
    """What each alteration changes."""

    changes: list[ChangeShape]


@dataclass(frozen=True)
class CaseCitationShape:
    """A retrieved case that a sentence rests on."""

    study: str
    region: str | None


@dataclass(frozen=True)
class BoxCitationShape:
    """A region of the query's own image that a sentence rests on."""

    region: str
    box: BoxEdges


@dataclass(frozen=True)
class SentenceShape:
    """A sentence of a draft."""

    section: str
    text: str
    probability: float | None
    citations: list[CaseCitationShape | BoxCitationShape]


@dataclass(frozen=True)
class FaultShape:
    """One thing that is wrong with a sentence."""

    fault: str
    detail: str


@dataclass(frozen=True)
class DroppedShape:
    """A sentence that a writer wanted and the evidence does not bear."""

    text: str
    problems: list[FaultShape]


@dataclass(frozen=True)
class DraftShape:
    """A preliminary report, which `status` says, too."""

    status: str
    writer: str
    prompt: str | None
    sentences: list[SentenceShape]
    cases: list[str]
    dropped: list[DroppedShape]
    notes: list[str]
    text: str


@dataclass(frozen=True)
class KeptDraft(DraftShape):
    """A draft that a server keeps for a while; `draft` is the name that it can be accepted by."""

    draft: str
    query_id: str


@dataclass(frozen=True)
class Explanation:
    """Evidence, a draft in the template's words, and the language model that would word another, if any."""

    evidence: EvidenceShape
    draft: KeptDraft
    language_model: str | None


@dataclass(frozen=True)
class DraftText:
    """A piece of what a language model writes, unchecked: the event `text`."""

    text: str


@dataclass(frozen=True)
class DraftError:
    """Why there is no draft: the event `error`."""

    detail: str
