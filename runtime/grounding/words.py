"""What a phrase puts where: the regions and findings that a map of it is made from."""

from __future__ import annotations

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import parse_report


def regions_named(phrase: str) -> tuple[Region, ...]:
    """Return the regions in which a phrase puts a finding; those it speaks of where it puts none."""
    sentences = parse_report(phrase).sentences
    stated = {
        region
        for sentence in sentences
        for mention in sentence.mentions
        if mention.assertion is not Assertion.ABSENT
        for region in mention.regions
    }
    named = stated or {region for sentence in sentences for region in sentence.regions}
    return tuple(region for region in REGIONS if region in named)


def findings_named(phrase: str) -> tuple[Finding, ...]:
    """Return the findings that a phrase states or suspects; those it denies are none."""
    named = {
        mention.finding
        for sentence in parse_report(phrase).sentences
        for mention in sentence.mentions
        if mention.assertion is not Assertion.ABSENT
    }
    return tuple(finding for finding in Finding if finding in named)
