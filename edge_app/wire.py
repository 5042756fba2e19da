"""From the runtime's objects to the JSON forms that the command line and the HTTP interface share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edge_retrieve.edge_app.shapes import (
    BoxEdges,
    FusionShape,
    HitShape,
    Match,
    OtherwiseStated,
    QueryBox,
    RegionName,
    Result,
    SaidFinding,
    SaidSentence,
    SeenBox,
    StudyLine,
    StudyShape,
    UploadShape,
)
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.hits import Hit, Mismatch, RegionMatch, RetrievalResult
from edge_retrieve.runtime.preprocess.types import Flag, Radiograph, View
from edge_retrieve.runtime.reports import ParsedReport
from edge_retrieve.runtime.store import StudyRecord, StudySummary

Json = dict[str, Any]


def box_edges(box: Box) -> BoxEdges:
    """Return ``(x1, y1, x2, y2)`` in pixels, to a hundredth."""
    x1, y1, x2, y2 = (round(edge, 2) for edge in box.as_tuple())
    return x1, y1, x2, y2


def region_name(region: Region) -> RegionName:
    """Return a region's name, laterality and position."""
    return RegionName(region.value, region.laterality.value, region.position)


def match_shape(match: RegionMatch) -> Match:
    """Return the evidence of one region."""
    return Match(
        region=None if match.region is None else match.region.value,
        score=round(match.score, 4),
        finding=None if match.finding is None else match.finding.value,
        laterality=None if match.laterality is None else match.laterality.value,
        box=None if match.box is None else box_edges(match.box),
        image_score=_rounded(match.image_score),
        text_score=_rounded(match.text_score),
        drawn=None if match.drawn is None else box_edges(match.drawn),
        mismatch=None if match.mismatch is None else mismatch_shape(match.mismatch),
        probability=_rounded(match.probability),
    )


def mismatch_shape(mismatch: Mismatch) -> OtherwiseStated:
    """Return what a hit's report states where, or as, it was not asked for."""
    region = None if mismatch.region is None else mismatch.region.value
    return OtherwiseStated(mismatch.kind.value, mismatch.finding.value, region)


def hit_shape(hit: Hit, rank: int) -> HitShape:
    """Return a hit; ranks count from 1."""
    return HitShape(
        rank=rank,
        study=hit.study,
        patient=hit.patient,
        score=round(hit.score, 4),
        probability=_rounded(hit.probability),
        regions=[match_shape(match) for match in hit.regions],
        sentences=list(hit.sentences),
    )


def result_shape(result: RetrievalResult) -> Result:
    """Return the answer to a query."""
    return Result(
        hits=[hit_shape(hit, rank) for rank, hit in enumerate(result.hits, result.offset + 1)],
        regions=[region.value for region in result.regions],
        query_boxes=[QueryBox(region.value, box_edges(box)) for region, box in result.query_boxes],
        abstained=result.abstained,
        calibrated=result.calibrated,
        abstain_below=result.abstain_below,
        offset=result.offset,
        more=result.more,
        set_apart=result.set_apart,
        fusion=None if result.weights is None else FusionShape(**asdict(result.weights)),
    )


def study_line(summary: StudySummary) -> StudyLine:
    """Return a study as a line of the worklist."""
    return StudyLine(
        study=summary.study,
        patient=summary.patient,
        accession=summary.accession,
        date=iso_date(summary.study_date),
        sex=summary.sex,
        age=summary.age,
        view=summary.view.value,
        flags=[] if summary.indexed else ["not searched by image"],
        findings=[finding.value for finding in summary.findings],
        has_report=summary.has_report,
    )


def study_shape(record: StudyRecord) -> StudyShape:
    """Return a whole study: who, its first image's size and boxes, its report and what that says."""
    image = record.images[0] if record.images else None
    return StudyShape(
        study=record.study,
        patient=record.patient,
        accession=record.accession,
        date=iso_date(record.study_date),
        sex=record.sex,
        age=record.age,
        report=record.report,
        findings=sorted(finding.value for finding in record.parsed.present_findings()),
        sentences=said_sentences(record.parsed),
        view=(View.UNKNOWN if image is None else image.view).value,
        flags=[] if image is None else _flags(image.flags),
        applied=[] if image is None else list(image.applied),
        width=0 if image is None else image.width,
        height=0 if image is None else image.height,
        boxes=[] if image is None else _seen(image.boxes, image.box_scores),
    )


def said_sentences(parsed: ParsedReport) -> list[SaidSentence]:
    """Return a report's sentences with what each states."""
    return [
        SaidSentence(
            text=sentence.text,
            section=sentence.section.value,
            regions=[region.value for region in sentence.regions],
            mentions=[
                SaidFinding(
                    finding=mention.finding.value,
                    assertion=mention.assertion.value,
                    regions=[region.value for region in mention.regions],
                )
                for mention in sentence.mentions
            ],
        )
        for sentence in parsed.sentences
    ]


def upload_shape(upload: str, file_name: str, radiograph: Radiograph, encoding: ImageEncoding) -> UploadShape:
    """Return what was read of an uploaded image and where the model sees the regions.

    They are those of a frontal view: on a lateral one there are none.
    """
    frontal = Flag.LATERAL_VIEW not in radiograph.flags
    scores = tuple(float(score) for score in encoding.box_scores)
    return UploadShape(
        upload=upload,
        file_name=file_name,
        patient=radiograph.patient,
        date=iso_date(radiograph.study_date),
        sex=radiograph.sex,
        age=radiograph.age,
        view=radiograph.view.value,
        flags=_flags(radiograph.flags),
        applied=list(radiograph.applied),
        width=encoding.width,
        height=encoding.height,
        boxes=_seen(encoding.boxes, scores) if frontal else [],
    )


def iso_date(date: str) -> str:
    """Return ``YYYY-MM-DD`` for DICOM's ``YYYYMMDD``; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _flags(flags: tuple[Flag, ...]) -> list[str]:
    return [flag.value for flag in flags]


def _seen(boxes: tuple[Box, ...], scores: tuple[float, ...]) -> list[SeenBox]:
    if not boxes:
        return []
    return [
        SeenBox(region.value, region.laterality.value, box_edges(box), round(score, 4))
        for region, box, score in zip(REGIONS, boxes, scores, strict=True)
    ]
