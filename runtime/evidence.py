"""Why a study is a hit: its matched regions with finding and side, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.hits import Hit, RegionMatch
from edge_retrieve.runtime.reports import Sentence
from edge_retrieve.runtime.search import Probe, Ranked
from edge_retrieve.runtime.store import Store, StudyRecord


def make_hits(store: Store, ranked: Ranked, probes: Sequence[Probe]) -> tuple[Hit, ...]:
    """Return ranked studies with their evidence from the store."""
    hits = []
    for number, score, row in zip(ranked.studies, ranked.scores, ranked.by_probe, strict=True):
        try:
            record = store.study(store.study_id(int(number)))
        except UnknownStudyError:
            continue  # deleted since it was found
        matches = [
            _match(record, probe.region, float(value))
            for probe, value in zip(probes, row, strict=True)
            if not np.isnan(value)
        ]
        matches.sort(key=lambda match: -match.score)
        hits.append(
            Hit(
                study=record.study,
                patient=record.patient,
                score=float(score),
                regions=tuple(matches),
                sentences=_sentences(record, [match.region for match in matches]),
            )
        )
    return tuple(hits)


def _match(record: StudyRecord, region: Region | None, score: float) -> RegionMatch:
    finding, side = _finding(record, region)
    image = record.images[0] if record.images else None
    boxes = image.boxes if image is not None else ()
    return RegionMatch(
        region=region,
        score=score,
        box=boxes[region.position] if region is not None and boxes else None,
        finding=finding,
        laterality=side if region is None else region.laterality,
    )


def _finding(record: StudyRecord, region: Region | None) -> tuple[Finding | None, Laterality | None]:
    """Return the first finding stated as present in a region (or anywhere), and the side it is on."""
    for sentence in record.parsed.sentences:
        for mention in sentence.mentions:
            if mention.assertion is Assertion.PRESENT and (region is None or region in mention.regions):
                return mention.finding, mention.regions[0].laterality if mention.regions else None
    return None, None


def _sentences(record: StudyRecord, regions: Sequence[Region | None]) -> tuple[str, ...]:
    """Return the sentences that speak of the regions (all, for the whole), abnormal ones first."""
    places = [region for region in regions if region is not None]
    chosen = [
        sentence
        for sentence in record.parsed.sentences
        if None in regions or any(region in sentence.regions for region in places)
    ]
    chosen.sort(key=lambda sentence: not _abnormal(sentence, places if None not in regions else ()))
    return tuple(dict.fromkeys(sentence.text for sentence in chosen))


def _abnormal(sentence: Sentence, places: Sequence[Region]) -> bool:
    return any(
        mention.assertion is not Assertion.ABSENT
        and (not places or any(region in mention.regions for region in places))
        for mention in sentence.mentions
    )
