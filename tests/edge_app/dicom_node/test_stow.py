"""STOW-RS, sent by dicomweb-client and by hand."""

import io
import json

import pydicom
import pytest
from pydicom import uid
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.dicom_node import dicomweb
from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer
from edge_retrieve.edge_app.dicom_node.figures import NodeFigures
from edge_retrieve.edge_app.dicom_node.opening import open_node
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

TYPE = 'multipart/related; type="application/dicom"; boundary=b'


@pytest.fixture
def serve(toy, tmp_path):
    """Return a function that starts the application, with a node where the settings ask for one."""
    opened = []

    def start(**options):
        trust = Trust(allow_unsigned=True)
        workspace = Workspace(tmp_path / "store", toy.bundle.path, trust=trust, create=True)
        settings = ServerSettings(**{"dicom_web": True, "keep_identities": True, **options})
        figures = NodeFigures()
        node = open_node(workspace, settings, on_searchable=figures.searchable)
        app = create_app(workspace, settings)
        app.state.dicom_node = node
        if node is not None:
            node.start()
            figures.watch(node)
            app.state.services.metrics.add(figures)
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        client.__enter__()
        opened.append((client, node, workspace))
        return client, workspace.store

    yield start
    for client, node, workspace in opened:
        client.__exit__(None, None, None)
        if node is not None:
            node.stop()
        workspace.close()


def multipart(*parts, boundary=b"b"):
    body = b"".join(
        b"--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts
    )
    return body + b"--" + boundary + b"--\r\n"


def post(client, body, *, study="", content_type=TYPE):
    address = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
    return client.post(address, content=body, headers={"content-type": content_type})


def instances(answer, sequence):
    items = answer.json().get(sequence, {"Value": []})["Value"]
    return [item["00081155"]["Value"][0] for item in items if "Value" in item["00081155"]]


def reasons(answer):
    return [item["00081197"]["Value"][0] for item in answer.json()["00081198"]["Value"]]


def test_what_is_sent_becomes_a_study(serve, make_image, make_report, wait_for):
    client, store = serve()
    study = uid.generate_uid()
    image, report = make_image(1, study=study), make_report(study, "The lungs are clear.")
    answer = post(client, multipart(image, report))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    sent = [pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID for data in (image, report)]
    assert instances(answer, "00081199") == sent
    wait_for(lambda: store.count() == 1 and store.study(study).report)
    assert store.study(study).report == "FINDINGS: The lungs are clear."


def test_dicomweb_client_is_understood(serve, make_image, wait_for, tmp_path, monkeypatch):
    """What the client library sends, by way of the test client rather than a socket."""
    import requests

    client, store = serve()

    def send(session, method, url, **options):
        answer = client.request(
            method,
            url.removeprefix("http://localhost"),
            content=b"".join(options["data"]) if not isinstance(options["data"], bytes) else options["data"],
            headers=options.get("headers"),
        )
        made = requests.Response()
        made.status_code, made._content, made.url = answer.status_code, answer.content, url
        made.headers.update(answer.headers)
        return made

    monkeypatch.setattr(requests.Session, "request", send)
    for seed in (1, 2):
        (tmp_path / f"{seed}.dcm").write_bytes(make_image(seed))
    sent = dicomweb.send_files(
        DicomWebPeer("http://localhost/dicom-web"), [tmp_path / "1.dcm", tmp_path / "2.dcm"]
    )
    assert [each.ok for each in sent] == [True, True]
    wait_for(lambda: store.count() == 2)


def test_what_is_refused_says_why_and_the_rest_is_kept(serve, make_image, wait_for):
    client, store = serve()
    good, other = make_image(1), make_image(2)
    foreign = other.replace(uid.ComputedRadiographyImageStorage.encode(), b"1.2.840.10008.5.1.4.1.1.2")
    unknown = other.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0")
    answer = post(client, multipart(good, b"text", foreign, unknown))
    assert answer.status_code == 202
    assert len(instances(answer, "00081199")) == 1
    assert reasons(answer) == [0xC000, 0x0122, 0xC122]
    wait_for(lambda: store.count() == 1)


