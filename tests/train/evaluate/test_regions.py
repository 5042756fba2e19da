"""Lung boxes on real X-rays: the arithmetic, with an encoder that answers by the book."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import ArchiveError, ConfigError, PixelError
from edge_retrieve.train.evaluate.regions import COLUMNS, evaluate_regions

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "cxr" / "cases.csv"
RIGHT, LEFT = (10, 10, 40, 90), (60, 10, 90, 90)


@dataclass(frozen=True)
class Answer:
    boxes: tuple[Box, ...]
    box_scores: np.ndarray


class BookEncoder:
    """Answers with given lung boxes and scores, by the brightness of the image's first pixel."""

    def __init__(self, book: dict[int, tuple[Box, Box, float, float]]) -> None:
        self.book = book

    def encode_image(self, pixels: np.ndarray) -> Answer:
        right, left, right_score, left_score = self.book[round(float(pixels[0, 0]) * 255)]
        boxes = [Box(0, 0, 1, 1)] * len(REGIONS)
        scores = np.ones(len(REGIONS), dtype=np.float32)
        boxes[Region.RIGHT_LUNG.position], boxes[Region.LEFT_LUNG.position] = right, left
        scores[Region.RIGHT_LUNG.position], scores[Region.LEFT_LUNG.position] = right_score, left_score
        return Answer(tuple(boxes), scores)


@pytest.fixture
def table(tmp_path):
    def build(rows: list[tuple], columns=COLUMNS) -> Path:
        for number in range(len(rows)):
            pixels = np.random.default_rng(number).integers(0, 256, (100, 100)).astype(np.uint8)
            pixels[0, 0] = number
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        path = tmp_path / "cases.csv"
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([columns, *rows])
        return path

    return build


def test_hand_computed_overlaps(table) -> None:
    path = table(
        [
            ("0.png", *RIGHT, *LEFT),
            ("1.png", *RIGHT, *LEFT),
            ("2.png", *[""] * 8),
            ("3.png", *[""] * 4, *LEFT),
        ]
    )
    encoder = BookEncoder(
        {
            # Exact; and shifted by a half of its width: 15 * 80 shared of 45 * 80, a third.
            0: (Box(*RIGHT), Box(75, 10, 105, 90), 0.9, 0.9),
            # Half as high: 0.5; and nowhere near, with a low score.
            1: (Box(10, 10, 40, 50), Box(0, 0, 5, 5), 0.9, 0.2),
            # A quarter, and the level itself is no flag.
            3: (Box(0, 0, 1, 1), Box(60, 10, 75, 50), 0.0, 0.5),
        }
    )
    report = evaluate_regions(path, encoder).to_json()
    assert report == {
        "n": 3,
        "boxes": 5,
        "iou_mean": pytest.approx((1 + 1 / 3 + 0.5 + 0 + 0.25) / 5),
        "iou_min": 0.0,
        "unflagged_below_0_5": 2,
        "below_0_5": 3,
        "flagged": 1,
        "flag_below": 0.5,
        "rows_without_boxes": 1,
        "sides": {
            "right_lung": {"iou_mean": pytest.approx(0.75), "iou_min": pytest.approx(0.5)},
            "left_lung": {"iou_mean": pytest.approx((1 / 3 + 0 + 0.25) / 3), "iou_min": 0.0},
        },
    }
    stricter = evaluate_regions(path, encoder, flag_below=0.95).to_json()
    assert (stricter["unflagged_below_0_5"], stricter["flagged"]) == (0, 5)


def test_swapped_sides_score_nothing(table) -> None:
    path = table([("0.png", *RIGHT, *LEFT)])
    encoder = BookEncoder({0: (Box(*LEFT), Box(*RIGHT), 1.0, 1.0)})
    assert evaluate_regions(path, encoder).to_json()["iou_mean"] == 0


@pytest.mark.parametrize(
    ("rows", "columns", "what"),
    [
        ([("0.png", *RIGHT)], COLUMNS[:5], "lacks the columns left_lung_x1"),
        ([], (), "lacks the columns file"),
        ([("0.png", *RIGHT, 60, 10, 90, "")], COLUMNS, "line 2: the box of left_lung is not four numbers"),
        ([("0.png", *RIGHT, 60, 10, 90, "x")], COLUMNS, "line 2: the box of left_lung is not four numbers"),
        ([("0.png", *RIGHT, *LEFT), ("1.png", 40, 10, 10, 90, *LEFT)], COLUMNS, "line 3.*no area"),
        ([("0.png", *RIGHT, 60, 10, "nan", 90)], COLUMNS, "no area"),
        ([("", *RIGHT, *LEFT)], COLUMNS, "no file"),
        ([("0.png", *[""] * 8)], COLUMNS, "no row has a hand-drawn box"),
        ([], COLUMNS, "no row has a hand-drawn box"),
    ],
)
def test_tables_that_do_not_fit(table, rows, columns, what) -> None:
    with pytest.raises(ArchiveError, match=what) as caught:
        evaluate_regions(table(rows, columns), BookEncoder({}))
    assert caught.value.remedy


def test_what_cannot_be_read(tmp_path, table) -> None:
    with pytest.raises(ArchiveError, match="cannot be read"):
        evaluate_regions(tmp_path / "nothing.csv", BookEncoder({}))
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(ArchiveError, match="cannot be read"):
        evaluate_regions(tmp_path / "bytes.csv", BookEncoder({}))
    with pytest.raises(PixelError, match=r"gone\.png"):
        evaluate_regions(table([("gone.png", *RIGHT, *LEFT)]), BookEncoder({}))
    with pytest.raises(ConfigError, match="flag_below"):
        evaluate_regions(tmp_path / "cases.csv", BookEncoder({}), flag_below=50)


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'cv2', 'transformers')));"
        "import edge_retrieve.train.evaluate.regions"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not SHARED.exists(), reason="the real X-rays of ../shared/data are not here")
def test_the_average_box_on_real_xrays() -> None:
    """The oracle that answers every image with the mean box is known to reach 0.69."""
    with SHARED.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["right_lung_x1"]]
    sizes = {}
    for row in rows:
        with Image.open(SHARED.parent / row["file"]) as image:
            sizes[row["file"]] = image.size

    def mean_box(side: str) -> list[float]:
        return [
            float(np.mean([float(row[f"{side}_{edge}"]) / sizes[row["file"]][axis] for row in rows]))
            for edge, axis in (("x1", 0), ("y1", 1), ("x2", 0), ("y2", 1))
        ]

    mean = {Region.RIGHT_LUNG: mean_box("right_lung"), Region.LEFT_LUNG: mean_box("left_lung")}

    class MeanEncoder:
        def encode_image(self, pixels: np.ndarray) -> Answer:
            height, width = pixels.shape
            boxes = [Box(0, 0, 1, 1)] * len(REGIONS)
            for region, (x1, y1, x2, y2) in mean.items():
                boxes[region.position] = Box(x1 * width, y1 * height, x2 * width, y2 * height)
            return Answer(tuple(boxes), np.ones(len(REGIONS), dtype=np.float32))

    report = evaluate_regions(SHARED, MeanEncoder()).to_json()
    assert (report["n"], report["rows_without_boxes"]) == (51, 17)
    assert report["iou_mean"] == pytest.approx(0.69, abs=0.01)
