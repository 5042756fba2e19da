"""A draft that a person accepted leaves with the results of its query, and with no other's."""

import io
import json
import shutil

import numpy as np
import pydicom
import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

pytest.importorskip("highdicom")
PERSON = {"name": "Reader^Rita", "organization": "General Hospital"}
REPORT = "FINDINGS: Clear lungs, as I see it."


@pytest.fixture
def own(toy, store_path, tmp_path):
    shutil.copytree(store_path, tmp_path / "own")
    with (
        Workspace(tmp_path / "own", toy.bundle.path, trust=Trust(allow_unsigned=True)) as workspace,
        TestClient(
            create_app(workspace), base_url="http://localhost", raise_server_exceptions=False
        ) as client,
    ):
        yield client


@pytest.fixture
def query(own, toy, xray):
    path = xray(toy.picture(99, right_upper_lung_zone=0.93).astype(np.uint16) * 16)
    answer = own.post("/api/encode", files={"image": (path.name, path.read_bytes())})
    return {"upload": answer.json()["upload"], "regions": ["right upper lung zone"]}


@pytest.fixture
def accepted(own, query):
    draft = own.post("/api/explain", json=query).json()["draft"]["draft"]
    answer = own.post("/api/drafts/accept", json={"draft": draft, "report": REPORT, **PERSON})
    return answer.json()["acceptance"]


def report_of(answer):
    assert answer.status_code == 200, answer.text
    return pydicom.dcmread(io.BytesIO(answer.content))


def test_what_was_accepted_stands_in_the_results(own, query, accepted):
    made = report_of(own.post("/api/results/sr", json={"query": query, "acceptance": accepted}))
    assert (made.VerificationFlag, made.CompletionFlag) == ("VERIFIED", "COMPLETE")
    assert str(made.VerifyingObserverSequence[0].VerifyingObserverName) == "Reader^Rita"
    assert REPORT in made.to_json()
    bundle = own.post("/api/results/fhir", json={"query": query, "acceptance": accepted}).json()
    assert bundle["entry"][0]["resource"]["status"] == "final"
    assert REPORT in json.dumps(bundle)


def test_without_the_acceptance_no_word_of_it_leaves(own, query, accepted):
    made = report_of(own.post("/api/results/sr", json={"query": query}))
    assert (made.VerificationFlag, made.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert REPORT not in made.to_json()


def test_an_acceptance_is_for_one_query(own, query, accepted):
    for body, status in [
        ({"query": {**query, "text": "another"}, "acceptance": accepted}, 409),
        ({"query": query, "acceptance": "none-such"}, 404),
        ({"query": query, "acceptance": accepted, "accepted_by": PERSON}, 422),
    ]:
        answer = own.post("/api/results/sr", json=body)
        assert answer.status_code == status
        assert answer.json()["remedy"]
