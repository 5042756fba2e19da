"""The patient's other studies, apart from the hits."""

import pytest

from edge_retrieve.runtime.ingest import ingest


@pytest.fixture
def with_priors(own, dicom_bytes, ramp, tmp_path):
    """The archive with three studies of one patient, of whom one is undated."""
    folder = tmp_path / "in"
    folder.mkdir()
    for n, date in enumerate(("20220301", "", "20240131")):
        identity = {"StudyInstanceUID": f"1.2.{n}", "SOPInstanceUID": f"1.2.{n}.9", "StudyDate": date}
        (folder / f"{n}.dcm").write_bytes(dicom_bytes(ramp(seed=n), PatientID="P-7", **identity))
    summary = ingest(own.workspace.store, own.workspace.encoder, [folder])
    assert summary.rejected == 0
    return own


def asked(client, **query):
    answer = client.post("/api/query", json={"k": 20, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_of_a_stored_study(with_priors):
    answer = asked(with_priors, study="1.2.0")
    assert answer["priors"] == [{"study": "1.2.2", "date": "2024-01-31"}, {"study": "1.2.1", "date": ""}]
    assert not {"1.2.0", "1.2.1", "1.2.2"} & {hit["study"] for hit in answer["hits"]}


def test_of_an_upload_by_the_patient_whom_its_file_names(with_priors, dicom_bytes, ramp, send):
    identity = {"StudyInstanceUID": "1.3", "SOPInstanceUID": "1.3.9", "PatientID": "P-7"}
    upload = send(with_priors, dicom_bytes(ramp(seed=9), **identity))["upload"]
    answer = asked(with_priors, upload=upload)
    assert [prior["study"] for prior in answer["priors"]] == ["1.2.2", "1.2.0", "1.2.1"]
    known = send(with_priors, dicom_bytes(ramp(seed=0), PatientID="P-7", StudyInstanceUID="1.2.0"))["upload"]
    assert [prior["study"] for prior in asked(with_priors, upload=known)["priors"]] == ["1.2.2", "1.2.1"]


def test_of_nobody(with_priors, send, query_image):
    assert asked(with_priors, text="nodule")["priors"] == []
    upload = send(with_priors, query_image.read_bytes(), "query.png")["upload"]
    assert asked(with_priors, upload=upload)["priors"] == []
