"""What passes between rooms when a report is read: sentences, mentions, and how they are asserted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.findings import Assertion, Finding


class Section(str, Enum):
    """The section of a report a sentence stands in."""

    FINDINGS = "findings"
    IMPRESSION = "impression"
    OTHER = "other"


@dataclass(frozen=True)
class Mention:
    """One finding as one sentence states it.

    Parameters
    ----------
    finding : Finding
    assertion : Assertion
    regions : tuple of Region
        Where the sentence puts it; empty where it does not say.
    """

    finding: Finding
    assertion: Assertion
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Sentence:
    """One sentence of a report and what it speaks of.

    Parameters
    ----------
    text : str
        The sentence as written, white space folded.
    section : Section
    regions : tuple of Region
        Every region the sentence speaks of, whether it states a finding there or the absence of one.
    mentions : tuple of Mention
    """

    text: str
    section: Section
    regions: tuple[Region, ...]
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class ParsedReport:
    """A report as a sequence of understood sentences."""

    sentences: tuple[Sentence, ...]

    def present_findings(self, region: Region | None = None) -> frozenset[Finding]:
        """Return the findings stated as present, in one region or anywhere."""
        return frozenset(
            mention.finding
            for sentence in self.sentences
            for mention in sentence.mentions
            if mention.assertion is Assertion.PRESENT and (region is None or region in mention.regions)
        )

    def about(self, region: Region) -> tuple[Sentence, ...]:
        """Return the sentences that speak of a region, in the order written."""
        return tuple(sentence for sentence in self.sentences if region in sentence.regions)
