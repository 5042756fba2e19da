"""Which place of a clause belongs to which finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy.places import Place, PlacePhrase
from edge_retrieve.runtime.findings import Finding


@dataclass(frozen=True)
class NamedFinding:
    """A finding named in a clause.

    Parameters
    ----------
    start, end : int
        Half-open character range in the clause.
    finding : Finding
    subject : PlacePhrase or None
        The structure that made a quality a finding ("enlarged" and *heart*).
    """

    start: int
    end: int
    finding: Finding
    subject: PlacePhrase | None


# A preposition governs up to the next "and" or "with": "in the upper lobe and left effusion".
_PREPOSITION = re.compile(
    r"\b(?:in|at|of|within|involving|over|overlying|along|throughout|on|near|from|across|projecting over"
    r"|above|to|into"
    r"|inside|occupying|about|around|affecting|through)\b(?:(?!\b(?:and|with|without)\b)[^,])*$"
)
_BEFORE_NOUN = re.compile(
    r"(?: (?!(?:and|or|with|is|are|has|have|of|in|on|from|may|likely|representing)\b)[a-z0-9]+){0,3} ?"
)
_SAME_ENUMERATION = re.compile(
    r"(?:,|,? and|,? or|/|,? as well as) ?(?:the |in the |at the )?(?:right "
    r"|left |both )?"
)
_JOINS_FINDINGS = re.compile(
    r"(?:[\s,/]|\b(?:and|or|with|plus|adjacent|associated|small|mild|minimal|trace|some|subsegmental"
    r"|probable|possible"
    r"|likely|moderate|large|a|an|linear|the|underlying|overlying)\b)*"
)
# What explains another finding lies where that one does.
_EXPLAINS = re.compile(
    r"\b(?:likely|represent(?:s|ing)?|consistent with|compatible with|suggest(?:s|ing|ive)|due to"
    r"|secondary to|reflect(?:s|ing)?"
    r"|favor(?:ed|s)?|versus|vs|xxxx|concerning for|suspicious for|in keeping with|could be|may be"
    r"|probably|possibly|question)\b"
)


def attach_places(
    clause: str, named: Sequence[NamedFinding], places: Sequence[PlacePhrase]
) -> list[list[PlacePhrase]]:
    """Return, for each finding of a clause, the places that belong to it.

    A place right before a finding, or after no preposition, belongs to the finding behind it; one that a
    preposition governs, to the finding before it; one in an enumeration of places goes with the others. A
    finding without a place shares that of its neighbour in an enumeration, and that of what it explains.
    """
    held: list[list[PlacePhrase]] = [[finding.subject] if finding.subject else [] for finding in named]
    subjects = {id(finding.subject) for finding in named}
    last: tuple[int, PlacePhrase] | None = None
    for place in places:
        if id(place) in subjects:
            continue
        owner = _owner(clause, named, place, last)
        if owner is not None:
            held[owner].append(place)
            last = (owner, place)
    return _shared(clause, named, held)


def _owner(
    clause: str, named: Sequence[NamedFinding], place: PlacePhrase, last: tuple[int, PlacePhrase] | None
) -> int | None:
    for index, finding in enumerate(named):
        if finding.start <= place.start < finding.end:
            return index
    before = [i for i, finding in enumerate(named) if finding.end <= place.start]
    after = [i for i, finding in enumerate(named) if finding.start >= place.end]
    if not before or not after:
        return before[-1] if before else after[0] if after else None
    if _BEFORE_NOUN.fullmatch(clause[place.end : named[after[0]].start]):
        return after[0]
    if last and place.place is not Place.SIDE and named[last[0]].end <= last[1].start:
        between = clause[last[1].end : place.start]
        if _SAME_ENUMERATION.fullmatch(between):
            return last[0]
    return before[-1] if _PREPOSITION.search(clause[named[before[-1]].end : place.start]) else after[0]


def _shared(
    clause: str, named: Sequence[NamedFinding], held: list[list[PlacePhrase]]
) -> list[list[PlacePhrase]]:
    for index in range(1, len(named)):  # "left basilar atelectasis and effusion"
        between = clause[named[index - 1].end : named[index].start]
        if not held[index] and (_JOINS_FINDINGS.fullmatch(between) or _EXPLAINS.search(between)):
            held[index] = held[index - 1]
    for index in reversed(range(len(named) - 1)):  # "atelectasis or scarring in the left base"
        between = clause[named[index].end : named[index + 1].start]
        if not held[index] and _JOINS_FINDINGS.fullmatch(between):
            held[index] = held[index + 1]
    for index, finding in enumerate(named):  # "blunting of the left costophrenic angle from an effusion"
        if not held[index]:
            twins = [held[i] for i, other in enumerate(named) if other.finding is finding.finding and held[i]]
            held[index] = twins[0] if twins else []
    return held
