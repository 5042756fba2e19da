"""Whether the evidence bears what a sentence says: finding, region, side, negation, citations, words.

The sentence is read as any report is (`runtime.reports`). What it states must have been voted for there, by
the cases that it cites; what it denies must not; and it may hold no word beside these that says anything: a
size, a change since earlier, or an invented finding are another patient's, or nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.anatomy.phrases import normalized
from edge_retrieve.runtime.explain.draft import DraftSentence, Fault, Problem
from edge_retrieve.runtime.explain.evidence import (
    POSSIBLE_FROM,
    STATED_FROM,
    Evidence,
    PlaceEvidence,
    Silence,
)
from edge_retrieve.runtime.explain.phrases import PATTERNS, statement_regions
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import Mention, parse_report
from edge_retrieve.runtime.reports.types import Sentence

# Words that claim nothing by themselves.
_NEUTRAL = """
a an and any appear appears are as at be both but by can cannot case cases clear demonstrated
demonstrates evidence evident exclude excluded finding findings for free from has have however
identified image in is it its limits may might near neither nor normal no not noted of on or other
otherwise over possible possibly present probable probably region regions remain remaining remains seen
show shown shows side sided similar size suggest suggestive suggests support supported supports
suspected that the there these this tip to unremarkable visible was were with within without abnormal
abnormality abnormalities bilateral involving located likely right left
"""
# Plain names of findings and places, beside those of the vocabulary. What the parser understands beyond them
# says more than the finding ("tumor" of a mass, "left ventricle" of the heart, "borderline"): nobody voted
# on that.
_PLAIN = """
heart cardiac silhouette enlarged enlargement cardiomegaly pulmonary nodules nodular opacities densities
density masses consolidations consolidative airspace effusions fluid pneumothoraces blunting blunted
angles sulcus apex apices lobe lobes middle mid base bases basal basilar lungs zones hilum hila
perihilar diaphragm elevated elevation raised atelectatic reticular markings scar scars thickening
granulomas calcified calcification hyperinflated aorta aortic prominent prominence widened widening
mediastinal superior thoracic vertebra curvature ribs fractures fractured clavicles pacer catheter
venous vena cava tubes nasogastric stomach sternotomy spondylosis osteophytes compression hernias
lingula retrocardiac emphysematous subsegmental lines space spaces
"""
_NAMES = (*(each.value for each in (*Finding, *Region)), *PATTERNS)
_KNOWN = frozenset(re.findall(r"[a-z]+", " ".join((_NEUTRAL, _PLAIN, *_NAMES)).lower()))
_SAYS_NORMAL = re.compile(r"\b(?:normal|clear|unremarkable|free|no (?:finding|abnormalit))")
_OTHERS = re.compile(r"\b(?:other|remaining) regions?\b")
_NOTHING_TO_COMPARE = frozenset({Silence.NO_NEIGHBOUR, Silence.NO_REPORT})


def check_sentence(sentence: DraftSentence, evidence: Evidence) -> tuple[Problem, ...]:
    """Return what is wrong with a sentence; nothing where the evidence bears it.

    Parameters
    ----------
    sentence : DraftSentence
    evidence : Evidence
    """
    read = [each for each in parse_report(sentence.text).sentences if each.text.strip()]
    if not read:
        return (Problem(Fault.EMPTY, ""),)
    found: list[Problem] = []
    if not sentence.citations:
        found.append(Problem(Fault.UNCITED, ""))
    for each in read:
        found += _words(each.text)
        for mention in each.mentions:
            if mention.assertion is Assertion.ABSENT:
                found += _denied(mention, sentence, evidence)
            else:
                found += _stated(mention, sentence, evidence)
        found += _normal(each, evidence)
    found += _cases_known(sentence, evidence)
    return tuple(dict.fromkeys(found))


def _words(text: str) -> Iterator[Problem]:
    foreign = [word for word in re.findall(r"[a-z]+|\d+", normalized(text)) if word not in _KNOWN]
    if foreign:
        yield Problem(Fault.WORDS, " ".join(foreign))


def _stated(mention: Mention, sentence: DraftSentence, evidence: Evidence) -> Iterator[Problem]:
    finding = mention.finding
    needed = STATED_FROM if mention.assertion is Assertion.PRESENT else POSSIBLE_FROM
    places = [place for place in evidence.places if _strength(place, finding) >= needed]
    if not mention.regions:
        whole = [place for place in places if place.region is None]
        if not whole:
            yield Problem(Fault.NO_PLACE, finding.value)
        else:
            yield from _cited(mention, whole, sentence)
        return
    spoken_of = frozenset(mention.regions)
    bearing = [
        place
        for place in places
        if place.region is not None
        and (place.region in spoken_of or spoken_of & statement_regions(finding, place.region))
    ]
    borne = {
        region
        for place in bearing
        for region in (place.region, *statement_regions(finding, place.region))
        if region is not None
    }
    for region in mention.regions:
        if region not in borne:
            yield _unborne(finding, region, needed, places, evidence)
    if bearing and spoken_of <= borne:
        yield from _cited(mention, bearing, sentence)


def _unborne(
    finding: Finding, region: Region, needed: float, places: Sequence[PlaceEvidence], evidence: Evidence
) -> Problem:
    detail = f"{finding.value}, {region.value}"
    here = evidence.place(region)
    if here is None:
        return Problem(Fault.NOT_LOOKED, detail)
    if POSSIBLE_FROM <= _strength(here, finding) < needed:
        return Problem(Fault.CERTAINTY, detail)
    elsewhere = {place.region for place in places}
    if region.mirrored is not region and region.mirrored in elsewhere:
        return Problem(Fault.SIDE, detail)
    return Problem(Fault.REGION if elsewhere else Fault.FINDING, detail)


def _cited(mention: Mention, bearing: Sequence[PlaceEvidence], sentence: DraftSentence) -> Iterator[Problem]:
    """Yield the cited cases that do not state what the sentence does; none cited is wrong, too."""
    votes = [vote for place in bearing if (vote := place.vote(mention.finding)) is not None]
    supporters = {each.study for vote in votes for each in vote.supporters}
    if not sentence.cases:
        yield Problem(Fault.UNCITED, mention.finding.value)
    # Where a sentence states several findings, each case has to bear one of them.
    alone = len({each.finding for one in parse_report(sentence.text).sentences for each in one.mentions}) < 2
    if alone:
        for study in sentence.cases:
            if study not in supporters:
                yield Problem(Fault.CITATION, study)
    elif not supporters & set(sentence.cases):
        yield Problem(Fault.CITATION, mention.finding.value)


def _denied(mention: Mention, sentence: DraftSentence, evidence: Evidence) -> Iterator[Problem]:
    finding = mention.finding
    places = [evidence.place(region) for region in mention.regions] or [evidence.place(None)]
    for region, place in zip(mention.regions or (None,), places, strict=True):
        where = "anywhere" if region is None else region.value
        if place is None or place.silence in _NOTHING_TO_COMPARE:
            yield Problem(Fault.NOT_LOOKED, f"{finding.value}, {where}")
        elif _strength(place, finding) >= POSSIBLE_FROM:
            yield Problem(Fault.NEGATION, f"{finding.value}, {where}")
        else:
            stating = {each.study for each in place.neighbours if finding in each.stated}
            for study in sentence.cases:
                if study in stating:
                    yield Problem(Fault.CITATION, study)


def _normal(sentence: Sentence, evidence: Evidence) -> Iterator[Problem]:
    """Yield the regions that a sentence calls normal though the evidence puts something there."""
    if not _SAYS_NORMAL.search(normalized(sentence.text)):
        if not sentence.mentions:
            yield Problem(Fault.EMPTY, sentence.text)
        return
    named = {region for mention in sentence.mentions for region in mention.regions}
    regions = [region for region in sentence.regions if region not in named]
    if not sentence.mentions and not sentence.regions and not _OTHERS.search(sentence.text.lower()):
        for any_place in evidence.places:
            if any_place.stated:
                yield Problem(Fault.NEGATION, f"{any_place.stated[0].finding.value}, {any_place.name}")
        return
    for region in regions:
        place = evidence.place(region)
        if place is None or place.silence in _NOTHING_TO_COMPARE:
            yield Problem(Fault.NOT_LOOKED, region.value)
        elif place.votes and place.votes[0].strength >= POSSIBLE_FROM:
            yield Problem(Fault.NEGATION, f"{place.votes[0].finding.value}, {region.value}")


def _cases_known(sentence: DraftSentence, evidence: Evidence) -> Iterator[Problem]:
    known = set(evidence.cases())
    for study in sentence.cases:
        if study not in known:
            yield Problem(Fault.CITATION, study)
    for region in sentence.boxes:
        if evidence.place(region) is None:
            yield Problem(Fault.NOT_LOOKED, region.value)


def _strength(place: PlaceEvidence, finding: Finding) -> float:
    vote = place.vote(finding)
    return 0.0 if vote is None else vote.strength
