"""What a neighbour's report says of a place."""

from __future__ import annotations

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.evidence import Neighbour
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.hits import RegionMatch
from edge_retrieve.runtime.reports import ParsedReport
from edge_retrieve.runtime.reports.about import sentences_about
from edge_retrieve.runtime.store import StudyRecord


def read_neighbour(record: StudyRecord, match: RegionMatch, rank: int) -> Neighbour:
    """Return a hit's study as a neighbour in the place that it matches in."""
    region = match.region
    said = {each: findings_said(record.parsed, region, each) for each in Assertion}
    return Neighbour(
        study=record.study,
        rank=rank,
        score=match.score,
        probability=match.probability,
        stated=said[Assertion.PRESENT],
        denied=said[Assertion.ABSENT] - said[Assertion.PRESENT],
        suspected=said[Assertion.UNCERTAIN] - said[Assertion.PRESENT],
        sentences=sentences_about(record.parsed, {region}),
        reported=bool(record.parsed.sentences),
        box=match.box,
    )


def findings_said(report: ParsedReport, region: Region | None, assertion: Assertion) -> frozenset[Finding]:
    """Return the findings that a report asserts in one way in a region; anywhere for None."""
    return frozenset(
        mention.finding
        for sentence in report.sentences
        for mention in sentence.mentions
        if mention.assertion is assertion and (region is None or region in mention.regions)
    )
