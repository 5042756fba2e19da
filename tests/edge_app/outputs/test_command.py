"""edge-retrieve results: a real search, written for the PACS."""

import io
import json
import sys

import numpy as np
import pydicom
import pytest

pytest.importorskip("highdicom")
ZONE = "right upper lung zone"


@pytest.fixture
def query_dicom(toy, xray):
    """The archive's kind of picture as DICOM, with a bright right upper lung zone."""
    pixels = toy.picture(99, right_upper_lung_zone=0.93)
    return xray(pixels.astype(np.uint16) * 16, WindowCenter="2048", WindowWidth="4096")


@pytest.fixture
def results(run, toy, store_path, tmp_path):
    """Return a function that runs the command into a folder."""

    def call(image, *options):
        shared = ("--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned")
        return run("results", image, *shared, "--out", tmp_path / "out", *options)

    return call


def test_all_kinds_are_written_and_listed(results, query_dicom, tmp_path):
    done = results(query_dicom, "--region", ZONE, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [file["kind"] for file in told["files"]] == ["sr", "gsps", "sc", "fhir"]
    assert told["study"] == "1.2.826.0.1.77.1"
    assert told["status"].startswith("PRELIMINARY")
    for file in told["files"][:3]:
        held = pydicom.dcmread(file["path"])
        assert held.SOPInstanceUID == file["sop_instance"]
        assert held.StudyInstanceUID == told["study"]
    names = [case["case"] for case in told["cases"]]
    assert names
    report = (tmp_path / "out" / "sr.dcm").read_bytes()
    for case in told["cases"]:
        assert case["case"].encode() in report
        assert case["study"].encode() not in report


def test_one_kind_and_what_a_person_accepted(results, query_dicom, tmp_path):
    done = results(
        query_dicom, "--region", ZONE, "--kind", "sr", "--accepted-by", "Doe^Jane", "--organization", "Here"
    )
    assert done.exit_code == 0, done.stderr
    assert "Verified by Doe^Jane, Here" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sr.dcm"]
    data = (tmp_path / "out" / "sr.dcm").read_bytes()
    assert pydicom.dcmread(io.BytesIO(data)).VerificationFlag == "VERIFIED"


def test_a_report_in_words_needs_a_person_who_accepts_it(results, query_dicom, tmp_path):
    (tmp_path / "report.txt").write_text("IMPRESSION: normal.\n")
    refused = results(query_dicom, "--report", tmp_path / "report.txt")
    assert refused.exit_code == 2
    assert "who accepts the result is missing" in refused.stderr
    person = ("--accepted-by", "Doe^Jane", "--organization", "Here")
    done = results(query_dicom, "--kind", "sr", "--report", tmp_path / "report.txt", *person)
    assert done.exit_code == 0, done.stderr
    assert b"IMPRESSION: normal." in (tmp_path / "out" / "sr.dcm").read_bytes()
    (tmp_path / "report.txt").write_bytes(b"\xff\xfe\x00")
    assert "plain text in UTF-8" in results(query_dicom, "--report", tmp_path / "report.txt", *person).stderr


def test_the_archive_is_named_with_what_it_holds(results, query_dicom, workspace, tmp_path):
    assert results(query_dicom, "--region", ZONE, "--kind", "fhir").exit_code == 0
    bundle = json.loads((tmp_path / "out" / "fhir.json").read_text())
    (device,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Device")
    assert device["serialNumber"] == workspace.bundle.bundle_id
    assert workspace.store.content_digest() in str(device["note"])
    assert len(workspace.store.content_digest()) == 64


def test_a_picture_without_a_header_is_refused(results, query_image):
    done = results(query_image, "--region", ZONE)
    assert done.exit_code == 1
    assert "PNG or JPEG says neither whose image it is" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_an_acceptance_is_wrong_use(results, query_dicom):
    done = results(query_dicom, "--accepted-by", "Doe^Jane")
    assert done.exit_code == 2
    assert "organization is missing" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(results, query_dicom, tmp_path):
    (tmp_path / "out").write_text("in the way")
    done = results(query_dicom, "--region", ZONE)
    assert done.exit_code in (1, 2)
    assert "out" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def without_highdicom(monkeypatch):
    """As where the extra is not installed."""
    for name in list(sys.modules):
        if name.startswith(("highdicom", "edge_retrieve.edge_app.outputs.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "highdicom", None)


@pytest.mark.usefixtures("without_highdicom")
def test_the_extra_is_named_where_it_is_missing(results, client, query_dicom):
    done = results(query_dicom, "--region", ZONE)
    assert done.exit_code == 1
    assert "edge-retrieve[dicom]" in done.stderr
    answer = client.post("/api/results/sr", json={"query": {"text": "nodule"}})
    assert answer.status_code == 501
    assert "edge-retrieve[dicom]" in answer.json()["remedy"]
