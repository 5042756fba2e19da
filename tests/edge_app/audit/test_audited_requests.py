"""What people do on a server is in its trail, by whom, and refers to studies without naming them."""

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from edge_retrieve.edge_app.access import passwords
from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.audit import AuditError, AuditTrail
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module", autouse=True)
def cheap_digests():
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: cheap)
        yield


@pytest.fixture(scope="module")
def day(toy, store_path, tmp_path_factory):
    """A day at a server; yields its site and the study that was looked at."""
    site = Site(tmp_path_factory.mktemp("site") / "site")
    with AccessDatabase(site.database) as database:
        Accounts(database).add("rita", PASSWORD, Role.READER, identities=True)
        Accounts(database).add("ada", PASSWORD, Role.ADMIN)
    with (
        Workspace(
            store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
        ) as workspace,
        TestClient(create_app(workspace), base_url="http://localhost") as client,
    ):
        client.get("/api/studies")  # by nobody
        client.post("/api/login", json={"user": "rita", "password": "not her password"})
        client.post("/api/login", json={"user": "hunter2hunter2", "password": "x"})
        client.post("/api/login", json={"user": "Rita", "password": PASSWORD})
        client.headers["x-csrf-token"] = client.cookies["edge_csrf"]
        study = client.get("/api/studies").json()["studies"][0]["study"]
        client.get(f"/api/studies/{study}")
        client.get("/api/studies/none-such")
        hits = client.post("/api/query", json={"text": "nodule"}).json()["hits"]
        client.get("/metrics")  # not hers
        client.get("/api/audit")  # neither
        client.post("/api/logout")
    return site, study, [hit["study"] for hit in hits]


def told(site):
    return [
        (entry.event.user, entry.event.action.value, entry.event.outcome.value, entry.event.subjects)
        for entry in read_trail(site.audit)
    ]


def test_the_trail_tells_the_day(day):
    site, study, hits = day
    of = references_of(site.key).of
    assert told(site) == [
        ("rita", "log in", "refused", ()),
        ("nobody", "log in", "refused", ()),
        ("rita", "log in", "done", ()),
        ("rita", "list studies", "done", ()),
        ("rita", "view study", "done", (of(study),)),
        ("rita", "view study", "failed", (of("none-such"),)),
        ("rita", "search", "done", tuple(of(hit) for hit in hits)),
        ("rita", "other", "refused", ()),
        ("rita", "read audit trail", "refused", ()),
        ("rita", "log out", "done", ()),
    ]
    assert hits
    assert verify_trail(site.audit).intact


def test_the_trail_names_no_study_and_no_mistyped_password(day):
    site, study, hits = day
    text = "".join(path.read_text() for path in site.audit.glob("*.jsonl"))
    for secret in (study, *hits, "hunter2", "none-such", PASSWORD):
        assert secret not in text


def test_an_administrator_reads_the_trail_newest_first(toy, store_path, day):
    site, _, _ = day
    expected = [entry.number for entry in read_trail(site.audit)][::-1][:3]
    with (
        Workspace(
            store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
        ) as workspace,
        TestClient(create_app(workspace), base_url="http://localhost") as client,
    ):
        client.post("/api/login", json={"user": "ada", "password": PASSWORD})
        entries = client.get("/api/audit?last=4").json()["entries"]
    assert [entry["number"] for entry in entries[1:]] == expected
    assert entries[0]["action"] == "log in"
    assert entries[0]["user"] == "ada"


def test_what_cannot_be_recorded_is_not_shown(make_client, monkeypatch):
    client = make_client()
    assert client.get("/api/studies").status_code == 200

    def full(trail, event):
        raise AuditError("the audit trail cannot be written (No space left on device)")

    monkeypatch.setattr(AuditTrail, "record", full)
    refused = client.get("/api/studies")
    assert refused.status_code == 503
    assert "audit trail" in refused.json()["what"]
    assert "studies" not in refused.json()
    # What shows nobody goes on.
    assert client.get("/api/regions").status_code == 200
