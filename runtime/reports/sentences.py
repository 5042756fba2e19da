"""Sections and sentences of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge_retrieve.runtime.reports.types import Section

# Section headers as MIMIC-CXR and most hospitals write them: capitals and a colon at the start of a line.
_HEADER = re.compile(
    r"^[ \t]*(?P<name>[A-Z][A-Z0-9 /&,()\-]{2,60}|Findings?|Impressions?|Conclusions?|Indications?"
    r"|Comparisons?|Techniques?|History|Exam(?:ination)?|Clinical [A-Za-z]+)[ \t]*:",
    re.MULTILINE,
)
_IMPRESSION = re.compile(r"impression|conclusion|summary|opinion", re.IGNORECASE)
_NOT_READ = re.compile(
    r"indication|history|clinical|reason|comparison|technique|exam|procedure|notification|recommendation|dictated|signed",
    re.IGNORECASE,
)
_SPLIT = re.compile(
    # a full stop that is no list number
    r"(?<![.\s]\d)(?<!\bvs)(?<!\bDr)(?<!\bapprox)[.!?]+(?:\s+|$|(?=[A-Z][a-z]))"
    r"|(?<=[a-z])\s+(?=\d{1,2}[.)]\s+[A-Z])"  # "1. Low lung volumes 2. Lungs appear clear"
    r"|\n\s*\n|\n\s*(?=(?:\d+[.)]|[-*•])\s)"
)
_LIST_MARK = re.compile(r"^(?:\(?\d+[.)]|[-*•])\s*")


# No radiologist writes a sentence of this many characters; text without full stops is cut, at a space.
_LONGEST = 1000


def split_sections(text: str) -> Iterator[tuple[Section, str]]:
    """Yield the sections of a report with their text; text before any header counts as findings."""
    start, section = 0, Section.FINDINGS
    for header in _HEADER.finditer(text):
        yield section, text[start : header.start()]
        start = header.end()
        if _IMPRESSION.search(header["name"]):
            section = Section.IMPRESSION
        elif _NOT_READ.search(header["name"]):
            section = Section.OTHER
        else:
            section = Section.FINDINGS
    yield section, text[start:]


def split_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a section as written, white space folded, without list numbers."""
    start = 0
    for end in [match.end() for match in _SPLIT.finditer(text)] + [len(text)]:
        sentence = _LIST_MARK.sub("", re.sub(r"\s+", " ", text[start:end]).strip())
        start = end
        while len(sentence) > _LONGEST:
            cut = sentence.rfind(" ", 1, _LONGEST)
            cut = cut if cut > 0 else _LONGEST
            yield sentence[:cut]
            sentence = sentence[cut:].lstrip()
        if re.search(r"[A-Za-z]", sentence):
            yield sentence
