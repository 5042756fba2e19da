"""From report text to mentions: which findings, how asserted, in which regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.anatomy.phrases import Place, PlacePhrase, find_places, normalized
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.findings.assertion import assertion_of, split_clauses
from edge_retrieve.runtime.findings.siting import regions_for
from edge_retrieve.runtime.findings.synonyms import COMPOSED, Quality, Term, find_terms
from edge_retrieve.runtime.reports.sentences import split_sections, split_sentences
from edge_retrieve.runtime.reports.types import Mention, ParsedReport, Section, Sentence

_PREPOSITION = re.compile(
    r"\b(?:in|at|of|within|involving|over|overlying|along|throughout|on|near|from|across|projecting over"
    r"|above|to|into|inside|occupying|about|around|affecting)\b[^,]*$"
)
_LEADING_PLACE = re.compile(r"(?:in|at|on|within|over|about|along|near|involving|throughout)\b")
_JOINS_FINDINGS = re.compile(
    r"[\s,/]*(?:(?:and|or|with|plus|and/or|adjacent|associated|small|mild|minimal|trace|some|subsegmental|probable|possible"
    r"|likely|moderate|large|a|an|linear|the|underlying|overlying)[\s,/]*)*"
)
# A quality and the structure it belongs to stand close together.
_QUALITY_REACH = 70


@dataclass(frozen=True)
class _Named:
    """A finding named in a clause, with the structure that made a quality a finding."""

    start: int
    end: int
    finding: Finding
    subject: PlacePhrase | None


def parse_report(text: str) -> ParsedReport:
    """Return what a report says.

    Parameters
    ----------
    text : str
        Free text, with or without ``FINDINGS:`` and ``IMPRESSION:`` headers. Sections that do not
        describe the image (indication, history, comparison, technique) are kept as sentences of
        `Section.OTHER` that state nothing: an indication asks for findings, it does not see them.
    """
    sentences: list[Sentence] = []
    for section, body in split_sections(text):
        for sentence in split_sentences(body):
            if section is Section.OTHER:
                sentences.append(Sentence(sentence, section, (), ()))
            else:
                sentences.append(parse_sentence(sentence, section))
    return ParsedReport(tuple(sentences))


@lru_cache(maxsize=50_000)
def parse_sentence(text: str, section: Section = Section.FINDINGS) -> Sentence:
    """Return what one sentence says.

    Parameters
    ----------
    text : str
    section : Section

    Returns
    -------
    Sentence
        Its regions are the union of the places it names and the regions of its mentions, in the
        order of `REGIONS`.
    """
    whole = normalized(text)
    mentions: list[Mention] = []
    spoken: set[Region] = set()
    start: int | None = None
    for clause in split_clauses(whole):
        if start is None:
            start = clause.start
        words = whole[start : clause.end]
        if _LEADING_PLACE.match(words) and clause.end < len(whole) and not find_terms(words):
            continue  # "In the right upper lobe, there is a nodule": the place belongs to what follows
        start = None
        found, places = _read_clause(words)
        mentions += found
        spoken |= {region for place in places if place.place is not Place.SIDE for region in place.regions}
    spoken |= {region for mention in mentions for region in mention.regions}
    unique = tuple(dict.fromkeys(mentions))
    return Sentence(" ".join(text.split()), section, tuple(r for r in REGIONS if r in spoken), unique)


def _read_clause(clause: str) -> tuple[list[Mention], tuple[PlacePhrase, ...]]:
    terms = find_terms(clause)
    places = find_places(clause, [term.start for term in terms])
    named = [found for term in terms if (found := _name(term, places)) is not None]
    mentions = []
    for finding, held in zip(named, _attach(clause, named, places), strict=True):
        assertion = assertion_of(clause, finding.start, finding.end)
        mentions.append(Mention(finding.finding, assertion, regions_for(finding.finding, assertion, held)))
    return mentions, places


def _name(term: Term, places: Sequence[PlacePhrase]) -> _Named | None:
    """Return the finding a term names, None for a quality of nothing that matters."""
    if not isinstance(term.names, Quality):
        return _Named(term.start, term.end, term.names, None)
    subjects = COMPOSED[term.names]
    near = [
        (max(place.start - term.end, term.start - place.end), place)
        for place in places
        if place.place in subjects or place.place is Place.ELSEWHERE
    ]
    gap, subject = min(near, key=lambda pair: pair[0], default=(_QUALITY_REACH, None))
    if subject is None or gap >= _QUALITY_REACH or subject.place not in subjects:
        return None
    return _Named(term.start, term.end, subjects[subject.place], subject)


def _attach(clause: str, named: Sequence[_Named], places: Sequence[PlacePhrase]) -> list[list[PlacePhrase]]:
    """Return the places that belong to each finding of a clause.

    A place after a preposition belongs to the finding before it, any other to the finding after it;
    a finding without a place shares that of its neighbour in an enumeration.
    """
    held: list[list[PlacePhrase]] = [[] for _ in named]
    for index, finding in enumerate(named):
        if finding.subject is not None:
            held[index].append(finding.subject)
    for place in places:
        if any(finding.subject is place for finding in named):
            continue
        before = [
            i
            for i, finding in enumerate(named)
            if finding.end <= place.start or finding.start <= place.start < finding.end
        ]
        after = [i for i, finding in enumerate(named) if finding.start >= place.end]
        if before and (not after or _PREPOSITION.search(clause[named[before[-1]].end : place.start])):
            held[before[-1]].append(place)
        elif after:
            held[after[0]].append(place)
    for index in range(1, len(named)):  # "left basilar atelectasis and effusion"
        if not held[index] and _JOINS_FINDINGS.fullmatch(clause[named[index - 1].end : named[index].start]):
            held[index] = held[index - 1]
    for index in reversed(range(len(named) - 1)):  # "atelectasis or scarring in the left base"
        between = clause[named[index].end : named[index + 1].start]
        if not held[index] and _JOINS_FINDINGS.fullmatch(between):
            held[index] = held[index + 1]
    for index, finding in enumerate(named):  # "blunting of the left costophrenic angle from an effusion"
        if not held[index]:
            twins = [held[i] for i, other in enumerate(named) if other.finding is finding.finding and held[i]]
            held[index] = twins[0] if twins else held[index]
    return held
