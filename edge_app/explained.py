"""From the JSON form of evidence and drafts back to the objects that texts and pages are written from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edge_retrieve.edge_app.client.shaping import unreadable
from edge_retrieve.edge_app.shapes import (
    BoxCitationShape,
    BoxEdges,
    CaseCitationShape,
    ChangeShape,
    DraftShape,
    EvidenceShape,
    NeighbourShape,
    PlaceShape,
    SidesShape,
    VoteShape,
)
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.explain.counterfactual import Alteration, Change
from edge_retrieve.runtime.explain.draft import (
    BoxCitation,
    CaseCitation,
    Citation,
    Draft,
    DraftSentence,
    Dropped,
    Fault,
    Problem,
)
from edge_retrieve.runtime.explain.evidence import (
    Evidence,
    Neighbour,
    PlaceEvidence,
    SidesAgreement,
    Silence,
    Vote,
)
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import RetrievalResult
from edge_retrieve.runtime.reports.types import Section

Given = TypeVar("Given")
Made = TypeVar("Made")
Word = TypeVar("Word", Finding, Region, Section, Silence, Alteration, Fault)


def evidence_of(shape: EvidenceShape) -> Evidence:
    """Return evidence, without the hits of the answer that it belongs to.

    Raises
    ------
    ShapeError
        Where it has a word that this version does not know.
    """
    return Evidence(
        places=tuple(place_of(place) for place in shape.places),
        result=RetrievalResult((), (), (), shape.abstained),
        reports=shape.reports,
        survey=shape.survey,
        calibrated=shape.calibrated,
        study=shape.study or "",
        fitted_on=shape.fitted_on or "",
    )


def draft_of(shape: DraftShape) -> Draft:
    """Return a draft; errors as of `evidence_of`."""
    return Draft(
        writer=shape.writer,
        sentences=tuple(
            DraftSentence(
                section=_word(Section, sentence.section),
                text=sentence.text,
                citations=tuple(_citation(each) for each in sentence.citations),
                probability=sentence.probability,
            )
            for sentence in shape.sentences
        ),
        dropped=tuple(
            Dropped(each.text, tuple(Problem(_word(Fault, one.fault), one.detail) for one in each.problems))
            for each in shape.dropped
        ),
        notes=tuple(shape.notes),
        prompt=shape.prompt or "",
    )


def change_of(shape: ChangeShape) -> Change:
    """Return what changes when a region is altered; errors as of `evidence_of`."""
    return Change(
        region=_word(Region, shape.region),
        kind=_word(Alteration, shape.alteration),
        before=_maybe(_finding, shape.before),
        after=_maybe(_finding, shape.after),
        finding=_maybe(_finding, shape.finding),
        probability_before=shape.probability_before,
        probability_after=shape.probability_after,
        lost=tuple(shape.lost),
        come=tuple(shape.come),
        compared=shape.compared,
        place=place_of(shape.place),
    )


def place_of(shape: PlaceShape) -> PlaceEvidence:
    """Return the evidence of one place; errors as of `evidence_of`."""
    neighbours = {each.study: _neighbour(each) for each in shape.neighbours}
    return PlaceEvidence(
        region=_maybe(_region, shape.region),
        box=_maybe(_box, shape.box),
        drawn=_maybe(_box, shape.drawn),
        neighbours=tuple(neighbours.values()),
        votes=tuple(_vote(vote, neighbours) for vote in shape.votes),
        sides=_maybe(_sides, shape.sides),
        rare=tuple((_finding(each.finding), _neighbour(each.case)) for each in shape.rare),
        silence=_maybe(lambda words: _word(Silence, words), shape.silence),
    )


def _vote(shape: VoteShape, neighbours: dict[str, Neighbour]) -> Vote:
    try:
        supporters = tuple(neighbours[study] for study in shape.for_)
        against = None if shape.nearest_without is None else neighbours[shape.nearest_without]
    except KeyError as error:
        raise unreadable("votes") from error
    return Vote(
        finding=_finding(shape.finding),
        share=shape.share,
        base_rate=shape.base_rate,
        beyond_chance=shape.beyond_chance,
        probability=shape.probability,
        supporters=supporters,
        against=against,
    )


def _neighbour(shape: NeighbourShape) -> Neighbour:
    stated, denied, suspected = (
        frozenset(map(_finding, names)) for names in (shape.stated, shape.denied, shape.suspected)
    )
    return Neighbour(
        study=shape.study,
        rank=shape.rank,
        score=shape.score,
        probability=shape.probability,
        stated=stated,
        denied=denied,
        suspected=suspected,
        sentences=tuple(shape.sentences),
        box=_maybe(_box, shape.box),
    )


def _sides(shape: SidesShape) -> SidesAgreement:
    return SidesAgreement(
        _maybe(_finding, shape.image), _maybe(_finding, shape.text), shape.shared, shape.compared
    )


def _citation(shape: CaseCitationShape | BoxCitationShape) -> Citation:
    if isinstance(shape, BoxCitationShape):
        return BoxCitation(_region(shape.region), _box(shape.box))
    return CaseCitation(shape.study, _maybe(_region, shape.region))


def _box(edges: BoxEdges) -> Box:
    return Box(*edges)


def _finding(name: str) -> Finding:
    return _word(Finding, name)


def _region(name: str) -> Region:
    return _word(Region, name)


def _word(kind: type[Word], value: str) -> Word:
    try:
        return kind(value)
    except ValueError as error:
        raise unreadable(f"'{value[:80]}'") from error


def _maybe(make: Callable[[Given], Made], value: Given | None) -> Made | None:
    return None if value is None else make(value)
