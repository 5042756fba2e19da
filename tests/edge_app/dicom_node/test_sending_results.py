"""What a query found, sent from the server to a PACS: dcmtk, and systems that fail or take a part."""

import shutil
import socket
import threading
import time

import pytest
import uvicorn
from argon2 import PasswordHasher
from pydicom import uid
from starlette.testclient import TestClient

from edge_retrieve.edge_app.access import passwords
from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.audit import AuditError, AuditTrail
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.client import Client
from edge_retrieve.edge_app.dicom_node.peers import Peer
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.jobs.runner import Cancelled
from edge_retrieve.edge_app.jobs.sending import send_results
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

pytest.importorskip("highdicom")
PERSON = {"name": "Reader^Rita", "organization": "General Hospital"}
REPORT = "FINDINGS: Clear lungs, as I see it."
STUDY = "1.2.826.0.1.77.90"
PASSWORD = "correct horse battery"


@pytest.fixture
def start(toy, store_path, tmp_path):
    """Return a function that starts a server over a copy of the archive, which sends to the systems named."""
    opened = []

    def begin(**settings):
        # Without "site": other tests, which share the archive, write to its audit trail.
        shutil.copytree(store_path, tmp_path / "own", ignore=shutil.ignore_patterns("site"))
        workspace = Workspace(tmp_path / "own", toy.bundle.path, trust=Trust(allow_unsigned=True))
        client = TestClient(
            create_app(workspace, ServerSettings(**settings)),
            base_url="http://localhost",
            raise_server_exceptions=False,
        )
        client.workspace = workspace
        opened.extend((workspace, client))
        return client.__enter__()

    yield begin
    for each in reversed(opened):
        each.__exit__(None, None, None)


@pytest.fixture
def ask(make_image):
    """Return a function that uploads an X-ray and gives the query about it."""
    data = make_image(99, study=STUDY, bright=0.93)

    def uploaded(client, **headers):
        answer = client.post("/api/encode", files={"image": ("q.dcm", data)}, headers=headers)
        assert answer.status_code == 200, answer.text
        return {"upload": answer.json()["upload"], "regions": ["right upper lung zone"]}

    return uploaded


def ended(client, answer, **headers):
    """Return the job that an answer begins, once it has ended."""
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 60
    while True:
        job = client.get(f"/api/jobs/{answer.json()['job']}", headers=headers).json()
        if job["ended"]:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def exports(client, lines):
    """Return what the trail tells of exports, once it has so many lines: they are not written at once."""
    site, deadline = client.workspace.site, time.monotonic() + 30
    while True:
        events = [entry.event for entry in read_trail(site.audit) if entry.event.action.value == "export"]
        if len(events) >= lines:
            break
        assert time.monotonic() < deadline, events
        time.sleep(0.05)
    assert verify_trail(site.audit).intact
    return [(each.user, each.outcome.value, each.subjects, each.detail) for each in events]


def test_what_a_person_accepted_arrives_as_final(start, ask, pacs):
    client = start(pacs=pacs.name)
    assert client.get("/api/destinations").json() == {"destinations": [{"name": "ARCHIVE", "tls": False}]}
    query = ask(client)
    draft = client.post("/api/explain", json=query).json()["draft"]["draft"]
    kept = client.post("/api/drafts/accept", json={"draft": draft, "report": REPORT, **PERSON}).json()
    body = {"to": "ARCHIVE", "query": query, "acceptance": kept["acceptance"]}
    job = ended(client, client.post("/api/send", json=body))
    assert (job["kind"], job["state"], job["done"], job["total"]) == ("send", "done", 3, 3)
    assert job["result"] == {"destination": "ARCHIVE", "sent": 3, "objects": "sr.dcm, gsps.dcm, sc.dcm"}
    held = pacs.objects()
    assert set(held) == {"SR", "PR", "OT"}
    assert {each.StudyInstanceUID for each in held.values()} == {STUDY}
    assert {each.file_meta.TransferSyntaxUID for each in held.values()} == {uid.ExplicitVRLittleEndian}
    assert held["SR"].VerificationFlag == "VERIFIED"
    assert REPORT in held["SR"].to_json()
    reference = references_of(client.workspace.site.key).of(STUDY)
    lines = exports(client, 3)
    (asked,) = (line for line in lines if line[3] == "POST /api/send: to ARCHIVE")
    assert asked[:2] == ("local", "done")
    assert reference in asked[2]
    at = f"C-STORE to ARCHIVE at 127.0.0.1:{pacs.port}"
    assert [line for line in lines if line != asked] == [
        ("local", "done", (reference,), f"{at} begins: sr.dcm, gsps.dcm, sc.dcm"),
        ("local", "done", (reference,), f"{at}: 3 of 3 objects taken"),
    ]


