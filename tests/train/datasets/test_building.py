"""Records to a corpus: boxes on the square, supervision from reports, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.building import Skipped, build_corpus
from edge_retrieve.train.datasets.corpus import FINDINGS, supervise
from edge_retrieve.train.datasets.decoded import DecodedCache
from edge_retrieve.train.datasets.records import StudyRecord, patient_draw, split_of
from edge_retrieve.train.phantom.sampling import Split

Make = Callable[..., Path]
NODULE = "FINDINGS: There is a nodule in the right upper lung. The heart is normal."


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DecodedCache]:
    with DecodedCache(tmp_path / "cache", 40) as opened:
        yield opened


def record(image: Path, **known: object) -> StudyRecord:
    given = {"patient": image.stem, "view": View.PA, "frontal": True, "report": NODULE} | known
    return StudyRecord(image=image, image_id=image.stem, study=image.stem, **given)  # type: ignore[arg-type]


def test_boxes_land_on_the_square_whatever_the_copy_was_resized_to(
    tmp_path: Path, picture: Make, cache: DecodedCache
) -> None:
    boxes = {Region.RIGHT_LUNG: Box(60, 80, 300, 400), Region.TRACHEA: Box(700, 0, 900, 100)}
    full = record(picture(tmp_path / "full.png", 600, 800), boxes=boxes)
    small = record(picture(tmp_path / "small.png", 90, 120), boxes=boxes, frame=(600, 800))
    corpus = build_corpus([full, small, record(picture(tmp_path / "none.png"))], cache)
    assert corpus.has_boxes is not None
    assert corpus.has_boxes.sum(axis=1).tolist() == [1, 1, 0]
    # 600 x 800 on a square: 0.75 wide, 0.125 of padding at each side.
    wanted = [0.125 + 0.75 * 0.1, 0.1, 0.125 + 0.75 * 0.5, 0.5]
    for row in (0, 1):
        np.testing.assert_allclose(corpus.boxes[row, Region.RIGHT_LUNG.position], wanted, atol=1e-6)
    assert not corpus.boxes[2].any()
    assert np.isfinite(corpus.boxes).all()


def test_supervision_is_that_of_the_reports(tmp_path: Path, picture: Make, cache: DecodedCache) -> None:
    reports = [NODULE, "FINDINGS: Small left pleural effusion.", "IMPRESSION: Größe normal."]
    records = [record(picture(tmp_path / f"{n}.png"), report=text) for n, text in enumerate(reports)]
    corpus = build_corpus(records, cache)
    labels, texts = supervise(reports)
    assert list(corpus.reports) == reports
    assert list(corpus.region_texts) == list(texts)
    np.testing.assert_array_equal(corpus.labels, labels)
    assert corpus.labels[0, Region.RIGHT_UPPER_LUNG_ZONE.position, FINDINGS.index(Finding.NODULE)] == 1
    assert corpus.reports[-1] == reports[2]
    with pytest.raises(IndexError):
        corpus.reports[3]


def test_what_cannot_be_trained_on_is_told(tmp_path: Path, picture: Make, cache: DecodedCache) -> None:
    good = picture(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    records = [
        record(good, patient="p"),
        record(good, frontal=False, view=View.LATERAL),
        record(good, report=" "),
        record(tmp_path / "bad.png"),
        record(tmp_path / "gone.png"),
        record(good, frontal=None, view=View.UNKNOWN),
        record(good, patient="p", frontal=True, view=View.UNKNOWN),
    ]
    told: list[Skipped] = []
    corpus = build_corpus(records, cache, on_skip=told.append)
    assert corpus.patients.tolist() == [0, 0]
    reasons = [entry.reason for entry in told]
    assert reasons[:2] == ["its view is lateral", "it has no report"]
    assert "damaged" in reasons[2]
    assert "no such file" in reasons[3]
    assert reasons[4] == "its view is unknown"
    assert len(build_corpus(records, cache, keep_unknown_views=True)) == 3
    assert len(build_corpus(records, cache, limit=1)) == 1


def test_nothing_left_says_why(tmp_path: Path, cache: DecodedCache) -> None:
    with pytest.raises(DataSetError, match=r"my set: no image is left .*1 left out; the first: .*gone\.png"):
        build_corpus([record(tmp_path / "gone.png")], cache, where="my set")


def test_a_patient_is_in_one_split(tmp_path: Path) -> None:
    names = [f"patient {n}" for n in range(4000)]
    drawn = [split_of(record(tmp_path / "x", patient=name), 0.05) for name in names]
    assert drawn == [split_of(record(tmp_path / "y", patient=name), 0.05) for name in names]
    assert 0.035 < sum(split is Split.VAL for split in drawn) / len(drawn) < 0.065
    assert split_of(record(tmp_path / "x", split=Split.TEST), 0.5) is Split.TEST
    assert all(0 <= patient_draw(name) < 1 for name in names)
