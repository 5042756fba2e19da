"""CheXpert, PadChest-GR, VinDr-CXR, NIH and IU X-ray, read from small trees of the published layouts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.chexpert import FIVE, LABELS, read_chexpert, read_chexpert_5x200
from edge_retrieve.train.datasets.iu_xray import read_iu_xray
from edge_retrieve.train.datasets.nih import read_nih
from edge_retrieve.train.datasets.padchest_gr import read_padchest_gr
from edge_retrieve.train.datasets.records import Roots
from edge_retrieve.train.datasets.vindr_cxr import read_vindr_cxr
from edge_retrieve.train.phantom.sampling import Split

Make = Callable[..., Path]
PRESENT, ABSENT, UNCERTAIN = Assertion.PRESENT, Assertion.ABSENT, Assertion.UNCERTAIN


def chexpert_row(n: int, view: str = "Frontal", **labels: object) -> tuple[object, ...]:
    named = {name.replace(" ", "_"): value for name, value in labels.items()}
    cells = [named.get(name.replace(" ", "_"), "") for name in LABELS]
    path = f"CheXpert-v1.0-small/train/patient{n:05d}/study1/view1_{view.lower()}.jpg"
    return (path, "Male", 68, view, "AP" if view == "Frontal" else "", *cells)


def make_chexpert(root: Path, table: Make, rows: Sequence[tuple[object, ...]]) -> Roots:
    header = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)
    table(root / "train.csv", header, rows)
    valid = ("CheXpert-v1.0-small/valid/patient90000/study1/view1_frontal.jpg", "Female", 30, "Frontal", "PA")
    table(root / "valid.csv", header, [(*valid, *["0.0"] * 14)])
    (root / "train").mkdir()
    return Roots(root)


def test_chexpert_labels_views_and_reports(tmp_path: Path, table: Make) -> None:
    rows = [
        chexpert_row(1, Cardiomegaly="1.0", Edema="-1.0", Fracture="0.0"),
        chexpert_row(2, "Lateral", No_Finding="1.0"),
    ]
    roots = make_chexpert(tmp_path, table, rows)
    table(
        tmp_path / "df_chexpert_plus_240401.csv",
        ("path_to_image", "frontal_lateral", "section_findings", "section_impression"),
        [("train/patient00001/study1/view1_frontal.png", "Frontal", "Large  heart.\nNo edema.", "nan")],
    )
    first, lateral, valid = read_chexpert(roots)
    assert first.labels == {"Cardiomegaly": PRESENT, "Edema": UNCERTAIN, "Fracture": ABSENT}
    assert (first.patient, first.study, first.view) == ("patient00001", "patient00001/study1", View.AP)
    assert first.image == tmp_path / "train/patient00001/study1/view1_frontal.jpg"
    assert first.report == "FINDINGS: Large heart. No edema."
    assert (lateral.view, lateral.frontal, lateral.report) == (View.LATERAL, False, "")
    assert (valid.view, valid.split, valid.labels["Edema"]) == (View.PA, Split.VAL, ABSENT)


def test_5x200_takes_images_with_one_finding_alone(tmp_path: Path, table: Make) -> None:
    alone = [
        chexpert_row(10 * n + k, **{name: "1.0", "Lung Lesion": "0.0", "No Finding": ""})
        for n, name in enumerate(FIVE)
        for k in range(5)
    ]
    others = [
        chexpert_row(900, Edema="1.0", Cardiomegaly="1.0"),
        chexpert_row(901, Edema="1.0", **{"Support Devices": "1.0"}),
        chexpert_row(902, Edema="1.0", Fracture="-1.0"),
        chexpert_row(903, Edema="-1.0"),
        chexpert_row(904, Fracture="1.0"),
        chexpert_row(905, "Lateral", Edema="1.0"),
    ]
    roots = make_chexpert(tmp_path, table, [*others, *alone])
    drawn = list(read_chexpert_5x200(roots, each=3))
    assert sorted(str(next(iter(record.labels))) for record in drawn) == sorted(FIVE * 3)
    assert not {record.patient for record in drawn} & {f"patient{n:05d}" for n in range(900, 906)}
    assert drawn == list(read_chexpert_5x200(roots, each=3))
    every = {record.image_id for record in read_chexpert_5x200(roots, each=5)}
    assert len(every) == 25
    with pytest.raises(DataSetError, match="only 5 frontal images show Atelectasis and nothing else"):
        read_chexpert_5x200(roots)
    table(tmp_path / "chexpert_5x200.csv", ("", "Path"), [(0, alone[7][0])])
    (listed,) = read_chexpert_5x200(roots)
    assert listed.patient == "patient00012"
    (tmp_path / "valid.csv").unlink()
    with pytest.raises(DataSetError, match=r"there is no valid\.csv"):
        read_chexpert(roots)


@pytest.fixture
def padchest(tmp_path: Path, table: Make, picture: Make) -> Roots:
    studies = [
        {
            "StudyID": "s1",
            "ImageID": "i1.png",
            "findings": [
                {"sentence_en": "Right pleural effusion", "sentence_es": "Derrame", "abnormal": True,
                 "boxes": [[0.0, 0.5, 0.25, 1.0], [0.5, 0.5, 0.5, 0.9]],
                 "extra_boxes": [[0.5, 0.5, 1.2, 0.75]],
                 "labels": ["pleural effusion"], "locations": ["right"], "progression": None},
                {"sentence_en": "No pneumothorax.", "abnormal": False},
                {"sentence_en": "Big heart.", "abnormal": True, "boxes": [], "labels": ["cardiomegaly"]},
            ],
        },
        {"StudyID": "s2", "ImageID": "gone.png", "findings": []},
    ]  # fmt: skip
    (tmp_path / "grounded_reports_20240819.json").write_text(json.dumps(studies))
    rows = [("s1", "i1.png", "x", "validation", "p1"), ("s1", "i1.png", "y", "validation", "p1"),
            ("s2", "gone.png", "z", "train", "p2")]  # fmt: skip
    table(tmp_path / "master_table.csv", ("StudyID", "ImageID", "label", "split", "PatientID"), rows)
    picture(tmp_path / "Padchest_GR_files/PadChest_GR/i1.png", 60, 80)
    return Roots(tmp_path)


def test_padchest_fractions_become_pixels(padchest: Roots) -> None:
    first, gone = read_padchest_gr(padchest)
    assert first.frame == (60, 80)
    (phrase,) = first.phrases
    assert (phrase.text, phrase.category) == ("Right pleural effusion", "pleural effusion")
    assert phrase.boxes == (Box(0, 40, 15, 80), Box(30, 40, 60, 60))
    assert first.report == "FINDINGS: Right pleural effusion. No pneumothorax. Big heart."
    assert first.labels == {"pleural effusion": PRESENT, "cardiomegaly": PRESENT}
    assert (first.patient, first.split, first.frontal) == ("p1", Split.VAL, True)
    assert (gone.patient, gone.phrases, gone.report) == ("p2", (), "")


def test_padchest_that_is_not_whole_is_named(padchest: Roots, table: Make) -> None:
    table(padchest.root / "master_table.csv", ("StudyID", "PatientID", "split"), [("s1", "p1", "train")])
    with pytest.raises(DataSetError, match="study s2 has no row in master_table"):
        list(read_padchest_gr(padchest))
    (padchest.root / "grounded_reports_20240819.json").write_text('[{"StudyID": "s1"}]')
    with pytest.raises(DataSetError, match="not of the published form"):
        list(read_padchest_gr(padchest))
    (padchest.root / "grounded_reports_20240819.json").write_text("[{")
    with pytest.raises(DataSetError, match="cannot be read"):
        read_padchest_gr(padchest)


def test_vindr_groups_boxes_and_counts_readers(tmp_path: Path, table: Make) -> None:
    corners = ("x_min", "y_min", "x_max", "y_max")
    rows = [
        ("v1", "Cardiomegaly", "R1", 10.5, 20, 30, 40),
        ("v1", "Cardiomegaly", "R2", 11, 20, 30, 41),
        ("v1", "Nodule/Mass", "R1", 1, 1, 2, 2),
        ("v2", "No finding", "R1", "", "", "", ""),
    ]
    annotations = tmp_path / "annotations"
    table(annotations / "annotations_train.csv", ("image_id", "class_name", "rad_id", *corners), rows)
    header = ("image_id", "rad_id", "Cardiomegaly", "Nodule/Mass", "No finding")
    votes = [("v1", "R1", 1, 1, 0), ("v1", "R2", 1, 0, 0), ("v1", "R3", 0, 0, 0), ("v2", "R1", 0, 0, 1),
             ("v2", "R2", 0, 0, 1), ("v2", "R3", 0, 0, 1)]  # fmt: skip
    table(annotations / "image_labels_train.csv", header, votes)
    # The test split has no readers: it is their consensus.
    table(
        annotations / "annotations_test.csv",
        ("image_id", "class_name", *corners),
        [("t1", "COPD", 1, 2, 3, 4)],
    )
    table(annotations / "image_labels_test.csv", ("image_id", "COPD", "No finding"), [("t1", 1, 0)])
    (tmp_path / "train").mkdir()
    with pytest.raises(DataSetError, match=r"there is no test; |there is no test\b"):
        read_vindr_cxr(Roots(tmp_path))
    (tmp_path / "test").mkdir()
    first, normal, test = read_vindr_cxr(Roots(tmp_path))
    assert {phrase.text: phrase.boxes for phrase in first.phrases} == {
        "Cardiomegaly": (Box(10.5, 20, 30, 40), Box(11, 20, 30, 41)),
        "Nodule/Mass": (Box(1, 1, 2, 2),),
    }
    assert first.labels == {"Cardiomegaly": PRESENT, "Nodule/Mass": UNCERTAIN, "No finding": ABSENT}
    assert (normal.phrases, normal.labels["No finding"]) == ((), PRESENT)
    assert test.labels == {"COPD": PRESENT, "No finding": ABSENT}
    assert (test.split, test.image) == (Split.TEST, tmp_path / "test/t1.dicom")


NIH_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


@pytest.fixture
def nih(tmp_path: Path, table: Make, picture: Make) -> Roots:
    boxes = (
        "00000002_000.png,Atelectasis,225.5,547,86.5,79,,,\n00000002_000.png,Atelectasis,900,900,300,300,,,\n"
    )
    (tmp_path / "BBox_List_2017.csv").write_text(
        NIH_HEADER + boxes + "00000001_000.png,Mass,1,2,3,4,,,\n", newline=""
    )
    header = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "View Position",
              "OriginalImage[Width", "Height]")  # fmt: skip
    rows = [("00000001_000.png", "Mass|Nodule", 0, 1, "PA", 2682, 2749),
            ("00000002_000.png", "Atelectasis", 0, 2, "AP", 1, 1),
            ("00000003_000.png", "No Finding", 0, 3, "PA", 1, 1)]  # fmt: skip
    table(tmp_path / "Data_Entry_2017_v2020.csv", header, rows)
    (tmp_path / "test_list.txt").write_text("00000002_000.png\n")
    picture(tmp_path / "images_002/images/00000002_000.png")
    (tmp_path / "images_001/images").mkdir(parents=True)
    return Roots(tmp_path)


def test_nih_boxes_are_read_through_the_torn_header(nih: Roots) -> None:
    mass, atelectasis = read_nih(nih)
    assert [(p.text, p.boxes) for p in mass.phrases] == [("Mass", (Box(1, 2, 4, 6),))]
    assert mass.labels == {"Mass": PRESENT, "Nodule": PRESENT}
    assert (mass.patient, mass.view, mass.split, mass.frame) == ("1", View.PA, Split.TRAIN, (1024, 1024))
    assert atelectasis.phrases[0].boxes == (Box(225.5, 547, 312, 626), Box(900, 900, 1024, 1024))
    assert atelectasis.split is Split.TEST
    assert atelectasis.image == nih.root / "images_002/images/00000002_000.png"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (NIH_HEADER + "00000001_000.png,Mass,1,2,3\n", "line 2: the row has no box of four numbers"),
        ("Image,Label,x,y,w,h\n", "the header is not that of the box list"),
        (NIH_HEADER + "00000009_000.png,Mass,1,2,3,4\n", "00000009_000.png has no row in Data_Entry_2017"),
    ],
)
def test_a_wrong_nih_table_is_named(nih: Roots, text: str, told: str) -> None:
    (nih.root / "BBox_List_2017.csv").write_text(text)
    with pytest.raises(DataSetError, match=told):
        list(read_nih(nih))


def test_iu_images_get_the_report_of_their_study(tmp_path: Path, table: Make) -> None:
    header = ("uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression")
    table(
        tmp_path / "indiana_reports.csv",
        header,
        [
            (1, "normal", "normal", "PA", "x", "", "Lungs are clear.", "No disease."),
            (2, "", "", "", "", "", "", "Edema."),
        ],
    )
    with pytest.raises(DataSetError, match=r"there is no indiana_projections\.csv"):
        read_iu_xray(Roots(tmp_path))
    rows = [
        (1, "1_IM-0001-4001.dcm.png", "Frontal"),
        (1, "1_IM-0001-3001.dcm.png", "Lateral"),
        (2, "2.png", "Frontal"),
    ]
    table(tmp_path / "indiana_projections.csv", ("uid", "filename", "projection"), rows)
    with pytest.raises(DataSetError, match="images/images_normalized or images_normalized or images"):
        read_iu_xray(Roots(tmp_path))
    (tmp_path / "images/images_normalized").mkdir(parents=True)
    frontal, lateral, other = read_iu_xray(Roots(tmp_path))
    assert frontal.report == lateral.report == "FINDINGS: Lungs are clear.\nIMPRESSION: No disease."
    assert (frontal.frontal, lateral.frontal, frontal.split) == (True, False, None)
    assert other.report == "IMPRESSION: Edema."
    assert other.image == tmp_path / "images/images_normalized/2.png"
