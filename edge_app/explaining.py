"""Evidence and drafts in the JSON form that the command line and the HTTP interface share."""

from __future__ import annotations

from collections.abc import Sequence

from edge_retrieve.edge_app.wire import Json, box_edges, result_json
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.explain.counterfactual import Change
from edge_retrieve.runtime.explain.draft import (
    PRELIMINARY,
    BoxCitation,
    Citation,
    Draft,
    DraftSentence,
    Dropped,
)
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour, PlaceEvidence, SidesAgreement, Vote


def evidence_json(evidence: Evidence) -> Json:
    """Return the evidence of a query, with the answer to it."""
    return {
        "study": evidence.study or None,
        "survey": evidence.survey,
        "calibrated": evidence.calibrated,
        "fitted_on": evidence.fitted_on or None,
        "abstained": evidence.abstained,
        "reports": evidence.reports,
        "places": [_place(place) for place in evidence.places],
        "result": result_json(evidence.result),
    }


def draft_json(draft: Draft) -> Json:
    """Return a draft; cases are cited by study."""
    return {
        "status": PRELIMINARY,
        "writer": draft.writer,
        "prompt": draft.prompt or None,
        "sentences": [_sentence(sentence) for sentence in draft.sentences],
        "cases": list(draft.cases()),
        "dropped": [_dropped(each) for each in draft.dropped],
        "notes": list(draft.notes),
        "text": draft.report(),
    }


def changes_json(changes: Sequence[Change]) -> list[Json]:
    """Return what changes when regions are altered."""
    return [
        {
            "region": change.region.value,
            "alteration": change.kind.value,
            "before": None if change.before is None else change.before.value,
            "after": None if change.after is None else change.after.value,
            "probability_before": _rounded(change.probability_before),
            "probability_after": _rounded(change.probability_after),
            "lost": list(change.lost),
            "come": list(change.come),
            "compared": change.compared,
        }
        for change in changes
    ]


def _place(place: PlaceEvidence) -> Json:
    return {
        "region": None if place.region is None else place.region.value,
        "box": _box(place.box),
        "drawn": _box(place.drawn),
        "silence": None if place.silence is None else place.silence.value,
        "votes": [_vote(vote) for vote in place.votes],
        "neighbours": [_neighbour(neighbour) for neighbour in place.neighbours],
        "sides": None if place.sides is None else _sides(place.sides),
        "rare": [
            {"finding": finding.value, "case": _neighbour(neighbour)} for finding, neighbour in place.rare
        ],
    }


def _vote(vote: Vote) -> Json:
    return {
        "finding": vote.finding.value,
        "probability": _rounded(vote.probability),
        "share": _rounded(vote.share),
        "base_rate": round(vote.base_rate, 6),
        "beyond_chance": _rounded(vote.beyond_chance),
        "for": [each.study for each in vote.supporters],
        "nearest_without": None if vote.against is None else vote.against.study,
    }


def _neighbour(neighbour: Neighbour) -> Json:
    return {
        "study": neighbour.study,
        "rank": neighbour.rank,
        "score": _rounded(neighbour.score),
        "probability": _rounded(neighbour.probability),
        "stated": sorted(finding.value for finding in neighbour.stated),
        "denied": sorted(finding.value for finding in neighbour.denied),
        "suspected": sorted(finding.value for finding in neighbour.suspected),
        "sentences": list(neighbour.sentences),
        "box": _box(neighbour.box),
    }


def _sides(sides: SidesAgreement) -> Json:
    return {
        "agree": sides.agree,
        "image": None if sides.image_leader is None else sides.image_leader.value,
        "text": None if sides.text_leader is None else sides.text_leader.value,
        "shared": sides.shared,
        "compared": sides.compared,
    }


def _sentence(sentence: DraftSentence) -> Json:
    return {
        "section": sentence.section.value,
        "text": sentence.text,
        "probability": _rounded(sentence.probability),
        "citations": [_citation(each) for each in sentence.citations],
    }


def _citation(citation: Citation) -> Json:
    if isinstance(citation, BoxCitation):
        return {"region": citation.region.value, "box": _box(citation.box)}
    return {"study": citation.study, "region": None if citation.region is None else citation.region.value}


def _dropped(dropped: Dropped) -> Json:
    return {
        "text": dropped.text,
        "problems": [
            {"fault": problem.fault.value, "detail": problem.detail} for problem in dropped.problems
        ],
    }


def _box(box: Box | None) -> object:
    return None if box is None else box_edges(box)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
