"""Tables, data-set records and stores as evaluation sets, with the toy model."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.train.evaluate.case_table import read_case_table
from edge_retrieve.train.evaluate.encoded import WHOLE
from edge_retrieve.train.evaluate.grounding import GROUNDING_METRICS, Versus
from edge_retrieve.train.evaluate.ranking import Criterion, Direction, Form
from edge_retrieve.train.evaluate.record_archive import Truth, encode_records
from edge_retrieve.train.evaluate.record_boxes import find_boxes
from edge_retrieve.train.evaluate.record_grounding import GRID, boxes_mask, ground_records
from edge_retrieve.train.evaluate.retrieval import evaluate_archive
from edge_retrieve.train.metrics import METRICS

ZONE = Region.RIGHT_UPPER_LUNG_ZONE
NODULE = "There is a nodule in the right upper lung zone."
CLEAR = "The lungs are clear."


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture
def pictures(toy, tmp_path) -> list[str]:
    """Eight pictures; the first four have a bright right upper lung zone."""
    return [
        toy.save(tmp_path / f"{n}.png", seed=n, right_upper_lung_zone=0.9 if n < 4 else 0.1).name
        for n in range(8)
    ]


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, names, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def test_rows_of_one_file_are_one_case(tmp_path) -> None:
    box = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    path = write_table(
        tmp_path / "cases.csv",
        [
            {"file": "a.png", "patient": "p", "report": NODULE, "region": "Right_Lung", "finding": "nodule"},
            {"file": "b.png", "patient": "q", "finding": "edema"},
            {"file": "a.png", "phrase": "a nodule", **box},
            {"file": "a.png", "phrase": "a nodule", **{**box, "x2": 9}},
        ],
    )
    first, second = read_case_table(path)
    assert (first.patient, first.report, first.image) == ("p", NODULE, tmp_path / "a.png")
    assert [(each.region, each.finding) for each in first.statements] == [(Region.RIGHT_LUNG, "nodule")]
    assert first.phrases[0].boxes == (Box(1, 2, 3, 4), Box(1, 2, 9, 4))
    assert second.labels == {"edema": Assertion.PRESENT}


@pytest.mark.parametrize(
    ("content", "clue"),
    [
        ("image\na.png\n", "lacks the column file"),
        ("file\n", "no row"),
        ("file,region,finding\na.png,left kidney,x\n", "there is no region 'left kidney'"),
        ("file,phrase\na.png,nodule\n", "has no box"),
        ("file,phrase,x1,y1,x2,y2\na.png,nodule,1,1,nan,2\n", "has no area"),
        ("study,file\ns,a.png\ns,b.png\n", "several files"),
    ],
)
def test_a_table_that_makes_no_sense_is_named_with_its_line(tmp_path, content, clue) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(content)
    with pytest.raises(ArchiveError, match=clue) as raised:
        list(read_case_table(path))
    assert "cases.csv" in str(raised.value)


def test_annotated_regions_are_asked_for(encoder, toy, pictures, tmp_path) -> None:
    rows = [
        {"file": name, "patient": n, "region": ZONE.value, "finding": "bright" if n < 4 else "dark"}
        for n, name in enumerate(pictures)
    ]
    archive = encode_records(encoder, read_case_table(write_table(tmp_path / "cases.csv", rows)))
    assert archive.queries[:, 1].tolist() == [ZONE.position] * 8
    assert not archive.has_report.any()
    picture = encoder.encode_image(np.zeros((64, 64), np.float32))
    assert archive.regions.shape == (8, len(REGIONS), len(picture.global_embedding))
    result = evaluate_archive(archive)
    # The toy sees brightness and nothing else: bright zones find bright zones.
    figures = result.ours[Direction.IMAGE_TO_IMAGE, Form.CONDITIONED].of(Criterion.JOINT)
    np.testing.assert_array_equal(figures[:, METRICS.index("r_at_5")], 1.0)
    assert figures[:, METRICS.index("p_at_1")].mean() == 1.0
    # Toy boxes never move, so those of the average position are the same.
    np.testing.assert_allclose(archive.prior_regions, archive.regions, atol=1e-5)


def test_labels_are_asked_for_without_a_region(encoder, pictures, tmp_path) -> None:
    rows = [{"file": name, "finding": "a" if n % 2 else "b"} for n, name in enumerate(pictures)]
    archive = encode_records(encoder, read_case_table(write_table(tmp_path / "cases.csv", rows)))
    assert set(archive.queries[:, 1]) == {WHOLE}
    assert not archive.truth.any()
    assert archive.anywhere.sum() == 8


def test_reports_alone_make_the_location_set(encoder, pictures, tmp_path) -> None:
    unsure = "There may be a nodule in the right upper lung zone."
    texts = [NODULE, NODULE, NODULE, unsure, CLEAR, CLEAR, CLEAR, ""]
    rows = [{"file": name, "report": text} for name, text in zip(pictures, texts, strict=True)]
    archive = encode_records(encoder, read_case_table(write_table(tmp_path / "cases.csv", rows)), least=2)
    assert archive.queries[:, 0].tolist() == [0, 1, 2]
    assert set(archive.queries[:, 1]) == {ZONE.position}
    _, region, finding = archive.queries[0]
    # The unsure report is no candidate, nor is the image without any.
    assert archive.aside[:, region, finding].tolist() == [False] * 3 + [True] + [False] * 3 + [True]
    assert archive.has_report.tolist() == [True] * 7 + [False]


def test_too_few_relevant_cases_are_told(encoder, pictures, tmp_path) -> None:
    rows = [{"file": name, "finding": f"only {name}"} for name in pictures]
    table = write_table(tmp_path / "cases.csv", rows)
    with pytest.raises(ArchiveError, match="--min-relevant"):
        encode_records(encoder, read_case_table(table), truth=Truth.LABELS)


def test_phrases_with_boxes_are_grounded(encoder, pictures, toy, tmp_path) -> None:
    box = toy.region_box(ZONE)
    edges = dict(zip(("x1", "y1", "x2", "y2"), box.as_tuple(), strict=True))
    rows = [{"file": pictures[0], "phrase": NODULE, **edges}, {"file": pictures[5], "report": CLEAR}]
    scores = ground_records(encoder, read_case_table(write_table(tmp_path / "cases.csv", rows)))
    assert len(scores) == 1
    assert np.isnan(scores.mean(Versus.BOX)).all()
    alone = dict(zip(GROUNDING_METRICS, scores.mean(Versus.REGION_ONLY), strict=True))
    # The toy's boxes are right by construction, so the region alone points into the box.
    assert alone["pointing"] == 1.0
    assert alone["cnr_signed"] > 1.0
    with pytest.raises(ArchiveError, match="no phrase has a box"):
        ground_records(encoder, read_case_table(write_table(tmp_path / "none.csv", rows[1:])))


def test_boxes_drawn_on_a_resized_frame_land_where_they_were_drawn() -> None:
    mask = boxes_mask([Box(0, 0, 50, 100), Box(50, 50, 100, 100)], (100, 200))
    expected = np.zeros((GRID, GRID), dtype=bool)
    expected[: GRID // 2, : GRID // 2] = True
    expected[GRID // 4 : GRID // 2, GRID // 2 :] = True
    np.testing.assert_array_equal(mask, expected)


def test_region_boxes_of_records(encoder, toy, pictures, tmp_path) -> None:
    (record, *_) = read_case_table(write_table(tmp_path / "cases.csv", [{"file": pictures[0]}]))
    drawn = replace(record, boxes={ZONE: Box(0, 0, 320, 320)}, frame=(640, 640))
    boxes = find_boxes(encoder, [record, drawn])
    assert boxes.true.shape == (1, len(REGIONS), 4)
    np.testing.assert_allclose(boxes.true[0, ZONE.position], [0, 0, 0.5, 0.5])
    expected = np.array(toy.region_box(ZONE).as_tuple()) / 64
    np.testing.assert_allclose(boxes.found[0, ZONE.position], expected, atol=1e-4)
    assert np.isnan(boxes.true).any(axis=2).sum() == len(REGIONS) - 1
    with pytest.raises(ArchiveError, match="no image has"):
        find_boxes(encoder, [record])
