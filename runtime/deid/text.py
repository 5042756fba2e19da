"""Taking names, numbers and dates of persons out of report texts; measures and findings stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_retrieve.runtime.deid.words import known_pattern

REMOVED = "XXXX"
"""Stands for what was removed, as in the public Indiana University reports."""

_Replacement = str | Callable[[re.Match[str]], str]
_Rule = tuple[re.Pattern[str], _Replacement]

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_TITLE = r"(?:dr|drs|doctor|mr|mrs|ms|prof|professor)"
# A name: capitalised words or capitals alone, initials, particles between them.
_CAPITAL = r"(?:[A-Z][a-z'\u2019]*[A-Z]?[\w'\u2019-]*|[A-Z]\.)"
_PARTICLES = r"(?:(?:van|von|de|la|der|den|di|bin|al|el)[ \t-]+)*"
_NAME = rf"{_PARTICLES}{_CAPITAL}(?:[ \t]+{_PARTICLES}{_CAPITAL}){{0,3}}"
_DEGREE = r"(?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?-?C|FRCR|FRCP|MBBS|MBChB|FACR)"
_LABEL = (
    r"patient(?:'s)?(?:\s+(?:name|id|number|no\.?))?|(?:full\s+|last\s+|first\s+)?name|pt\.?\s+name|mrn|m\.r\.n\."
    r"|medical\s+record(?:\s+(?:number|no\.?))?|(?:date\s+of\s+birth|d\.?o\.?b\.?|birth\s*date)"
    r"|acc(?:ession|\.)?(?:\s+(?:number|no\.?|\#))?|ssn|address|(?:tele)?phone(?:\s+(?:number|no\.?))?|tel\.?|fax"
    r"|pager|e-?mail|(?:referring|ordering|attending|requesting|primary\s+care)(?:\s+(?:physician|doctor|provider|md))?"
    r"|radiologist|physician|provider|resident|fellow|technologist|transcriptionist|hospital\s+(?:number|no\.?)"
    r"|(?:reported|dictated|transcribed|signed|approved|verified|interpreted|read|reviewed)(?:\s+by)?"
    r"|electronically\s+signed(?:\s+by)?|cc|nhs\s+(?:number|no\.?)|insurance(?:\s+(?:number|no\.?))?"
)


_NO_NAME = r"(?i:was|is|has|and|the|to|at|on|by|who|for|notified)\b"


@dataclass(frozen=True)
class Scrubbed:
    """A text without persons.

    Parameters
    ----------
    text : str
    removed : int
        How many places were replaced.
    """

    text: str
    removed: int


def scrub(text: str, known: Iterable[str] = ()) -> Scrubbed:
    """Replace names, identifiers, dates, times, telephone numbers and addresses.

    What is looked for are forms (a title before a name, a label before a number, a date's shape) and what
    the image's own header names; a bare name that nothing announces stays. docs/privacy.md says how much
    is found.

    Parameters
    ----------
    text : str
        A report.
    known : iterable of str
        Names and numbers from the image's header.
    """
    removed = 0

    def replaced(replacement: _Replacement) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            nonlocal removed
            new = replacement(match) if callable(replacement) else match.expand(replacement)
            removed += new != match[0]
            return new

        return replace

    pattern = known_pattern(known)
    if pattern is not None:
        text = pattern.sub(replaced(REMOVED), text)
    for expression, replacement in _RULES:
        text = expression.sub(replaced(replacement), text)
    return Scrubbed(text, removed)


def _unless_ribs(match: re.Match[str]) -> str:
    """Keep what counts ribs or vertebrae ("ribs 7-8-9"), which has the shape of a date."""
    before = match.string[max(0, match.start() - 24) : match.start()].lower()
    return match[0] if re.search(r"\b(?:ribs?|levels?|vertebra\w*|segments?|[tcl])\W*$", before) else REMOVED


def _old_age(match: re.Match[str]) -> str:
    return match[0] if int(match[1]) < 90 else f"{REMOVED}{match[2]}"


def _rule(expression: str, replacement: _Replacement, flags: int = re.IGNORECASE) -> _Rule:
    return re.compile(expression, flags), replacement


# Each is applied to what the ones before it left.
_RULES: tuple[_Rule, ...] = (
    # Whole lines that only tell who: "MRN: 123", "Dictated by: A. Jones".
    _rule(rf"^([ \t]*(?:{_LABEL})[ \t]*[:#][ \t]*)(?!{REMOVED}\s*$)\S.*$", rf"\1{REMOVED}", re.I | re.M),
    _rule(
        r"((?:electronically\s+)?\b(?:signed|dictated|transcribed|verified|approved|interpreted|reviewed)"
        rf"(?:\s+and\s+\w+)?\s+by\s+)(?!{REMOVED}[.\s]*$)[^.\n]*(?:\.(?=\w)[^.\n]*|(?<=\b[A-Z])\.[^.\n]*)*",
        rf"\1{REMOVED}",
    ),
    # The same labels inside a line need their number right behind.
    _rule(
        r"\b((?:mrn|m\.r\.n\.|medical record(?: number| no\.?)?|accession(?: number| no\.?)?|dob"
        r"|date of birth|ssn"
        r"|patient (?:id|number|no\.?)|hospital (?:number|no\.?))(?:\s+(?:is|of))?\s*[:#]?\s*)"
        r"[\w./-]*\d[\w./-]*",
        rf"\1{REMOVED}",
    ),
    _rule(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", REMOVED),
    _rule(r"\b(?:https?://|www\.)\S+", REMOVED),
    # UIDs, before telephone numbers and dates take a part of them.
    _rule(r"\b\d+(?:\.\d+){4,}\b", REMOVED),
    # Dates.
    _rule(r"\b(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])\b", REMOVED),
    _rule(r"\b(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d\b", REMOVED),
    _rule(r"\b(?:0?[1-9]|[12]\d|3[01])([-/])(?:0?[1-9]|[12]\d|3[01])\1\d\d\b", _unless_ribs),
    _rule(
        rf"\b(?:the\s+)?{_DAY}(?:st|nd|rd|th)?(?:\s+of)?[ -]{_MONTH}\.?(?:[ ,-]+(?:{_YEAR}|'?\d\d))?\b",
        REMOVED,
    ),
    _rule(
        rf"\b{_MONTH}\.?[ -]{_DAY}(?:st|nd|rd|th)?(?:,?[ -]+{_YEAR})?\b(?!\s*(?:cm|mm)\b)",
        REMOVED,
    ),
    _rule(rf"\b{_MONTH}\.?,?(?:\s+of)?\s+(?:19|20)\d\d\b", REMOVED),
    _rule(
        r"\b(on|from|dated|since|of|to|and|study|exam|examination|radiograph|film|comparison:?)(\s+)"
        r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])\b(?![/\d])",
        rf"\1\2{REMOVED}",
    ),
    _rule(
        r"\b(in|from|since|dated|of|to|year|circa)(\s+)(?:19|20)\d\d\b(?!\s*(?:ml|cc|cm|mm))",
        rf"\1\2{REMOVED}",
    ),
    _rule(r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s*(?:hours|hrs|h|[ap]\.?m\b\.?))?", REMOVED),
    _rule(r"\b(?:1[0-2]|[1-9])\s*[ap]\.?m\b\.?", REMOVED),
    _rule(r"\b(at\s+)(?:[01]\d|2[0-3])[0-5]\d(?:\s*(?:hours|hrs|h))?\b", rf"\1{REMOVED}"),
    _rule(r"\b(\d{2,3})(-?\s*(?:years?|yrs?)\b|-?\s*y/?o\b)", _old_age),
    # Telephone numbers and other long numbers. No measure in a report has five digits.
    _rule(r"(?:\+\d{1,3}[ .-]?)?\(\d{2,4}\)[ .-]*\d{3,4}[ .-]\d{3,4}", REMOVED),
    _rule(r"(?<![\d.])(?:\+?\d{1,3}[ .-])?\d{3}[ .-]\d{3,4}[ .-]\d{4}(?![\d.]\d)", REMOVED),
    _rule(r"(?<![\d.])\d{3}-\d{4}(?!\d)", REMOVED),
    _rule(r"\b((?:ext(?:ension)?|pager|beeper|room|bed)\.?\s*\#?\s*)\d+\b", rf"\1{REMOVED}"),
    _rule(r"\b(?=[\w-]*\d{4})(?=[\w-]*[a-z])[a-z\d]+(?:-[a-z\d]+)*\b", REMOVED),
    _rule(r"\b\d{5,}\b", REMOVED),
    # Addresses and institutions.
    _rule(
        r"\b\d{1,5}\s+(?:[A-Z][\w.]*\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Drive|Lane|Boulevard|Blvd|Way|Court)\b\.?",
        REMOVED,
        0,
    ),
    _rule(
        rf"\b(?:{_PARTICLES}[A-Z][\w.'\u2019-]+\s+){{1,4}}"
        r"((?:Hospital|Medical Cent(?:er|re)|Clinic|Health System|Infirmary)\b)",
        rf"{REMOVED} \1",
        0,
    ),
    # Names, as something announces them.
    _rule(
        rf"\b((?i:{_TITLE})\.?[ \t]+)(?!{REMOVED})(?:{_NAME}|(?!{_NO_NAME})[a-z][\w'\u2019-]+)",
        rf"\1{REMOVED}",
        0,
    ),
    _rule(rf"\b{_NAME},?\s+{_DEGREE}(?![\w])", REMOVED, 0),
    _rule(
        r"\b((?i:discussed\s+with|communicated\s+(?:to|with)|conveyed\s+to|reported\s+to|called\s+to|given\s+to|relayed\s+to"
        r"|notified|paged|informed|contacted|spoke\s+(?:to|with)|attention\s+of|care\s+of|attn:?|by\s+(?:phone|telephone)"
        r"\s+(?:to|with))\s+(?:(?i:nurse|sister|physician\s+assistant|resident|intern|registrar)\s+)?)"
        rf"(?!{REMOVED}|(?i:dr|drs|doctor)\b|The\b|ED\b|ER\b|ICU\b|Emergency\b)(?:{_NAME})",
        rf"\1{REMOVED}",
        0,
    ),
    _rule(
        r"\b((?i:patient|pt|gentleman|lady|woman|man|nurse)\s+(?:(?i:named|called)\s+)?)"
        rf"{_CAPITAL}[ \t]+{_PARTICLES}{_CAPITAL}",
        rf"\1{REMOVED}",
        0,
    ),
)