def test_where_nothing_is_kept_it_is_a_conflict(serve):
    client, store = serve()
    answer = post(client, multipart(b"text"))
    assert answer.status_code == 409
    assert reasons(answer) == [0xC000]
    assert store.count() == 0


def test_objects_of_another_study_are_refused(serve, make_image, wait_for):
    client, store = serve()
    study = uid.generate_uid()
    answer = post(client, multipart(make_image(1, study=study), make_image(2)), study=study)
    assert answer.status_code == 202
    assert reasons(answer) == [0xA900]
    wait_for(lambda: store.count() == 1)
    assert post(client, multipart(make_image(3)), study="no-uid").status_code == 422


def test_a_full_disk_refuses(serve, make_image):
    client, _ = serve(dicom_keep_free_mib=1 << 30)
    answer = post(client, multipart(make_image(1)))
    assert answer.status_code == 409
    assert reasons(answer) == [0xA700]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/dicom",
        "multipart/form-data; boundary=b",
        "multipart/related",
        "",
        "multipart/related; boundary=",
    ],
)
def test_another_kind_of_body_is_told(serve, content_type):
    client, _ = serve()
    answer = post(client, b"--b--\r\n", content_type=content_type)
    assert answer.status_code == 415
    assert "multipart/related" in answer.json()["remedy"]


@pytest.mark.parametrize(
    "body", [b"", b"--b--\r\n", b"nothing of that kind", multipart(b"x")[:-6], multipart(b"x", boundary=b"c")]
)
def test_a_body_that_is_cut_short_is_told(serve, body):
    client, store = serve()
    answer = post(client, body)
    assert answer.status_code == 422
    assert "boundary" in answer.json()["remedy"]
    assert store.count() == 0


def test_a_body_larger_than_allowed_is_refused(serve):
    client, _ = serve(max_upload_mib=1)
    assert post(client, multipart(bytes(2 << 20))).status_code == 413


def test_a_server_that_takes_none_says_so(serve, make_image):
    client, _ = serve(dicom_web=False)
    answer = post(client, multipart(make_image(1)))
    assert answer.status_code == 404
    assert "--dicom-web" in answer.json()["remedy"]


def test_the_nodes_figures_are_among_the_servers(serve, make_image, wait_for):
    client, store = serve()
    post(client, multipart(make_image(1, patient="MARKED4711"), make_image(2, BodyPartExamined="HAND")))
    wait_for(lambda: store.count() == 1)
    wait_for(lambda: "edge_retrieve_dicom_set_aside_total 1.0" in client.get("/metrics").text)
    text = client.get("/metrics").text
    assert "edge_retrieve_dicom_stored_total 1.0" in text
    assert "edge_retrieve_dicom_quarantined 1.0" in text
    assert "edge_retrieve_dicom_searchable_seconds_count 1.0" in text
    assert "MARKED4711" not in text


def test_what_an_earlier_run_left_is_worked_off(serve, make_image, wait_for, tmp_path):
    from edge_retrieve.edge_app.dicom_node.spool import Spool

    Spool(tmp_path / "store" / "dicom").put([make_image(1)])
    _, store = serve(dicom_web=False)
    wait_for(lambda: store.count() == 1)


def test_without_any_of_it_no_folder_is_made(serve, tmp_path):
    serve(dicom_web=False)
    assert not (tmp_path / "store" / "dicom").exists()


def test_the_answer_is_dicom_json(serve, make_image):
    client, _ = serve()
    answer = post(client, multipart(make_image(1), b"text"))
    parsed = pydicom.Dataset.from_json(json.dumps(answer.json()))
    assert parsed.ReferencedSOPSequence[0].ReferencedSOPClassUID == uid.ComputedRadiographyImageStorage
    assert parsed.FailedSOPSequence[0].FailureReason == 0xC000
