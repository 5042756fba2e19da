"""Evidence and drafts in the JSON form that the command line and the HTTP interface share."""

from __future__ import annotations

from edge_retrieve.edge_app.shapes import (
    BoxCitationShape,
    BoxEdges,
    CaseCitationShape,
    ChangeShape,
    DraftShape,
    DroppedShape,
    EvidenceShape,
    FaultShape,
    NeighbourShape,
    PlaceShape,
    RareShape,
    SentenceShape,
    SidesShape,
    VoteShape,
)
from edge_retrieve.edge_app.wire import box_edges, result_shape
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.explain.counterfactual import Change
from edge_retrieve.runtime.explain.draft import PRELIMINARY, BoxCitation, Citation, Draft
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour, PlaceEvidence, SidesAgreement, Vote
from edge_retrieve.runtime.findings import Finding


def evidence_shape(evidence: Evidence) -> EvidenceShape:
    """Return the evidence of a query, with the answer to it."""
    return EvidenceShape(
        study=evidence.study or None,
        survey=evidence.survey,
        calibrated=evidence.calibrated,
        fitted_on=evidence.fitted_on or None,
        abstained=evidence.abstained,
        reports=evidence.reports,
        places=[place_shape(place) for place in evidence.places],
        result=result_shape(evidence.result),
    )


def draft_shape(draft: Draft) -> DraftShape:
    """Return a draft; cases are cited by study."""
    return DraftShape(
        status=PRELIMINARY,
        writer=draft.writer,
        prompt=draft.prompt or None,
        sentences=[
            SentenceShape(
                section=sentence.section.value,
                text=sentence.text,
                probability=_rounded(sentence.probability),
                citations=[_citation(each) for each in sentence.citations],
            )
            for sentence in draft.sentences
        ],
        cases=list(draft.cases()),
        dropped=[
            DroppedShape(each.text, [FaultShape(one.fault.value, one.detail) for one in each.problems])
            for each in draft.dropped
        ],
        notes=list(draft.notes),
        text=draft.report(),
    )


def change_shape(change: Change) -> ChangeShape:
    """Return what changes when a region is altered."""
    return ChangeShape(
        region=change.region.value,
        alteration=change.kind.value,
        before=_name(change.before),
        after=_name(change.after),
        finding=_name(change.finding),
        probability_before=_rounded(change.probability_before),
        probability_after=_rounded(change.probability_after),
        lost=list(change.lost),
        come=list(change.come),
        compared=change.compared,
        place=place_shape(change.place),
    )


def place_shape(place: PlaceEvidence) -> PlaceShape:
    """Return the evidence of one place."""
    return PlaceShape(
        region=None if place.region is None else place.region.value,
        box=_box(place.box),
        drawn=_box(place.drawn),
        silence=None if place.silence is None else place.silence.value,
        votes=[_vote(vote) for vote in place.votes],
        neighbours=[_neighbour(neighbour) for neighbour in place.neighbours],
        sides=None if place.sides is None else _sides(place.sides),
        rare=[RareShape(finding.value, _neighbour(neighbour)) for finding, neighbour in place.rare],
    )


def _vote(vote: Vote) -> VoteShape:
    return VoteShape(
        finding=vote.finding.value,
        probability=_rounded(vote.probability),
        share=round(vote.share, 4),
        base_rate=round(vote.base_rate, 6),
        beyond_chance=round(vote.beyond_chance, 4),
        for_=[each.study for each in vote.supporters],
        nearest_without=None if vote.against is None else vote.against.study,
    )


def _neighbour(neighbour: Neighbour) -> NeighbourShape:
    return NeighbourShape(
        study=neighbour.study,
        rank=neighbour.rank,
        score=round(neighbour.score, 4),
        probability=_rounded(neighbour.probability),
        stated=sorted(finding.value for finding in neighbour.stated),
        denied=sorted(finding.value for finding in neighbour.denied),
        suspected=sorted(finding.value for finding in neighbour.suspected),
        sentences=list(neighbour.sentences),
        box=_box(neighbour.box),
    )


def _sides(sides: SidesAgreement) -> SidesShape:
    return SidesShape(
        agree=sides.agree,
        image=_name(sides.image_leader),
        text=_name(sides.text_leader),
        shared=sides.shared,
        compared=sides.compared,
    )


def _citation(citation: Citation) -> CaseCitationShape | BoxCitationShape:
    if isinstance(citation, BoxCitation):
        return BoxCitationShape(citation.region.value, box_edges(citation.box))
    return CaseCitationShape(citation.study, None if citation.region is None else citation.region.value)


def _name(finding: Finding | None) -> str | None:
    return None if finding is None else finding.value


def _box(box: Box | None) -> BoxEdges | None:
    return None if box is None else box_edges(box)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
