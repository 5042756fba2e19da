"""Why a study is a hit: its matched regions with finding and side, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.agreement import agreement
from edge_retrieve.runtime.certainty import Certainty
from edge_retrieve.runtime.hits import Hit, RegionMatch
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.reports import ParsedReport
from edge_retrieve.runtime.reports.about import sentences_about
from edge_retrieve.runtime.search import Ranked
from edge_retrieve.runtime.store import Store, StudyRecord

FloatArray = npt.NDArray[np.float32]


def make_hits(
    store: Store,
    ranked: Ranked,
    probes: Sequence[Probe],
    asked: ParsedReport,
    certainty: Certainty | None = None,
) -> tuple[Hit, ...]:
    """Return ranked studies with their evidence from the store.

    Parameters
    ----------
    store : Store
    ranked : Ranked
    probes : sequence of Probe
        That the studies were ranked for.
    asked : ParsedReport
        What the query's text says, or the report of the study that asks; no sentences where there is none.
    certainty : Certainty, optional
        Of the ranked studies.
    """
    hits = []
    records = store.numbered(ranked.studies.tolist())
    for rank, number in enumerate(ranked.studies.tolist()):
        record = records.get(number)
        if record is None:
            continue  # deleted since it was found
        matches = [
            replace(
                _match(record, probe, float(score), ranked.by_side[rank, column], asked),
                probability=None if certainty is None else float(certainty.by_probe[rank, column]),
            )
            for column, (probe, score) in enumerate(zip(probes, ranked.by_probe[rank], strict=True))
            if not np.isnan(score)
        ]
        matches.sort(key=lambda match: -match.score)
        hits.append(
            Hit(
                study=record.study,
                patient=record.patient,
                score=float(ranked.scores[rank]),
                regions=tuple(matches),
                sentences=sentences_about(record.parsed, {match.region for match in matches}),
                probability=None if certainty is None else float(certainty.by_hit[rank]),
            )
        )
    return tuple(hits)


def _match(
    record: StudyRecord, probe: Probe, score: float, by_side: FloatArray, asked: ParsedReport
) -> RegionMatch:
    region = probe.region
    found = agreement(record.parsed, region, asked)
    image = record.images[0] if record.images else None
    boxes = image.boxes if image is not None else ()
    stated_side = found.regions[0].laterality if found.regions else None
    image_score, text_score = (None if np.isnan(part) else float(part) for part in by_side)
    return RegionMatch(
        region=region,
        score=score,
        box=boxes[region.position] if region is not None and boxes else None,
        finding=found.finding,
        laterality=stated_side if region is None else region.laterality,
        image_score=image_score,
        text_score=text_score,
        drawn=probe.box,
        mismatch=found.mismatch,
    )
