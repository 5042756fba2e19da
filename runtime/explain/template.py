"""The deterministic writer: what the votes support, in fixed words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_retrieve.runtime.explain.draft import BoxCitation, CaseCitation, Citation, Draft, DraftSentence
from edge_retrieve.runtime.explain.evidence import Evidence, PlaceEvidence, Silence, Vote
from edge_retrieve.runtime.explain.phrases import phrase_for, sentence, statement_regions
from edge_retrieve.runtime.reports.types import Section

NAME = "template"
CITED = 3
"""Cases that a statement cites at most: the nearest that support it."""
NOTHING = "No finding is supported by similar cases."
# Where there is nothing to compare, or similar cases that disagree, nobody can say that nothing is there.
_NO_GROUND = frozenset({Silence.NO_NEIGHBOUR, Silence.NO_REPORT, Silence.UNDECIDED})


class TemplateWriter:
    """Writes one sentence for each finding in each place, the surest first; needs no model."""

    def write(self, evidence: Evidence) -> Draft:
        """Return the draft; equal evidence gives an equal draft."""
        stated = list(_statements(evidence, certain=True))
        possible = [
            statement for statement in _statements(evidence, certain=False) if not _covered(statement, stated)
        ]
        findings = [
            *(_sentence(place, vote, "", Section.FINDINGS) for place, vote in stated),
            *(_sentence(place, vote, "possible ", Section.FINDINGS) for place, vote in possible),
            *_silent(evidence),
        ]
        impression = [_sentence(place, vote, "", Section.IMPRESSION) for place, vote in stated]
        if not impression:
            impression = [_sentence(place, vote, "possible ", Section.IMPRESSION) for place, vote in possible]
        if not impression:
            impression = [DraftSentence(Section.IMPRESSION, NOTHING, _whatever(evidence.places))]
        torn = ", ".join(
            place.name
            for place in evidence.places
            if place.silence is Silence.UNDECIDED and not place.possible
        )
        notes = (f"Similar cases do not agree on any finding: {torn}",) if torn else ()
        return Draft(NAME, tuple(one for one in (*findings, *impression) if one.citations), notes=notes)


def _statements(evidence: Evidence, *, certain: bool) -> Iterator[tuple[PlaceEvidence, Vote]]:
    """Yield what is stated, or only possible, surest first; what an earlier sentence says too is left out."""
    found = [
        (place, vote) for place in evidence.places for vote in (place.stated if certain else place.possible)
    ]
    found.sort(key=lambda each: -each[1].strength)
    kept: list[tuple[PlaceEvidence, Vote]] = []
    for place, vote in found:
        if not _covered((place, vote), kept):
            kept.append((place, vote))
            yield place, vote


def _covered(statement: tuple[PlaceEvidence, Vote], earlier: Sequence[tuple[PlaceEvidence, Vote]]) -> bool:
    place, vote = statement
    return any(
        vote.finding is other.finding
        and (place.region is None or place.region in statement_regions(other.finding, where.region))
        for where, other in earlier
    )


def _sentence(place: PlaceEvidence, vote: Vote, hedge: str, section: Section) -> DraftSentence:
    cases: list[Citation] = [CaseCitation(each.study, place.region) for each in vote.supporters[:CITED]]
    return DraftSentence(
        section,
        sentence(hedge + phrase_for(vote.finding, place.region)),
        (*cases, *_box(place)),
        vote.probability,
    )


def _silent(evidence: Evidence) -> Iterator[DraftSentence]:
    """Yield what is said of the places where nothing is."""
    quiet = [place for place in evidence.places if not place.stated and not place.possible]
    compared = [place for place in quiet if place.silence not in _NO_GROUND]
    if evidence.survey:
        if compared:
            other = len(compared) < len(evidence.places)
            text = f"No finding is supported in {'the other regions' if other else 'any region'}."
            yield DraftSentence(Section.FINDINGS, text, _whatever(compared))
        return
    for place in compared:
        if place.region is not None:
            text = f"No finding is supported in the {place.region.value}."
            yield DraftSentence(Section.FINDINGS, text, _whatever([place]))


def _whatever(places: Sequence[PlaceEvidence]) -> tuple[Citation, ...]:
    """Return what a sentence that states nothing rests on: boxes, or neighbours where there is none."""
    boxes = [citation for place in places for citation in _box(place)]
    if boxes:
        return tuple(boxes)
    return tuple(
        CaseCitation(each.study, place.region)
        for place in places
        for each in place.neighbours
        if not each.stated
    )[:CITED]


def _box(place: PlaceEvidence) -> tuple[Citation, ...]:
    box = place.drawn or place.box
    return (BoxCitation(place.region, box),) if place.region is not None and box is not None else ()
