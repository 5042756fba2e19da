"""From report text to mentions: which findings, how asserted, in which regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.anatomy.phrases import find_places, normalized
from edge_retrieve.runtime.anatomy.places import Place, PlacePhrase
from edge_retrieve.runtime.findings.assertion import assertion_of, split_clauses
from edge_retrieve.runtime.findings.siting import regions_for
from edge_retrieve.runtime.findings.synonyms import COMPOSED, Quality, Term, find_terms
from edge_retrieve.runtime.reports.attachment import NamedFinding, attach_places
from edge_retrieve.runtime.reports.coreference import resolve_vague_mentions
from edge_retrieve.runtime.reports.sentences import split_sections, split_sentences
from edge_retrieve.runtime.reports.types import Mention, ParsedReport, Section, Sentence

_LEADING_PLACE = re.compile(r"(?:in|at|on|within|over|about|along|near|involving|throughout)\b")
# A quality and the structure it belongs to stand close together.
_QUALITY_REACH = 70
_COMMA_GAP = 25


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
    return ParsedReport(resolve_vague_mentions(sentences))


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
    named = [found for term in terms if (found := _name(clause, term, places)) is not None]
    mentions = []
    for finding, held in zip(named, attach_places(clause, named, places), strict=True):
        assertion = assertion_of(clause, finding.start, finding.end)
        mentions.append(Mention(finding.finding, assertion, regions_for(finding.finding, assertion, held)))
    return mentions, places


def _gap(clause: str, term: Term, place: PlacePhrase) -> int:
    """Return how many characters part a quality from a structure; a comma counts for many."""
    between = clause[min(term.end, place.end) : max(term.start, place.start)]
    return len(between) + _COMMA_GAP * between.count(",")


def _name(clause: str, term: Term, places: Sequence[PlacePhrase]) -> NamedFinding | None:
    """Return the finding a term names, None for a quality of nothing that matters."""
    if not isinstance(term.names, Quality):
        return NamedFinding(term.start, term.end, term.names, None)
    subjects = COMPOSED[term.names]
    near = [
        (_gap(clause, term, place), place)
        for place in places
        if place.place in subjects or place.place is Place.ELSEWHERE
    ]
    gap, subject = min(near, key=lambda pair: pair[0], default=(_QUALITY_REACH, None))
    if subject is None or gap >= _QUALITY_REACH or subject.place not in subjects:
        return None
    return NamedFinding(term.start, term.end, subjects[subject.place], subject)
