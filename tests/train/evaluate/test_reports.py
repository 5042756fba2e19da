"""Scores of the report parser against annotations, with counts worked out by hand."""

from pathlib import Path

import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.evaluate.mesh import read_annotations
from edge_retrieve.train.evaluate.reports import evaluate_reports

REAL = Path(__file__).parents[4] / "shared/data/reports/iu_reports_dev.csv"


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        ("normal", []),
        ("Opacity/lung/base/left/mild", [(Finding.OPACITY, {Region.LEFT_LOWER_LUNG_ZONE})]),
        (
            "Pulmonary Atelectasis/base/bilateral",
            [(Finding.ATELECTASIS, {Region.RIGHT_LOWER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE})],
        ),
        ("Calcified Granuloma/lung/lingula", [(Finding.CALCIFIED_GRANULOMA, {Region.LEFT_MID_LUNG_ZONE})]),
        ("Calcified Granuloma", [(Finding.CALCIFIED_GRANULOMA, set())]),
        ("Calcinosis/aorta", [(Finding.AORTIC_CALCIFICATION, {Region.AORTIC_ARCH})]),
        ("Diaphragm/right/elevated", [(Finding.ELEVATED_HEMIDIAPHRAGM, {Region.RIGHT_HEMIDIAPHRAGM})]),
        ("Thoracic Vertebrae/degenerative/mild", [(Finding.DEGENERATIVE_SPINE, {Region.SPINE})]),
        ("Heart Ventricles/left/prominent", [(Finding.CARDIOMEGALY, {Region.CARDIAC_SILHOUETTE})]),
        ("Fractures, Bone/ribs/left", [(Finding.RIB_FRACTURE, {Region.LEFT_LUNG})]),
        ("Lucency/clavicle/right", [(None, {Region.RIGHT_CLAVICLE})]),
        ("Fractures, Bone/humerus;Catheters, Indwelling/left;Surgical Instruments", []),
        (
            "Cardiomegaly/mild;Nodule/lung/upper lobe/right",
            [
                (Finding.CARDIOMEGALY, {Region.CARDIAC_SILHOUETTE}),
                (Finding.NODULE, {Region.RIGHT_UPPER_LUNG_ZONE}),
            ],
        ),
    ],
)
def test_annotations(mesh, expected):
    assert [(a.finding, set(a.regions)) for a in read_annotations(mesh)] == expected


def test_scores_are_micro_averages(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text(
        "uid,MeSH,findings,impression\n"
        "1,Nodule/lung/upper lobe/right,Nodule in the right upper lobe.,\n"  # both agree
        "2,Mass/lung/base/left,Left basilar nodule.,\n"  # same region, another finding
        "3,normal,No effusion.,Cardiomegaly.\n"  # one too many
        "4,Pleural Effusion/right,The lungs are clear.,\n"  # one missed
        "5,No Indexing,Left nodule.,\n"  # not annotated
        "6,Cardiomegaly,,\n"  # no text
    )
    scores = evaluate_reports(path)
    assert (scores.n, scores.skipped) == (4, 2)
    assert scores.location.precision == pytest.approx(2 / 3)
    assert scores.location.recall == pytest.approx(2 / 3)
    assert scores.location.f1 == pytest.approx(2 / 3)
    assert scores.finding_location.precision == pytest.approx(1 / 3)
    assert scores.finding_location.recall == pytest.approx(1 / 3)


def test_other_columns_are_named(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text("uid,text\n1,Clear.\n")
    with pytest.raises(ArchiveError, match=r"MeSH, findings, impression are missing"):
        evaluate_reports(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", None])
def test_unreadable_files_are_named(tmp_path, content):
    path = tmp_path / "reports.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"reports\.csv"):
        evaluate_reports(path)


@pytest.mark.skipif(not REAL.exists(), reason="the Indiana reports are not on this machine")
def test_real_reports_are_read_well():
    scores = evaluate_reports(REAL)
    assert scores.n > 1800
    assert scores.location.f1 >= 0.93
    assert scores.finding_location.f1 >= 0.85
