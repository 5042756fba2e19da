"""The location set follows its rules, checked against a naive reading of made reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.datasets.location_set import build_location_set
from edge_retrieve.train.datasets.records import StudyRecord

PAIR = (Region.RIGHT_UPPER_LUNG_ZONE, Finding.NODULE)


def record(n: int, report: str, patient: str = "", frontal: bool | None = True) -> StudyRecord:
    return StudyRecord(Path(f"{n}.png"), str(n), str(n), patient or f"p{n}", frontal=frontal, report=report)


POSITIVE = "There is a nodule in the right upper lung zone."
REPORTS = [
    *(record(n, POSITIVE) for n in range(6)),
    record(6, POSITIVE, patient="p0"),
    record(7, "There is a nodule in the left upper lung zone."),
    record(8, "The lungs are clear."),
    record(9, "Possible nodule in the right upper lung zone."),
    record(10, POSITIVE, frontal=False),
    record(11, " "),
]


def test_positives_left_out_and_queries() -> None:
    found = build_location_set(REPORTS)
    assert found.images == tuple(str(n) for n in range(10))  # no lateral, no empty report
    (pair,) = [pair for pair in found.pairs if (pair.region, pair.finding) == PAIR]
    assert pair.positives == (0, 1, 2, 3, 4, 5, 6)
    assert pair.left_out == (9,)
    assert pair.queries == pair.positives
    # Study 6 is of the same patient as study 0.
    assert found.relevant(pair, 0) == (1, 2, 3, 4, 5)
    assert found.candidates(pair, 0) == (1, 2, 3, 4, 5, 7, 8)
    # The mirrored side has one patient only.
    assert [(p.region, p.finding) for p in found.pairs] == [PAIR]


def test_queries_are_drawn_alike_every_time() -> None:
    (first,) = build_location_set(REPORTS, max_queries=3).pairs
    assert len(first.queries) == 3
    assert set(first.queries) <= set(first.positives)
    (again,) = build_location_set(reversed(REPORTS), max_queries=3).pairs
    names = build_location_set(list(reversed(REPORTS)), max_queries=3).images
    assert {names[row] for row in again.queries} == {str(row) for row in first.queries}


def test_too_few_patients_make_no_set() -> None:
    with pytest.raises(DataSetError, match="is stated of 6 patients"):
        build_location_set(REPORTS[:4])
