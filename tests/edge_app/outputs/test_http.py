"""POST /api/results: what a query found, taken away as files."""

import io
import json
import zipfile

import numpy as np
import pydicom
import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust
from edge_retrieve.runtime.ingest import ingest

pytest.importorskip("highdicom")
ZONE = "right upper lung zone"
PASSWORD = "correct horse battery"
ACCEPTED = {"name": "Doe^Jane", "organization": "Here"}


@pytest.fixture
def query_dicom(toy, xray):
    pixels = toy.picture(99, right_upper_lung_zone=0.93)
    return xray(pixels.astype(np.uint16) * 16, WindowCenter="2048", WindowWidth="4096")


def uploaded(client, path):
    answer = client.post("/api/encode", files={"image": (path.name, path.read_bytes())})
    assert answer.status_code == 200, answer.text
    return answer.json()["upload"]


def test_each_kind_comes_with_its_media_type(client, query_dicom):
    query = {"upload": uploaded(client, query_dicom), "regions": [ZONE]}
    for kind, media in (("sr", "dicom"), ("gsps", "dicom"), ("sc", "dicom"), ("fhir", "fhir+json")):
        answer = client.post(f"/api/results/{kind}", json={"query": query})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == f"application/{media}"
        assert answer.headers["cache-control"] == "no-store"
        assert f'filename="{kind}.' in answer.headers["content-disposition"]
        if media == "dicom":
            held = pydicom.dcmread(io.BytesIO(answer.content))
            assert held.StudyInstanceUID == "1.2.826.0.1.77.1"
        else:
            assert answer.json()["resourceType"] == "Bundle"


def test_all_kinds_come_in_one_archive(client, query_dicom):
    query = {"upload": uploaded(client, query_dicom), "regions": [ZONE]}
    answer = client.post("/api/results.zip", json={"query": query, "accepted_by": ACCEPTED})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == ["fhir.json", "gsps.dcm", "sc.dcm", "sr.dcm"]
        report = pydicom.dcmread(io.BytesIO(archive.read("sr.dcm")))
        assert report.VerificationFlag == "VERIFIED"
        assert json.loads(archive.read("fhir.json"))["entry"][0]["resource"]["status"] == "final"


def test_without_acceptance_it_is_a_draft(client, query_dicom):
    query = {"upload": uploaded(client, query_dicom), "regions": [ZONE]}
    for nobody in ({}, {"accepted_by": None}):
        answer = client.post("/api/results/sr", json={"query": query, **nobody})
        report = pydicom.dcmread(io.BytesIO(answer.content))
        assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")


def test_a_persons_box_is_drawn(client, query_dicom):
    query = {"upload": uploaded(client, query_dicom), "boxes": [[8, 8, 24, 30]]}
    answer = client.post("/api/results/gsps", json={"query": query})
    state = pydicom.dcmread(io.BytesIO(answer.content))
    (outline,) = state.GraphicAnnotationSequence[0].GraphicObjectSequence
    assert list(outline.GraphicData)[:4] == pytest.approx([8, 8, 24, 8])


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({}, "not a JSON object"),
        ({"query": {}}, "the query is empty"),
        ({"query": {"text": "nodule"}}, "no image that a result could be filed with"),
        ({"query": {"text": "nodule"}, "who": 1}, "unknown entries who"),
        ({"query": {"text": "nodule"}, "accepted_by": {"name": "Doe^Jane"}}, "organization is missing"),
        ({"query": {"text": "nodule"}, "accepted_by": {"report": "IMPRESSION: x"}}, "name of who accepts"),
        ({"query": {"text": "nodule"}, "accepted_by": "me"}, "not a JSON object"),
    ],
)
def test_what_cannot_be_asked_is_refused(client, body, what):
    answer = client.post("/api/results/sr", json=body)
    assert answer.status_code == 422
    assert what in answer.json()["what"]


