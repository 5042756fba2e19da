"""One finding named twice in a report: the vague mention takes the place of the precise one.

An impression repeats in short what the findings section located ("left lung pneumonia" after "left lower
lobe consolidation"). Read alone, the short form would add a region that the report does not mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports.types import Mention, Sentence

# Findings that sit in a part of a lung; others belong to the whole lung, or to one structure.
_LOCAL = frozenset({
    Finding.NODULE,
    Finding.MASS,
    Finding.CALCIFIED_GRANULOMA,
    Finding.CONSOLIDATION,
    Finding.OPACITY,
    Finding.ATELECTASIS,
    Finding.INTERSTITIAL_OPACITY,
    Finding.SCARRING,
})  # fmt: skip
_REFERS_BACK = re.compile(r"(?:this|these|it|findings?|that)\b", re.IGNORECASE)
_LUNGS = {Region.RIGHT_LUNG: "right ", Region.LEFT_LUNG: "left "}


def resolve_vague_mentions(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Return the sentences with whole-lung and unplaced mentions put where the report locates them.

    Only mentions that state a finding (present or uncertain) are changed, and only where another one of
    the same finding names a part of the same lung.
    """
    sentences = tuple(sentences)
    precise: dict[Finding, set[Region]] = {}
    for sentence in sentences:
        for mention in sentence.mentions:
            if _is_local(mention):
                parts = {region for region in mention.regions if region not in _LUNGS}
                precise.setdefault(mention.finding, set()).update(parts)
    resolved: list[Sentence] = []
    for sentence in sentences:
        current = _resolved(sentence, precise)
        if resolved and _REFERS_BACK.match(current.text):
            current = _placed_like(current, resolved[-1])
        resolved.append(current)
    return tuple(resolved)


def _placed_like(sentence: Sentence, before: Sentence) -> Sentence:
    """Return a sentence on "this" with its unplaced mentions where the sentence before puts its own."""
    parts = {region for mention in before.mentions if _is_local(mention) for region in mention.regions}
    where = tuple(region for region in REGIONS if region in parts)
    return _with_mentions(
        sentence,
        tuple(
            replace(mention, regions=where) if _is_local(mention) and not mention.regions else mention
            for mention in sentence.mentions
        ),
    )


def _is_local(mention: Mention) -> bool:
    return mention.finding in _LOCAL and mention.assertion is not Assertion.ABSENT


def _resolved(sentence: Sentence, precise: dict[Finding, set[Region]]) -> Sentence:
    mentions = tuple(
        replace(mention, regions=_located(mention, precise.get(mention.finding, set())))
        if _is_local(mention)
        else mention
        for mention in sentence.mentions
    )
    return _with_mentions(sentence, mentions)


def _with_mentions(sentence: Sentence, mentions: tuple[Mention, ...]) -> Sentence:
    if mentions == sentence.mentions:
        return sentence
    spoken = set(sentence.regions) | {region for mention in mentions for region in mention.regions}
    return replace(sentence, mentions=mentions, regions=tuple(r for r in REGIONS if r in spoken))


def _located(mention: Mention, parts: set[Region]) -> tuple[Region, ...]:
    if not mention.regions:
        return tuple(region for region in REGIONS if region in parts)
    located: list[Region] = []
    for region in mention.regions:
        same_side = [
            part for part in REGIONS if part in parts and part.value.startswith(_LUNGS.get(region, "-"))
        ]
        located += same_side or [region]
    return tuple(dict.fromkeys(located))
