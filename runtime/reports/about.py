"""The sentences of a report that speak of places."""

from __future__ import annotations

from collections.abc import Collection

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.reports.types import ParsedReport, Sentence


def sentences_about(report: ParsedReport, regions: Collection[Region | None]) -> tuple[str, ...]:
    """Return the sentences that speak of some regions, those that state a finding there first.

    Parameters
    ----------
    report : ParsedReport
    regions : collection of Region or None
        None stands for the whole: every sentence.
    """
    chosen = [
        sentence
        for sentence in report.sentences
        if None in regions or any(region in sentence.regions for region in regions)
    ]
    chosen.sort(key=lambda sentence: not _abnormal(sentence, regions))
    return tuple(dict.fromkeys(sentence.text for sentence in chosen))


def _abnormal(sentence: Sentence, regions: Collection[Region | None]) -> bool:
    return any(
        mention.assertion is not Assertion.ABSENT
        and (None in regions or any(region in mention.regions for region in regions))
        for mention in sentence.mentions
    )