def test_an_unknown_kind_is_refused(client):
    answer = client.post("/api/results/pdf", json={"query": {"text": "nodule"}})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_picture_without_a_header_is_refused_by_its_senders_name(client, query_image):
    query = {"upload": uploaded(client, query_image), "regions": [ZONE]}
    answer = client.post("/api/results/sr", json={"query": query})
    assert answer.status_code == 422
    assert answer.json()["where"] == query_image.name
    assert "neither whose image it is" in answer.json()["what"]


@pytest.fixture
def stored(toy, query_dicom, archive, tmp_path):
    """A store that holds the X-ray itself, and a client of it."""
    with Workspace(
        tmp_path / "own store", toy.bundle.path, trust=Trust(allow_unsigned=True), create=True
    ) as workspace:
        assert not ingest(workspace.store, workspace.encoder, [archive, query_dicom]).rejected
        app = create_app(workspace, ServerSettings())
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            assert app.state.warm_up.wait(60)
            yield client


def test_a_stored_study_is_filed_by_the_file_it_came_from(stored, query_dicom, toy, xray):
    query = {"study": "1.2.826.0.1.77.1", "regions": [ZONE]}
    answer = stored.post("/api/results/sr", json={"query": query})
    assert answer.status_code == 200, answer.text
    report = pydicom.dcmread(io.BytesIO(answer.content))
    assert (report.StudyInstanceUID, report.AccessionNumber) == ("1.2.826.0.1.77.1", "ACC-77")
    xray(toy.picture(5).astype(np.uint16) * 16)  # another image under the same name
    changed = stored.post("/api/results/sr", json={"query": query})
    assert (changed.status_code, changed.json()["what"]) == (
        422,
        "the file that the study came from holds another image now",
    )
    query_dicom.unlink()
    gone = stored.post("/api/results/sr", json={"query": query})
    assert (gone.status_code, gone.json()["what"]) == (
        422,
        "the file that the study came from is no longer there",
    )
    assert str(query_dicom.parent) not in gone.text


def test_a_stored_picture_and_an_unknown_study_are_refused(client, workspace):
    study = workspace.store.studies(limit=1)[0].study
    picture = client.post("/api/results/sr", json={"query": {"study": study}})
    assert picture.status_code == 422
    assert picture.json()["where"] == f"study {study}"
    assert client.post("/api/results/sr", json={"query": {"study": "nobody"}}).status_code == 404


@pytest.fixture
def guarded(toy, store_path, tmp_path):
    """The application with a user, Rita, and a token of hers."""
    site = Site(tmp_path / "site")
    with AccessDatabase(site.database) as database:
        Accounts(database).add("rita", PASSWORD, Role.READER, identities=True)
        _, token = Tokens(database).make("rita", Role.READER, days=1, identities=True)
    with Workspace(
        store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
    ) as workspace:
        app = create_app(workspace, ServerSettings())
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            assert app.state.warm_up.wait(60)
            yield client, token


def test_a_person_accepts_under_her_log_in_and_a_program_cannot(guarded, query_dicom):
    client, token = guarded
    bearer = {"authorization": f"Bearer {token}"}

    def asked(headers, **more):
        image = {"image": ("q.dcm", query_dicom.read_bytes())}
        upload = client.post("/api/encode", files=image, headers=headers).json()["upload"]
        body = {"query": {"upload": upload, "regions": [ZONE]}, **more}
        return client.post("/api/results/sr", json=body, headers=headers)

    assert client.post("/api/results/sr", json={"query": {"text": "nodule"}}).status_code == 401
    assert asked(bearer).status_code == 200
    refused = asked(bearer, accepted_by=ACCEPTED)
    assert refused.status_code == 403
    assert "token cannot accept" in refused.json()["what"]
    login = client.post("/api/login", json={"user": "rita", "password": PASSWORD})
    assert login.status_code == 200, login.text
    answer = asked({"x-csrf-token": client.cookies["edge_csrf"]}, accepted_by=ACCEPTED)
    assert answer.status_code == 200, answer.text
    report = pydicom.dcmread(io.BytesIO(answer.content))
    logins = [
        item.TextValue
        for item in report.ContentSequence
        if "Login Name" in str(item.get("ConceptNameCodeSequence"))
    ]
    assert logins == ["rita"]
