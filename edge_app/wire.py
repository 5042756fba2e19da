"""Studies, hits and encodings in the JSON form that the command line and the HTTP interface share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.hits import Hit, Mismatch, RegionMatch, RetrievalResult
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.reports import ParsedReport
from edge_retrieve.runtime.store import StoredImage, StudyRecord, StudySummary

Json = dict[str, Any]


def box_json(box: Box | None) -> list[float] | None:
    """Return ``[x1, y1, x2, y2]`` in pixels, to a hundredth."""
    return None if box is None else [round(edge, 2) for edge in box.as_tuple()]


def region_json(region: Region) -> Json:
    """Return a region's name, laterality and position."""
    return {"name": region.value, "laterality": region.laterality.value, "position": region.position}


def match_json(match: RegionMatch) -> Json:
    """Return the evidence of one region."""
    return {
        "region": None if match.region is None else match.region.value,
        "score": round(match.score, 4),
        "finding": None if match.finding is None else match.finding.value,
        "laterality": None if match.laterality is None else match.laterality.value,
        "box": box_json(match.box),
        "image_score": _rounded(match.image_score),
        "text_score": _rounded(match.text_score),
        "drawn": box_json(match.drawn),
        "mismatch": None if match.mismatch is None else mismatch_json(match.mismatch),
        "probability": _rounded(match.probability),
    }


def mismatch_json(mismatch: Mismatch) -> Json:
    """Return what a hit's report states where, or as, it was not asked for."""
    return {
        "kind": mismatch.kind.value,
        "finding": mismatch.finding.value,
        "region": None if mismatch.region is None else mismatch.region.value,
    }


def hit_json(hit: Hit, rank: int) -> Json:
    """Return a hit; ranks count from 1."""
    return {
        "rank": rank,
        "study": hit.study,
        "patient": hit.patient,
        "score": round(hit.score, 4),
        "probability": _rounded(hit.probability),
        "regions": [match_json(match) for match in hit.regions],
        "sentences": list(hit.sentences),
    }


def result_json(result: RetrievalResult) -> Json:
    """Return the answer to a query."""
    return {
        "hits": [hit_json(hit, rank) for rank, hit in enumerate(result.hits, result.offset + 1)],
        "regions": [region.value for region in result.regions],
        "query_boxes": [{"region": region.value, "box": box_json(box)} for region, box in result.query_boxes],
        "abstained": result.abstained,
        "calibrated": result.calibrated,
        "abstain_below": result.abstain_below,
        "offset": result.offset,
        "more": result.more,
        "set_apart": result.set_apart,
        "fusion": None if result.weights is None else asdict(result.weights),
    }


def summary_json(summary: StudySummary) -> Json:
    """Return a study as a line of the list. Its findings are left to the reader's own eye."""
    return {
        "study": summary.study,
        "patient": summary.patient,
        "date": iso_date(summary.study_date),
        "sex": summary.sex,
        "age": summary.age,
        "view": summary.view.value,
        "flags": [] if summary.indexed else ["not searched by image"],
        "findings": [finding.value for finding in summary.findings],
        "has_report": summary.has_report,
    }


def study_json(record: StudyRecord) -> Json:
    """Return a whole study: who, its first image's size and boxes, its report and what that says."""
    image = record.images[0] if record.images else None
    return {
        "study": record.study,
        "patient": record.patient,
        "date": iso_date(record.study_date),
        "sex": record.sex,
        "age": record.age,
        "report": record.report,
        "findings": sorted(finding.value for finding in record.parsed.present_findings()),
        "sentences": sentences_json(record.parsed),
        **_image_json(image),
    }


def sentences_json(parsed: ParsedReport) -> list[Json]:
    """Return a report's sentences with what each states."""
    return [
        {
            "text": sentence.text,
            "section": sentence.section.value,
            "regions": [region.value for region in sentence.regions],
            "mentions": [
                {
                    "finding": mention.finding.value,
                    "assertion": mention.assertion.value,
                    "regions": [region.value for region in mention.regions],
                }
                for mention in sentence.mentions
            ],
        }
        for sentence in parsed.sentences
    ]


def encoding_json(radiograph: Radiograph, encoding: ImageEncoding) -> Json:
    """Return what was read of an image and where the model sees the regions."""
    return {
        "patient": radiograph.patient,
        "date": iso_date(radiograph.study_date),
        "sex": radiograph.sex,
        "age": radiograph.age,
        "view": radiograph.view.value,
        "flags": [flag.value for flag in radiograph.flags],
        "applied": list(radiograph.applied),
        "width": encoding.width,
        "height": encoding.height,
        "boxes": _boxes_json(encoding.boxes, tuple(float(score) for score in encoding.box_scores)),
    }


def iso_date(date: str) -> str:
    """Return ``YYYY-MM-DD`` for DICOM's ``YYYYMMDD``; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _image_json(image: StoredImage | None) -> Json:
    if image is None:
        return {"view": "UNKNOWN", "flags": [], "applied": [], "width": 0, "height": 0, "boxes": []}
    return {
        "view": image.view.value,
        "flags": [flag.value for flag in image.flags],
        "applied": list(image.applied),
        "width": image.width,
        "height": image.height,
        "boxes": _boxes_json(image.boxes, image.box_scores),
    }


def _boxes_json(boxes: tuple[Box, ...], scores: tuple[float, ...]) -> list[Json]:
    if not boxes:
        return []
    return [
        {
            "region": region.value,
            "laterality": region.laterality.value,
            "box": box_json(box),
            "score": round(score, 4),
        }
        for region, box, score in zip(REGIONS, boxes, scores, strict=True)
    ]
