"""Negation and uncertainty: which words of a sentence deny or doubt a finding, and how far they reach.

The rules follow NegEx (Chapman et al., 2001): trigger phrases with a scope that ends at the clause,
pseudo-triggers ("no change") that are no negation at all, and triggers that act backwards
("... has resolved").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_retrieve.runtime.findings.vocabulary import Assertion

_BOUNDARY = re.compile(
    r"\s*(?:;|(?<!\d)\.(?!\d)|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\bexcept(?: for)?\b"
    r"|\bother than\b|\baside from\b"
    r"|\bapart from\b|\bwhile\b|\bwhereas\b|\bwith the exception of\b|\byet\b|,? and (?=(?:the|there)\b)"
    r"|, (?=(?:there (?:is|are)|the|with|which|heart|lungs?|no|without|otherwise)\b)"
    r"|\bsecondary to\b(?= low))\s*"
)

# What looks like a negation and is none.
_PSEUDO = re.compile(
    r"\b(?:(?:no|without|not)(?: [a-z]+){0,2} (?:change[ds]?|increase|progression|worsening|improvement)"
    r"|not (?:well|fully|completely|optimally|only)(?: (?:seen|visualized|evaluated"
    r"|changed))?|no comparison|not (?:seen |present )?(?:previously|before)"
    r"|no (?:prior|previous)(?: [a-z]+)?)\b"
)
_NEGATES_AFTER = re.compile(
    r"\b(?:no|without|negative for|free of|clear of|absence of|not|nor|neither|rather than|resolution of"
    r"|resolved|lack of"
    r"|(?:interval )?removal of|cleared|no longer)\b"
)
_NEGATES_BEFORE = re.compile(
    r"\b(?:(?:is|are|was|were)(?: [a-z]+)? (?:not|no longer)(?: [a-z]+)?"
    r"(?: (?:seen|identified|demonstrated|present|visible|visualized|appreciated|evident|apparent))"
    r"|(?:not|no longer) (?:seen|identified|present|visible|visualized|appreciated|evident|apparent"
    r"|demonstrated)"
    r"|(?:has|have|had)(?: [a-z]+){0,2} (?:resolved|cleared|been removed)|(?:is|are|now"
    r"|completely) (?:resolved|absent)"
    r"|(?:has|have) been removed|(?:is|are) (?:excluded|ruled out))\b"
)
# Only right behind what it judges: "vascular engorgement is within normal limits".
_NORMAL = re.compile(
    r"(?: [a-z]+)? (?:is|are|was|were|appears?|remains?)(?: [a-z]+)? (?:within (?:normal limits"
    r"|(?:the )?limits of normal)|normal|unremarkable)\b"
)
_DOUBTS_AFTER = re.compile(
    r"\b(?:possibl[ey]|probabl[ey]|likely|may|might|could|suggest(?:s|ing|ive|ed)?(?: of)?|question(?:able"
    r"|ed)?|suspected"
    r"|suspicious for|concerning for|concern for|(?:cannot|can not|difficult to|not) (?:entirely )?exclude"
    r"|versus|vs|equivocal"
    r"|differential(?: diagnosis)?(?: includes?)?|considerations?(?: would)?(?: include)?|evaluat(?:e"
    r"|ion) (?:for|of)|rule out|to exclude|presumed|presumably|potential(?:ly)?|represent(?:s"
    r"|ing)?"
    r"|suspicion (?:of|for)|compatible with)\b"
)
_DOUBTS_BEFORE = re.compile(
    r"\b(?:(?:cannot|can not|could not|not)(?: be)?(?: [a-z]+)? excluded|(?:is|are) (?:possible|suspected"
    r"|questioned|considered))\b"
)
_DOUBT_ENDS = re.compile(r",(?! (?:and|or)\b)|\b(?:with|in|within|at)\b(?= the\b)")


@dataclass(frozen=True)
class Clause:
    """A stretch of a sentence that one negation reaches over: half-open character range."""

    start: int
    end: int


def split_clauses(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a sentence of `normalized` text, in order."""
    clauses, start = [], 0
    for boundary in _BOUNDARY.finditer(text):
        if text[start : boundary.start()].strip(" ,."):
            clauses.append(Clause(start, boundary.start()))
        start = boundary.end()
    if text[start:].strip(" ,."):
        clauses.append(Clause(start, len(text)))
    return tuple(clauses)


def assertion_of(clause: str, start: int, end: int) -> Assertion:
    """Return how a clause asserts the finding named at ``clause[start:end]``.

    Parameters
    ----------
    clause : str
        One clause of `normalized` text.
    start, end : int
        Half-open character range of the finding's name in it.
    """
    pseudo = [(m.start(), m.end()) for m in _PSEUDO.finditer(clause)]
    doubt_cues = [
        (m.start(), m.end()) for rule in (_DOUBTS_AFTER, _DOUBTS_BEFORE) for m in rule.finditer(clause)
    ]

    def genuine(match: re.Match[str]) -> bool:
        masks = pseudo + [cue for cue in doubt_cues if match.start() >= cue[0] and match.end() <= cue[1]]
        return not any(low <= match.start() < high for low, high in masks)

    if any(genuine(m) and m.end() <= start for m in _NEGATES_AFTER.finditer(clause)):
        return Assertion.ABSENT
    if _NORMAL.match(clause, end) or any(
        genuine(m) and m.start() >= end for m in _NEGATES_BEFORE.finditer(clause)
    ):
        return Assertion.ABSENT
    if any(m.start() >= end for m in _DOUBTS_BEFORE.finditer(clause)):
        return Assertion.UNCERTAIN
    for cue in _DOUBTS_AFTER.finditer(clause):
        if cue.end() <= start and not _DOUBT_ENDS.search(clause[cue.end() : start]):
            return Assertion.UNCERTAIN
    return Assertion.PRESENT
