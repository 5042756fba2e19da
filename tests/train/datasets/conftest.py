"""Small trees in the layouts that the publishers of the data sets use; every name and number is made up."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  History: ___M with cough  // pneumonia?

 COMPARISON:  None.

 FINDINGS:

 There is a nodule in the right upper lung.  The heart is normal
 in size.

 IMPRESSION:

 Right upper lung nodule.
"""
CHEXPERT_LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other",
    "Fracture", "Support Devices",
)  # fmt: skip


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a table; one whose name ends in .gz is packed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(header)
    writer.writerows(rows)
    data = stream.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_image(path: Path, width: int = 120, height: int = 160, seed: int = 0) -> Path:
    """Write a noisy picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(20, 200, (height, width), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def relative(subject: str, study: str, dicom: str = "") -> str:
    folder = f"files/p{subject[:2]}/p{subject}/s{study}"
    return f"{folder}/{dicom}.jpg" if dicom else f"{folder}.txt"


# subject, study, dicom, ViewPosition, view code, split. The originals are 60 wide and 80 high, as the tables
# say; the files are a copy of twice that size.
MIMIC = (
    ("10000032", "50414267", "aaaa-1", "PA", "postero-anterior", "train"),
    ("10000032", "50414267", "aaaa-2", "LATERAL", "lateral", "train"),
    ("10000032", "50414268", "aaaa-3", "", "antero-posterior", "train"),
    ("11000001", "51000001", "bbbb-1", "AP", "lateral", "validate"),
    ("12000002", "52000002", "cccc-1", "AP", "", "test"),
    ("13000003", "53000003", "dddd-1", "", "", "train"),
)


def make_mimic(root: Path) -> Path:
    prefix = root / "mimic-cxr-2.0.0"
    write_csv(
        prefix.with_name(f"{prefix.name}-split.csv.gz"),
        ("dicom_id", "study_id", "subject_id", "split"),
        [(dicom, study, subject, split) for subject, study, dicom, _, _, split in MIMIC],
    )
    header = ("dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition",
              "Rows", "Columns", "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning",
              "ViewCodeSequence_CodeMeaning")  # fmt: skip
    write_csv(
        prefix.with_name(f"{prefix.name}-metadata.csv.gz"),
        header,
        # In another order than the split table, as published.
        [
            (dicom, subject, study, "CHEST (PA AND LAT)", view, 80, 60, "21800506", "213014.5", "", code)
            for subject, study, dicom, view, code, _ in reversed(MIMIC)
        ],
    )
    blank = [""] * 14
    labels = [*blank]
    labels[2], labels[4], labels[9] = "1.0", "-1.0", "0.0"
    write_csv(
        prefix.with_name(f"{prefix.name}-chexpert.csv.gz"),
        ("subject_id", "study_id", *CHEXPERT_LABELS),
        [("10000032", "50414267", *labels), ("11000001", "51000001", *blank)],
    )
    for seed, (subject, study, dicom, _, _, _) in enumerate(MIMIC):
        write_image(root / relative(subject, study, dicom), 120, 160, seed)
        (root / relative(subject, study)).write_text(REPORT)
    return root


def make_imagenome(root: Path) -> Path:
    header = ("", "subject_id", "study_id", "dicom_id", "path", "ViewPosition")
    rows = {
        "train": [("10000032", "50414267", "aaaa-1")],
        "valid": [("11000001", "51000001", "bbbb-1")],
        "test": [("12000002", "52000002", "cccc-1")],
    }
    for name, split in rows.items():
        write_csv(
            root / f"silver_dataset/splits/{name}.csv",
            header,
            [(n, *row, relative(*row).replace(".jpg", ".dcm"), "PA") for n, row in enumerate(split)],
        )
    write_csv(
        root / "silver_dataset/splits/images_to_avoid.csv",
        header[1:],
        [("13000003", "53000003", "dddd-1", "", "")],
    )

    def entry(name: str, framed: Sequence[float], original: Sequence[float] | None) -> dict[str, object]:
        corners = ("x1", "y1", "x2", "y2")
        found: dict[str, object] = {"bbox_name": name, **dict(zip(corners, framed, strict=True))}
        if original is not None:
            found |= {f"original_{corner}": value for corner, value in zip(corners, original, strict=True)}
            found |= {"original_width": original[2] - original[0]}
        return found

    graphs = root / "silver_dataset/scene_graph"
    graphs.mkdir(parents=True)
    objects = [
        entry("right lung", (0, 0, 1, 1), (5, 10, 25, 60)),  # the original wins over the frame
        entry("left lung", (28, 56, 84, 112), None),  # only in the frame: padded left and right
        entry("trachea", (0, 0, 0, 0), (30, 5, 70, 20)),  # reaches beyond the image
        entry("carina", (0, 0, 0, 0), (30, 20, 30, 25)),  # empty
        entry("spine", (0, 0, 0, 0), (20, 0, 30, 40)),  # twice
        entry("spine", (0, 0, 0, 0), (25, 30, 35, 80)),
        entry("svc", (0, 0, 0, 0), (100, 100, 120, 120)),  # outside
        entry("left cardiac silhouette", (0, 0, 0, 0), (30, 40, 45, 60)),
        entry("right cardiac silhouette", (0, 0, 0, 0), (20, 42, 30, 58)),
        entry("descending aorta", (0, 0, 0, 0), (30, 20, 34, 70)),
        entry("left chest wall", (0, 0, 0, 0), (0, 0, 10, 10)),  # no name of theirs with boxes
    ]
    attributes = [
        {
            "bbox_name": "right lung",
            "attributes": [["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal"],
                           ["disease|no|pneumonia"]],
            "phrases": ["Right lung opacity.", "No pneumonia."],
        },
        {"bbox_name": "left arm", "attributes": [["nlp|yes|abnormal"]], "phrases": ["Left arm."]},
    ]  # fmt: skip
    for split in rows.values():
        for subject, study, dicom in split:
            graph = {"image_id": dicom, "patient_id": subject, "study_id": study}
            graph |= {"objects": objects, "attributes": attributes, "relationships": []}
            (graphs / f"{dicom}_SceneGraph.json").write_text(json.dumps(graph))
    columns = ("image_id", "x1", "y1", "x2", "y2", "width", "height", "bbox_name", "annot_id", "original_x1",
               "original_x2", "original_y1", "original_y2", "original_width", "original_height", "annotator",
               "coord224", "coord_original")  # fmt: skip
    write_csv(
        root / "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv",
        columns,
        [
            (
                "dddd-1.dcm",
                0,
                0,
                9,
                9,
                9,
                9,
                "right lung",
                1,
                5,
                25,
                10,
                60,
                20,
                50,
                "A",
                "[0, 0, 9, 9]",
                "[5, 10, 25, 60]",
            )
        ],
    )
    return root


MS_CXR_ROWS = (
    (
        "aaaa-1",
        "Pneumonia",
        "right upper opacity",
        ("10000032", "50414267", "aaaa-1"),
        5,
        10,
        20,
        30,
        "train",
    ),
    (
        "cccc-1",
        "Pneumothorax",
        "left apical pneumothorax",
        ("12000002", "52000002", "cccc-1"),
        40,
        5,
        15,
        10,
        "test",
    ),
    (
        "aaaa-1",
        "Pneumonia",
        "right upper opacity",
        ("10000032", "50414267", "aaaa-1"),
        30,
        50,
        40,
        40,
        "train",
    ),
    ("aaaa-1", "Edema", "mild edema", ("10000032", "50414267", "aaaa-1"), 0, 0, 60, 80, "train"),
)


def make_ms_cxr_csv(root: Path) -> Path:
    header = ("dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h", "image_width",
              "image_height", "split")  # fmt: skip
    rows = [(d, c, t, relative(*p), *box, 60, 80, s) for d, c, t, p, *box, s in MS_CXR_ROWS]
    write_csv(root / "MS_CXR_Local_Alignment_v1.1.0.csv", header, rows)
    return root


def make_ms_cxr_coco(root: Path) -> Path:
    dicoms = sorted({row[0] for row in MS_CXR_ROWS})
    names = sorted({row[1] for row in MS_CXR_ROWS})
    paths = {row[0]: relative(*row[3]) for row in MS_CXR_ROWS}
    images = [
        {"id": n, "file_name": f"{d}.jpg", "width": 60, "height": 80, "num_annotations": 1, "path": paths[d]}
        for n, d in enumerate(dicoms)
    ]
    annotations = [
        {
            "id": n,
            "category_id": names.index(c),
            "image_id": dicoms.index(d),
            "bbox": list(box),
            "label_text": t,
        }
        for n, (d, c, t, _, *box, _) in enumerate(MS_CXR_ROWS)
    ]
    categories = [{"id": n, "name": name, "supercategory": "disease"} for n, name in enumerate(names)]
    root.mkdir(parents=True, exist_ok=True)
    content = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    (root / "MS_CXR_Local_Alignment_v1.0.0.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MIMIC-CXR-JPG with reports; read only."""
    return make_mimic(tmp_path_factory.mktemp("mimic"))


@pytest.fixture(scope="session")
def imagenome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chest ImaGenome on `mimic`; read only."""
    return make_imagenome(tmp_path_factory.mktemp("imagenome"))


@pytest.fixture
def ms_cxr_csv() -> Callable[[Path], Path]:
    return make_ms_cxr_csv


@pytest.fixture
def ms_cxr_coco() -> Callable[[Path], Path]:
    return make_ms_cxr_coco


@pytest.fixture
def table() -> Callable[..., Path]:
    return write_csv


@pytest.fixture
def picture() -> Callable[..., Path]:
    return write_image
