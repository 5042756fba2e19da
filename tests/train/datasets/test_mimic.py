"""MIMIC-CXR and what is annotated on it, read from small trees of the published layouts."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.train.datasets.chest_imagenome import (
    held_out_patients,
    read_chest_imagenome,
    read_chest_imagenome_gold,
)
from edge_retrieve.train.datasets.mimic_cxr import read_mimic_cxr
from edge_retrieve.train.datasets.mimic_reports import report_of
from edge_retrieve.train.datasets.ms_cxr import read_ms_cxr
from edge_retrieve.train.datasets.records import FurtherRegion, Roots, StudyRecord, exclude_patients
from edge_retrieve.train.datasets.sources import held_out_patients as held_out_of
from edge_retrieve.train.phantom.sampling import Split


def by_id(records: object) -> dict[str, StudyRecord]:
    return {record.image_id: record for record in records}  # type: ignore[attr-defined]


def test_images_come_with_view_split_report_and_labels(mimic: Path) -> None:
    records = by_id(read_mimic_cxr(Roots(mimic)))
    assert list(records) == ["aaaa-1", "aaaa-2", "aaaa-3", "bbbb-1", "cccc-1", "dddd-1"]
    first = records["aaaa-1"]
    assert first.image == mimic / "files/p10/p10000032/s50414267/aaaa-1.jpg"
    assert first.image.is_file()
    assert (first.patient, first.study, first.split) == ("10000032", "50414267", Split.TRAIN)
    assert first.frame == (60, 80)
    assert first.report.startswith("FINDINGS: There is a nodule in the right upper lung. The heart")
    assert first.report.endswith("\nIMPRESSION: Right upper lung nodule.")
    assert Finding.NODULE in parse_report(first.report).present_findings(Region.RIGHT_UPPER_LUNG_ZONE)
    assert first.labels == {
        "Cardiomegaly": Assertion.PRESENT,
        "Lung Lesion": Assertion.UNCERTAIN,
        "Pneumothorax": Assertion.ABSENT,
    }
    assert records["bbbb-1"].labels == {}  # blank is not spoken of
    assert records["cccc-1"].labels == {}  # no row at all
    assert {name: record.split for name, record in records.items()}["bbbb-1"] is Split.VAL


def test_a_missing_or_contradicted_view_is_not_guessed(mimic: Path) -> None:
    records = by_id(read_mimic_cxr(Roots(mimic)))
    views = {name: (record.view, record.frontal) for name, record in records.items()}
    assert views["aaaa-1"] == (View.PA, True)
    assert views["aaaa-2"] == (View.LATERAL, False)
    assert views["aaaa-3"] == (View.AP, True)  # ViewPosition is blank, the code tells
    assert views["bbbb-1"] == (View.UNKNOWN, None)  # AP, says one; lateral, the other
    assert views["dddd-1"] == (View.UNKNOWN, None)


@pytest.mark.parametrize("name", ["mimic-cxr-2.0.0-split.csv.gz", "mimic-cxr-2.0.0-metadata.csv.gz", "files"])
def test_a_half_unpacked_tree_names_what_is_missing(mimic: Path, tmp_path: Path, name: str) -> None:
    for path in mimic.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(DataSetError, match="there is no ") as told:
        read_mimic_cxr(Roots(tmp_path))
    assert name.replace("2.0.0", "2.*").removesuffix(".gz") in str(told.value)
    assert "physionet.org" in str(told.value)


def test_a_cut_off_table_is_named(mimic: Path, tmp_path: Path) -> None:
    shutil.copytree(mimic, tmp_path / "tree", ignore=shutil.ignore_patterns("*.jpg"))
    path = tmp_path / "tree/mimic-cxr-2.0.0-split.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()))[:-12])
    with pytest.raises(DataSetError, match=r"split.csv.gz: the file cannot be read"):
        list(read_mimic_cxr(Roots(tmp_path / "tree")))


def test_a_table_of_other_columns_is_named(mimic: Path, tmp_path: Path, table: Callable[..., Path]) -> None:
    for path in mimic.iterdir():
        if "split" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    table(tmp_path / "mimic-cxr-2.0.0-split.csv", ("dicom_id", "subject"), [])
    with pytest.raises(DataSetError, match="no column study_id, subject_id, split"):
        read_mimic_cxr(Roots(tmp_path))


def test_reports_may_lie_elsewhere(mimic: Path, tmp_path: Path) -> None:
    moved = tmp_path / "files/p10/p10000032"
    moved.mkdir(parents=True)
    (moved / "s50414267.txt").write_text(" FINDINGS:  Clear lungs.\n")
    records = by_id(read_mimic_cxr(Roots(mimic, reports=tmp_path)))
    assert records["aaaa-1"].report == "FINDINGS: Clear lungs."
    assert records["cccc-1"].report == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" FINDINGS:  Old.\n\n IMPRESSION:  Old.\n\n ADDENDUM:\n\n FINDINGS:  New.\n\n IMPRESSION:  Newer.\n",
         "FINDINGS: New.\nIMPRESSION: Newer."),
        (" IMPRESSION:  1.  No change.\n 2.  Tube: unchanged.\n",
         "IMPRESSION: 1. No change. 2. Tube: unchanged."),
        (" FINAL REPORT\n INDICATION:  Cough.\n\n COMPARISON:  None.\n\n The lungs are clear.\n",
         "FINDINGS: The lungs are clear."),
        (" HISTORY:  Cough.\n", ""),
        ("", ""),
        (" FINDINGS AND IMPRESSION:  Clear.\n", "FINDINGS: Clear."),
        (" FINDINGS:\n IMPRESSION:  Clear.\n", "IMPRESSION: Clear."),
    ],
)  # fmt: skip
def test_sections_of_a_report(text: str, expected: str) -> None:
    assert report_of(text) == expected


def test_region_boxes_are_cleaned(imagenome: Path, mimic: Path) -> None:
    record = by_id(read_chest_imagenome(Roots(imagenome, mimic)))["aaaa-1"]
    assert record.frame == (60, 80)
    assert record.boxes == {
        Region.RIGHT_LUNG: Box(5, 10, 25, 60),
        # 60 x 80 in a frame of 224: 168 wide, 28 columns of padding at each side, scale 2.8
        Region.LEFT_LUNG: Box(0.0, 20.0, 20.0, 40.0),
        Region.TRACHEA: Box(30, 5, 60, 20),
        Region.SPINE: Box(20, 0, 35, 80),
        Region.CARDIAC_SILHOUETTE: Box(20, 40, 45, 60),
    }
    assert record.further_boxes == {
        FurtherRegion.LEFT_CARDIAC_SILHOUETTE: Box(30, 40, 45, 60),
        FurtherRegion.RIGHT_CARDIAC_SILHOUETTE: Box(20, 42, 30, 58),
        FurtherRegion.DESCENDING_AORTA: Box(30, 20, 34, 70),
    }


def test_statements_come_with_region_phrase_and_polarity(imagenome: Path, mimic: Path) -> None:
    record = by_id(read_chest_imagenome(Roots(imagenome, mimic)))["aaaa-1"]
    told = [(s.region, s.phrase, s.finding, s.assertion) for s in record.statements]
    assert told == [
        (Region.RIGHT_LUNG, "Right lung opacity.", "lung opacity", Assertion.PRESENT),
        (Region.RIGHT_LUNG, "Right lung opacity.", "abnormal", Assertion.PRESENT),
        (Region.RIGHT_LUNG, "No pneumonia.", "pneumonia", Assertion.ABSENT),
    ]


def test_the_splits_are_those_published(imagenome: Path, mimic: Path) -> None:
    splits = {r.image_id: r.split for r in read_chest_imagenome(Roots(imagenome, mimic))}
    assert splits == {"aaaa-1": Split.TRAIN, "bbbb-1": Split.VAL, "cccc-1": Split.TEST}


def test_a_missing_scene_graph_is_named(imagenome: Path, mimic: Path, tmp_path: Path) -> None:
    shutil.copytree(imagenome, tmp_path / "tree")
    (tmp_path / "tree/silver_dataset/scene_graph/bbbb-1_SceneGraph.json").unlink()
    with pytest.raises(DataSetError, match=r"bbbb-1_SceneGraph.json: a scene graph .* missing"):
        list(read_chest_imagenome(Roots(tmp_path / "tree", mimic)))
    shutil.rmtree(tmp_path / "tree/silver_dataset/scene_graph")
    (tmp_path / "tree/silver_dataset/scene_graph.zip").touch()
    with pytest.raises(DataSetError, match=r"scene_graph.zip is there, still packed"):
        read_chest_imagenome(Roots(tmp_path / "tree", mimic))
    with pytest.raises(DataSetError, match="MIMIC-CXR-JPG is not named"):
        read_chest_imagenome_gold(Roots(imagenome))


def test_gold_ids_lose_their_suffix(imagenome: Path, mimic: Path) -> None:
    (record,) = read_chest_imagenome_gold(Roots(imagenome, mimic))
    assert (record.image_id, record.patient, record.split) == ("dddd-1", "13000003", Split.TEST)
    assert record.boxes == {Region.RIGHT_LUNG: Box(5, 10, 25, 60)}
    assert record.image.is_file()


@pytest.mark.parametrize("form", ["csv", "coco"])
def test_boxes_of_one_phrase_are_grouped_in_both_releases(
    mimic: Path, tmp_path: Path, form: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(f"ms_cxr_{form}")(tmp_path)
    records = by_id(read_ms_cxr(Roots(root, mimic)))
    phrases = {(p.text, p.category): p.boxes for p in records["aaaa-1"].phrases}
    assert phrases == {
        # 30 + 40 reaches beyond the 60 columns and 80 rows.
        ("right upper opacity", "Pneumonia"): (Box(5, 10, 25, 40), Box(30, 50, 60, 80)),
        ("mild edema", "Edema"): (Box(0, 0, 60, 80),),
    }
    assert records["cccc-1"].patient == "12000002"
    assert records["cccc-1"].image.is_file()
    assert records["cccc-1"].split is (Split.TEST if form == "csv" else None)


def test_patients_of_test_sets_are_left_out(
    imagenome: Path, mimic: Path, tmp_path: Path, ms_cxr_csv: Callable[[Path], Path]
) -> None:
    assert held_out_patients(imagenome) == {"12000002", "13000003"}
    assert held_out_of(imagenome) == held_out_patients(imagenome)
    annotated = held_out_of(ms_cxr_csv(tmp_path))
    assert annotated == {"10000032", "12000002"}
    kept = exclude_patients(read_mimic_cxr(Roots(mimic)), annotated | held_out_of(imagenome))
    # Other images of an annotated patient go too.
    assert [record.image_id for record in kept] == ["bbbb-1"]
    with pytest.raises(DataSetError, match="MS_CXR_Local_Alignment"):
        held_out_of(mimic)
