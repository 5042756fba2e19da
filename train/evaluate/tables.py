"""Evaluation reports as Markdown tables, in the layout of the field's papers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import ArchiveError

Json = Mapping[str, Any]

_METRICS = {
    "p_at_1": "P@1",
    "p_at_5": "P@5",
    "p_at_10": "P@10",
    "r_at_1": "R@1",
    "r_at_5": "R@5",
    "r_at_10": "R@10",
    "hit_at_10": "Hit@10",
    "map": "mAP",
    "ndcg_at_10": "NDCG@10",
}
# The parts of a report that stand in tables.
IN_TABLES = frozenset(
    (
        "retrieval",
        "laterality_swap",
        "laterality_swap_interval",
        "intervals",
        "gain",
        "other_relevance",
        "baselines",
        "calibration",
        "grounding",
        "regions",
        "text",
        "seeds",
    )
)
_HEADLINE = "p_at_5"


def markdown(title: str, report: Json) -> str:
    """Return all tables that a report of this package fills, under one heading.

    Parameters
    ----------
    title : str
    report : mapping
        What an ``eval`` command prints with ``--json``. Where it says ``synthetic``, so does every table.
    """
    mark = " (synthetic)" if report.get("synthetic") else ""
    parts = [f"# {title}{mark}\n"]
    if "retrieval" in report:
        parts += _retrieval(report, mark)
    if "calibration" in report:
        parts.append(_calibration(report, mark))
    if "grounding" in report:
        parts.append(_grounding(report["grounding"], mark))
    if "by_region" in report.get("regions", {}):
        parts.append(_boxes(report["regions"], mark))
    if "text" in report:
        parts.append(_text(report["text"], mark))
    return "\n".join(parts)


def write_report(folder: Path, name: str, title: str, report: Json) -> tuple[Path, Path]:
    """Write ``NAME.json`` and ``NAME.md`` into a folder, made where there is none.

    Raises
    ------
    ArchiveError
        The folder cannot be written to.
    """
    paths = folder / f"{name}.json", folder / f"{name}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        paths[1].write_text(markdown(title, report), encoding="utf-8")
    except OSError as error:
        raise ArchiveError(
            f"the report cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name a folder that can be written to",
        ) from error
    return paths


def _retrieval(report: Json, mark: str) -> list[str]:
    parts = []
    rows = []
    for direction, forms in report["retrieval"].items():
        for form, figures in forms.items():
            spread = report["intervals"][direction][form][_HEADLINE]
            values = [_number(figures[name]) for name in _METRICS]
            rows.append([_words(direction), form, *values, _span(spread)])
    head = ["query → archive", "region", *_METRICS.values(), "P@5, 95 % interval"]
    parts.append(_table(f"Retrieval: same finding in the same region{mark}", head, rows))
    if report["gain"]:
        gains = [
            [
                _words(direction),
                *(_number(gain[_HEADLINE][name]) for name in ("difference", "ratio")),
                _span(gain[_HEADLINE]["interval"]),
            ]
            for direction, gain in report["gain"].items()
        ]
        parts.append(
            _table(
                f"What conditioning adds to P@5{mark}",
                ["query → archive", "gain", "ratio", "95 % interval"],
                gains,
            )
        )
        swap = report["laterality_swap"]
        parts.append(
            f"Laterality swap (first hit has the finding on the other side only){mark}: {_number(swap)} "
            f"{_span(report['laterality_swap_interval'])}\n"
        )
    if report["baselines"]:
        parts.append(_baselines(report["baselines"], mark))
    others = [
        [row["relevant"].replace("_", " "), _words(row["direction"]), row["form"]]
        + [_number(row[name]) for name in ("p_at_1", "p_at_5", "p_at_10", "map")]
        for row in report["other_relevance"]
    ]
    head = ["relevant", "query → archive", "region", "P@1", "P@5", "P@10", "mAP"]
    parts.append(_table(f"Other meanings of relevant{mark}", head, others))
    return parts


def _baselines(rows: Sequence[Json], mark: str) -> str:
    head = ["baseline", "query → archive", "region", "P@5", "mAP", "ours minus it (P@5)", "95 % interval"]
    body = [
        [
            row["baseline"].replace("_", " "),
            _words(row["direction"]),
            row["form"],
            _number(row[_HEADLINE]),
            _number(row["map"]),
            _number(row["ours_minus"][_HEADLINE]["difference"]),
            _span(row["ours_minus"][_HEADLINE]["interval"]),
        ]
        for row in rows
    ]
    return _table(f"Baselines on the same queries{mark}", head, body)


def _grounding(report: Json, mark: str) -> str:
    levels = list(report["iou_at"])
    rows = []
    for name, figures in (
        ("phrase", report),
        ("phrase, against the box around each mask", report.get("bounding_box")),
        ("region's box alone, no phrase", report.get("region_box_only")),
    ):
        if figures:
            values = [figures[key] for key in ("cnr", "cnr_signed", "miou", "pointing")]
            values += [figures["iou_at"][level] for level in levels]
            rows.append([name, *map(_number, values)])
    head = ["map", "CNR", "signed CNR", "mIoU", "pointing", *(f"IoU@{level}" for level in levels)]
    return _table(f"Phrase grounding, {report['phrases']} phrases{mark}", head, rows)


def _calibration(report: Json, mark: str) -> str:
    head = [
        "query → archive",
        "region",
        "studies",
        "ECE",
        "95 % interval",
        "ECE, none taken out",
        "wrong first hits",
    ]
    head += ["at 80 % coverage", "answered", "of these wrong", "answered though no case is right"]
    rows = [
        [
            f"{_words(row['asked'])} → {_words(row['searched'])}",
            row["form"],
            str(row["studies"]),
            _number(row["ece"]),
            _span(row["ece_interval"]),
            *map(_number, (row["ece_none_taken_out"], row["risk_at"]["1.0"], row["risk_at"]["0.8"])),
            *map(_number, (row["answered"], row["answered_risk"], row["answered_of_unanswerable"])),
        ]
        for row in report["calibration"]
    ]
    return _table(
        f"Probabilities of hits, and abstaining below {report['abstain_below']:g}{mark}", head, rows
    )


def _boxes(report: Json, mark: str) -> str:
    keys = ("iou", "pooled_iou", "ap50", "missed")
    rows = [["mean", *(_number(report[key]) for key in keys), str(report["boxes"])]]
    rows += [
        [row["region"], *(_number(row[key]) for key in keys), str(row["boxes"])]
        for row in report["by_region"]
    ]
    return _table(f"Region boxes{mark}", ["region", "IoU", "pooled IoU", "AP50", "missed", "boxes"], rows)


def _text(report: Json, mark: str) -> str:
    rows = [
        [_words(name), *(_number(figures[key]) for key in ("precision", "recall", "f1"))]
        for name, figures in report.items()
    ]
    return _table(f"Findings read from report text{mark}", ["", "precision", "recall", "F1"], rows)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["--" if column < 1 else "--:" for column in range(len(head))]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
    return f"## {title}\n\n" + "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _span(bounds: Sequence[float | None]) -> str:
    return f"{_number(bounds[0])} to {_number(bounds[1])}"


def _words(name: str) -> str:
    return name.replace("_to_", " → ").replace("image_text", "image + text").replace("_", " ")
