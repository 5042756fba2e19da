"""A report cut by region: what the text partition of each region embeds."""

from __future__ import annotations

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.reports.types import ParsedReport, Sentence


def text_by_region(report: ParsedReport) -> dict[Region, str]:
    """Return, per region the report speaks of, the sentences that do, joined in the order written.

    Where a region has a finding (present or uncertain), only the sentences that state one there are
    kept: a normal statement beside them ("no pneumothorax") would blur what is embedded.
    """
    texts: dict[Region, str] = {}
    for region in REGIONS:
        about = report.about(region)
        chosen = [sentence for sentence in about if _abnormal(sentence, region)] or about
        if chosen:
            texts[region] = " ".join(dict.fromkeys(sentence.text for sentence in chosen))
    return texts


def _abnormal(sentence: Sentence, region: Region) -> bool:
    return any(
        region in mention.regions and mention.assertion is not Assertion.ABSENT
        for mention in sentence.mentions
    )