def test_before_that_nothing_of_the_draft_leaves(start, ask, pacs):
    client = start(pacs=pacs.name)
    query = ask(client)
    draft = client.post("/api/explain", json=query).json()["draft"]
    client.post("/api/drafts/accept", json={"draft": draft["draft"], "report": REPORT, **PERSON})
    job = ended(client, client.post("/api/send", json={"to": "ARCHIVE", "query": query, "kinds": ["sr"]}))
    assert job["result"]["sent"] == 1
    held = pacs.objects()
    assert set(held) == {"SR"}
    assert (held["SR"].PreliminaryFlag, held["SR"].VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert REPORT not in held["SR"].to_json()
    assert all(sentence["text"] not in held["SR"].to_json() for sentence in draft["sentences"])


def test_what_the_archive_does_not_answer_fails_with_the_reason(start, ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = start(pacs=f"GONE@127.0.0.1:{port}")
    job = ended(client, client.post("/api/send", json={"to": "GONE", "query": ask(client)}))
    assert job["state"] == "failed"
    assert "nothing listens" in job["problem"]["what"]
    assert job["problem"]["where"] == f"GONE at 127.0.0.1:{port}"
    assert [line[1:] for line in exports(client, 3) if line[1] == "failed"] == [
        (
            "failed",
            (references_of(client.workspace.site.key).of(STUDY),),
            f"C-STORE to GONE at 127.0.0.1:{port} did not end",
        )
    ]


def test_a_job_that_is_cancelled_ends_between_objects_or_says_that_all_arrived(pacs, make_image):
    outputs = [
        Output(OutputKind.SR, f"{n}.dcm", "application/dicom", make_image(n), "", "", STUDY) for n in range(3)
    ]

    def cancelled_at(when):
        told = []
        work = send_results(Peer("127.0.0.1", pacs.port, "ARCHIVE"), outputs, lambda *one: told.append(one))

        def progress(done, total, name):
            if done == when:
                raise Cancelled

        try:
            result = work(progress)
        except Cancelled:
            result = None
        return result, told[-1][1]

    result, told = cancelled_at(1)
    assert (result, "did not end" in told, len(list(pacs.folder.iterdir()))) == (None, True, 1)
    result, told = cancelled_at(3)
    assert (result["sent"], "3 of 3 objects taken" in told, len(list(pacs.folder.iterdir()))) == (3, True, 3)


def test_what_cannot_be_recorded_does_not_leave(start, ask, pacs, monkeypatch):
    client = start(pacs=pacs.name)
    query, real = ask(client), AuditTrail.record

    def full(trail, event):
        if event.detail.startswith("C-STORE"):
            raise AuditError("the audit trail cannot be written (No space left on device)")
        real(trail, event)

    monkeypatch.setattr(AuditTrail, "record", full)
    job = ended(client, client.post("/api/send", json={"to": "ARCHIVE", "query": query}))
    assert (job["state"], "audit trail" in job["problem"]["what"]) == ("failed", True)
    assert pacs.objects() == {}


def test_what_the_archive_does_not_take_is_named(start, ask, spool, tmp_path):
    """A node of our own takes structured reports and secondary captures, but no presentation state."""
    scp = StorageScp(spool, ScpSettings(port=0))
    scp.start()
    try:
        client = start(pacs=f"EDGE_RETRIEVE@127.0.0.1:{scp.port}", ae_title="SENDER")
        job = ended(client, client.post("/api/send", json={"to": "EDGE_RETRIEVE", "query": ask(client)}))
    finally:
        scp.stop(0.2)
    assert job["state"] == "failed"
    assert job["problem"]["what"].startswith("2 of 3 objects were taken (gsps.dcm: ")
    assert len(spool.entries()) == 2
    assert {entry.arrival.name for entry in spool.entries()} == {"SENDER"}


def test_what_cannot_be_sent_is_refused_at_once(start, ask):
    client = start(pacs="ARCHIVE@127.0.0.1:9")
    query = ask(client)
    for changes, status, what in [
        ({"to": "SOMEWHERE"}, 422, "not sent to 'SOMEWHERE'"),
        ({"to": None}, 422, "not sent to ''"),
        ({"kinds": ["fhir"]}, 422, "DICOM objects alone"),
        ({"kinds": ["pdf"]}, 422, "'pdf' is unknown"),
        ({"acceptance": "none-such"}, 404, "no draft was accepted"),
        ({"query": {"text": "nodule"}}, 422, "no image"),
        ({"port": 104}, 422, "unknown entries port"),
    ]:
        answer = client.post("/api/send", json={"to": "ARCHIVE", "query": query, **changes})
        assert answer.status_code == status, answer.text
        assert what in answer.json()["what"]
    assert client.get("/api/jobs").json()["jobs"] == []


@pytest.mark.parametrize("name", ["client", "stranger"])
def test_an_archive_that_asks_for_a_certificate_is_called_over_tls(
    start, ask, run_pacs, certificates, tmp_path, name
):
    pacs = run_pacs(
        *("+tls", certificates / "server.key", certificates / "server.pem"), *("+cf", certificates / "ca.pem")
    )
    client = start(
        pacs=pacs.name,
        pacs_tls=True,
        pacs_tls_certificate=str(certificates / f"{name}.pem"),
        pacs_tls_key=str(certificates / f"{name}.key"),
        pacs_tls_authorities=str(certificates / "ca.pem"),
    )
    assert client.get("/api/destinations").json() == {"destinations": [{"name": "ARCHIVE", "tls": True}]}
    job = ended(client, client.post("/api/send", json={"to": "ARCHIVE", "query": ask(client)}))
    if name == "client":
        assert (job["state"], job["result"]["sent"]) == ("done", 3)
        assert set(pacs.objects()) == {"SR", "PR", "OT"}
    else:
        assert job["state"] == "failed"
        assert pacs.objects() == {}


def test_without_a_destination_there_is_none(start, ask):
    client = start()
    assert client.get("/api/destinations").json() == {"destinations": []}
    refused = client.post("/api/send", json={"to": "ARCHIVE", "query": ask(client)})
    assert (refused.status_code, refused.json()["remedy"]) == (422, "Start the server with --pacs")
    assert client.post("/api/jobs", json={"kind": "send"}).status_code == 422


def test_an_operator_sends_what_he_accepted_a_reader_and_others_do_not(
    start, ask, pacs, tmp_path, monkeypatch
):
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)
    client = start(pacs=pacs.name)
    with AccessDatabase(client.workspace.site.database) as users:
        for name, role in (("rita", Role.READER), ("otto", Role.OPERATOR), ("olga", Role.OPERATOR)):
            Accounts(users).add(name, PASSWORD, role, identities=True)
        token = Tokens(users).make("olga", Role.OPERATOR, 1, identities=True)[1]
    assert client.post("/api/send", json={}).status_code == 401

    def log_in(name):
        client.cookies.clear()
        client.headers.pop("x-csrf-token", None)
        assert client.post("/api/login", json={"user": name, "password": PASSWORD}).status_code == 200
        client.headers["x-csrf-token"] = client.cookies["edge_csrf"]

    log_in("rita")
    query = ask(client)
    assert client.get("/api/destinations").status_code == 403
    assert client.post("/api/send", json={"to": "ARCHIVE", "query": query}).status_code == 403
    log_in("otto")
    query = ask(client)
    draft = client.post("/api/explain", json=query).json()["draft"]["draft"]
    kept = client.post("/api/drafts/accept", json={"draft": draft, "report": REPORT, **PERSON}).json()
    body = {"to": "ARCHIVE", "query": query, "acceptance": kept["acceptance"]}
    # Neither his upload nor what he accepted is another operator's to send.
    bearer = {"authorization": f"Bearer {token}"}
    client.cookies.clear()
    assert client.post("/api/send", json=body, headers=bearer).status_code == 404
    others = {**body, "query": ask(client, **bearer)}
    assert client.post("/api/send", json=others, headers=bearer).status_code == 404
    assert list(pacs.folder.iterdir()) == []
    accepting = {"to": "ARCHIVE", "query": others["query"], "accepted_by": PERSON}
    assert client.post("/api/send", json=accepting, headers=bearer).status_code == 403
    log_in("otto")
    assert ended(client, client.post("/api/send", json=body))["state"] == "done"
    assert pacs.objects()["SR"].VerificationFlag == "VERIFIED"
    lines = exports(client, 7)
    assert [line[:2] for line in lines if line[3].startswith("C-STORE")] == [("otto", "done")] * 2
    assert {line[:2] for line in lines} >= {("rita", "refused"), ("token of olga", "failed")}


def test_the_client_sends(pacs, toy, store_path, tmp_path, make_image):
    (tmp_path / "q.dcm").write_bytes(make_image(99, study=STUDY, bright=0.93))
    with Workspace(store_path, toy.bundle.path, trust=Trust(allow_unsigned=True)) as workspace:
        app = create_app(workspace, ServerSettings(pacs=pacs.name))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with Client(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}") as client:
            client.wait_until_ready()
            (only,) = client.pacs.destinations().destinations
            upload = client.encode(tmp_path / "q.dcm")
            job = client.pacs.send(only.name, {"upload": upload.upload, "k": 2}, kinds=["sr", "sc"])
            done = client.wait_for(job.job)
        server.should_exit = True
        thread.join(30)
    assert (done.state, done.result["sent"]) == ("done", 2)
    assert set(pacs.objects()) == {"SR", "OT"}
