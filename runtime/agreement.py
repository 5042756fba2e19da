"""What a hit's report states, held against what was asked for: the finding here, or where it is instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.anatomy.within import PARTS, share_ground
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.hits import Mismatch, MismatchKind
from edge_retrieve.runtime.reports import Mention, ParsedReport


@dataclass(frozen=True)
class Agreement:
    """How a report stands to a question in one place.

    Parameters
    ----------
    finding : Finding or None
        Stated as present there: one that was asked for, else the first.
    regions : tuple of Region
        Where the report puts that finding.
    mismatch : Mismatch or None
    """

    finding: Finding | None
    regions: tuple[Region, ...]
    mismatch: Mismatch | None


def agreement(report: ParsedReport, region: Region | None, asked: ParsedReport) -> Agreement:
    """Hold a report against a question in one place.

    What was asked for is what the asking text states as present: there, or without saying where. Where it
    states nothing of the kind, as for a query by image alone, any finding will do.

    Parameters
    ----------
    report : ParsedReport
        The hit's.
    region : Region or None
        The place; None for the whole.
    asked : ParsedReport
        The query's text, or the report of the study that asks; without sentences where there is none.
    """
    stated = _present(report)
    wanted = [one for one in _present(asked) if region is None or _may_be_in(one, region)]
    findings = {one.finding for one in wanted}
    here = [one for one in stated if region is None or _is_in(one.regions, region)]
    fitting = [one for one in here if one.finding in findings] if findings else here
    mismatch = _mismatch(stated, region, wanted, here, fitting)
    if not here:
        return Agreement(None, (), mismatch)
    shown = (fitting or here)[0]
    return Agreement(shown.finding, shown.regions, mismatch)


def _mismatch(
    stated: Sequence[Mention],
    region: Region | None,
    wanted: Sequence[Mention],
    here: Sequence[Mention],
    fitting: Sequence[Mention],
) -> Mismatch | None:
    # Unconditioned, a text may still have said where.
    places = [region] if region is not None else [place for one in wanted for place in one.regions]
    fits = bool(fitting)
    if region is None and places:
        fits = any(not one.regions or _touch(one.regions, places) for one in fitting)
    if fits:
        return None
    findings = {one.finding for one in wanted}
    sought = [one for one in stated if one.regions and (not findings or one.finding in findings)]
    for one in sought:
        mirrored = [seen for seen in one.regions if any(_is_other_side(seen, place) for place in places)]
        if mirrored:
            return Mismatch(MismatchKind.OTHER_SIDE, one.finding, mirrored[0])
    for one in sought:
        if places and not _touch(one.regions, places):
            return Mismatch(MismatchKind.OTHER_REGION, one.finding, one.regions[0])
    if findings and here and not fitting:
        return Mismatch(MismatchKind.OTHER_FINDING, here[0].finding, next(iter(here[0].regions), None))
    return None


def _present(report: ParsedReport) -> list[Mention]:
    return [
        mention
        for sentence in report.sentences
        for mention in sentence.mentions
        if mention.assertion is Assertion.PRESENT
    ]


def _is_in(regions: Sequence[Region], region: Region) -> bool:
    return any(seen is region or seen in PARTS.get(region, ()) for seen in regions)


def _may_be_in(mention: Mention, region: Region) -> bool:
    return not mention.regions or _touch(mention.regions, [region])


def _touch(some: Sequence[Region], others: Sequence[Region]) -> bool:
    return any(share_ground(one, other) for one in some for other in others)


def _is_other_side(seen: Region, place: Region) -> bool:
    return place.mirrored is not place and share_ground(seen, place.mirrored)
