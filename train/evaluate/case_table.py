"""A table of cases to evaluate on: images, texts, and what is where."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.errors import ArchiveError, QueryError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.train.datasets.records import GroundedPhrase, RegionStatement, StudyRecord

EDGES = ("x1", "y1", "x2", "y2")
_TEXTS = ("report", "text")
_HINT = (
    "It needs the column file, and any of study, patient, report (or text), region, finding, phrase, "
    "x1, y1, x2, y2"
)

Row = Mapping[str, str]


def read_case_table(path: Path) -> Iterator[StudyRecord]:
    """Yield the cases of a CSV file in the order of their first rows.

    Rows of the same `study` (of the same `file` where there is no such column) are one case: each may add a
    finding, a region with a finding, or a box of a phrase. Files are relative to the table; an empty one is a
    case of text alone. Without a column `patient` every case is a patient of its own.

    Raises
    ------
    ArchiveError
        The table cannot be read, lacks its columns, or a row makes no sense.
    """
    groups: dict[str, list[tuple[Row, str]]] = {}
    for row, where in _rows(path):
        groups.setdefault(row.get("study") or row["file"] or where, []).append((row, where))
    for study, rows in groups.items():
        yield _record(study, rows, path.parent)


def _rows(path: Path) -> list[tuple[Row, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream)
            if "file" not in (table.fieldnames or ()):
                raise ArchiveError("the table lacks the column file", where=str(path), remedy=_HINT)
            rows = [
                ({name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}, line)
                for row in table
                for line in [f"{path}, line {table.line_num}"]
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArchiveError(
            f"the table cannot be read ({reason})", where=str(path), remedy="Give a CSV file in UTF-8"
        ) from error
    if not rows:
        raise ArchiveError("the table has no row", where=str(path), remedy=_HINT)
    return list(rows)


def _record(study: str, rows: Sequence[tuple[Row, str]], folder: Path) -> StudyRecord:
    first = rows[0][0]
    statements: list[RegionStatement] = []
    labels: dict[str, Assertion] = {}
    boxes: dict[str, list[Box]] = {}
    for row, line in rows:
        if row["file"] != first["file"]:
            raise ArchiveError(
                f"study {study} has several files", where=line, remedy="Give each image a study of its own"
            )
        finding, region = row.get("finding", ""), row.get("region", "")
        if region:
            place = _region(region, line)
            if finding:
                statements.append(RegionStatement(place, _text(row), finding, Assertion.PRESENT))
        elif finding:
            labels[finding] = Assertion.PRESENT
        if row.get("phrase"):
            boxes.setdefault(row["phrase"], []).append(_box(row, line))
    return StudyRecord(
        image=folder / first["file"] if first["file"] else Path(),
        image_id=first["file"] or study,
        study=study,
        patient=first.get("patient") or study,
        report=_text(first),
        phrases=tuple(GroundedPhrase(phrase, tuple(places)) for phrase, places in boxes.items()),
        statements=tuple(statements),
        labels=labels,
    )


def _text(row: Row) -> str:
    return next((row[name] for name in _TEXTS if row.get(name)), "")


def _region(name: str, where: str) -> Region:
    try:
        return region_named(name)
    except QueryError as error:
        raise ArchiveError(error.what, where=where, remedy=error.remedy) from None


def _box(row: Row, where: str) -> Box:
    try:
        box = Box(*(float(row.get(edge, "")) for edge in EDGES))
    except ValueError:
        raise ArchiveError(
            "a phrase has no box", where=where, remedy="Fill in x1, y1, x2, y2 in pixels of the file"
        ) from None
    # Written so that NaN fails it too.
    if not (box.x1 < box.x2 and box.y1 < box.y2):
        raise ArchiveError("a box has no area", where=where, remedy="Give x1 < x2 and y1 < y2")
    return box
