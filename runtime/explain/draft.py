"""A preliminary report: sentences, what each rests on, and what was dropped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.reports.types import Section

PRELIMINARY = "PRELIMINARY: drafted by a machine from similar cases, not read by a radiologist"
"""Stands over every form of a draft."""


@dataclass(frozen=True)
class CaseCitation:
    """A retrieved case that a sentence rests on.

    Parameters
    ----------
    study : str
    region : Region or None
        The place in which it is a neighbour.
    """

    study: str
    region: Region | None


@dataclass(frozen=True)
class BoxCitation:
    """A region of the query's own image that a sentence rests on.

    Parameters
    ----------
    region : Region
    box : Box
        Pixels of the image as displayed.
    """

    region: Region
    box: Box


Citation = CaseCitation | BoxCitation


class Fault(str, Enum):
    """What is wrong with a sentence, held against the evidence."""

    FINDING = "no similar case supports the finding"
    REGION = "the evidence puts the finding in another region"
    SIDE = "the evidence puts the finding on the other side"
    CERTAINTY = "it states for sure what is only possible"
    NEGATION = "it denies what the evidence speaks for"
    NOT_LOOKED = "it speaks of a region that was not looked at"
    NO_PLACE = "it does not say where"
    CITATION = "it cites a case that does not say so"
    UNCITED = "it cites nothing"
    WORDS = "it says what no evidence stands for"
    EMPTY = "it says nothing"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a sentence.

    Parameters
    ----------
    fault : Fault
    detail : str
        Which finding, region, case or words.
    """

    fault: Fault
    detail: str


@dataclass(frozen=True)
class DraftSentence:
    """A sentence of a draft.

    Parameters
    ----------
    section : Section
        Findings or impression.
    text : str
    citations : tuple of Citation
        At least one.
    probability : float or None
        Of what it states; None where that is not known, and for a sentence that states no finding.
    """

    section: Section
    text: str
    citations: tuple[Citation, ...]
    probability: float | None = None

    @property
    def cases(self) -> tuple[str, ...]:
        """The studies it cites."""
        return tuple(dict.fromkeys(each.study for each in self.citations if isinstance(each, CaseCitation)))

    @property
    def boxes(self) -> tuple[Region, ...]:
        """The regions whose boxes it cites."""
        return tuple(each.region for each in self.citations if isinstance(each, BoxCitation))


@dataclass(frozen=True)
class Dropped:
    """A sentence that a writer wanted and the evidence does not bear.

    Parameters
    ----------
    text : str
    problems : tuple of Problem
        At least one.
    """

    text: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Draft:
    """A preliminary report.

    Parameters
    ----------
    writer : str
        Who wrote it: ``template``, or a language model's name.
    sentences : tuple of DraftSentence
        The findings, then the impression.
    dropped : tuple of Dropped
    notes : tuple of str
        What a reader has to know of how it came about: why a language model was passed over, for one.
    prompt : str
        Version of the prompt; empty for the template.
    """

    writer: str
    sentences: tuple[DraftSentence, ...]
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    prompt: str = ""

    def section(self, section: Section) -> tuple[DraftSentence, ...]:
        """Return the sentences of a section."""
        return tuple(sentence for sentence in self.sentences if sentence.section is section)

    def cases(self) -> tuple[str, ...]:
        """Return the studies cited, each once: their places are the numbers they are cited by, from 1."""
        return tuple(dict.fromkeys(study for sentence in self.sentences for study in sentence.cases))

    def report(self) -> str:
        """Return the plain report: what a report parser reads, without citations and without the mark."""
        parts = []
        for section in (Section.FINDINGS, Section.IMPRESSION):
            texts = [sentence.text for sentence in self.section(section)]
            if texts:
                parts.append(f"{section.name}: {' '.join(texts)}")
        return "\n\n".join(parts) + "\n"


class DraftWriter(Protocol):
    """Whoever makes a draft of evidence."""

    def write(self, evidence: Evidence) -> Draft:
        """Return a draft in which every sentence cites what it rests on."""
