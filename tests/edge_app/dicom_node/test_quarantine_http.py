"""Looking after quarantined objects over HTTP, by the client and by the command line."""

import json
import threading
import time

import pytest
import uvicorn
from argon2 import PasswordHasher

from edge_retrieve.edge_app.access import passwords
from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.client import Client, RefusedError
from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.opening import open_node
from edge_retrieve.edge_app.dicom_node.quarantine import quarantined
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust
from edge_retrieve.runtime.deid.key import read_key
from edge_retrieve.runtime.deid.pseudonyms import uid_pseudonym

STUDY = "1.2.826.0.1.77.4711"
SECRET = "MARKED4711"


@pytest.fixture(autouse=True)
def cheap_digests(monkeypatch):
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)


@pytest.fixture
def receiving(toy, tmp_path, make_image, wait_for):
    """A de-identified archive's server that set one object aside; yields address, tokens by role, node."""
    trust = Trust(allow_unsigned=True)
    with Workspace(tmp_path / "own", toy.bundle.path, trust=trust, create=True) as workspace:
        with AccessDatabase(workspace.site.database) as users:
            tokens = {}
            for name, role in (("rita", Role.READER), ("otto", Role.OPERATOR), ("ada", Role.ADMIN)):
                Accounts(users).add(name, "correct horse battery", role)
                tokens[role] = Tokens(users).make(name, role, 1)[1]
        settings = ServerSettings(dicom_web=True)
        node = open_node(workspace, settings)
        app = create_app(workspace, settings)
        app.state.dicom_node = node
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        hand = make_image(1, study=STUDY, patient=SECRET, BodyPartExamined="HAND")
        with node:
            node.spool.put([hand], arrival=Arrival(Way.C_STORE, "ROOM1", "10.0.0.8"))
            wait_for(lambda: quarantined(node.spool))
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}", tokens, node
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def told(receiving):
    """Return a function that gives what people did with the quarantine, once there are so many lines."""

    def read(lines):
        site, deadline = Site.of(receiving[2].spool.folder.parent), time.monotonic() + 30
        while True:
            events = [e.event for e in read_trail(site.audit) if "quarantine" in e.event.detail]
            if len(events) >= lines:
                break
            assert time.monotonic() < deadline, events
            time.sleep(0.05)
        assert verify_trail(site.audit).intact
        return [
            (each.user, each.action.value, each.outcome.value, each.subjects, each.detail) for each in events
        ]

    return read


def test_it_is_listed_tried_again_and_deleted(receiving, told, wait_for):
    address, tokens, node = receiving
    with Client(address, token=tokens[Role.OPERATOR]) as client:
        page = client.quarantine.page()
        (held,) = page.objects
        assert (page.total, held.fault, held.sender, held.attempts) == (1, "unusable", "ROOM1", 1)
        assert "hand" in held.reason.lower()
        assert held.arrived.endswith("Z")
        assert held.bytes > 4000
        assert client.quarantine.retry(held.object) == held
        # Nothing changed: it comes back, under the same name and from the same sender.
        wait_for(lambda: quarantined(node.spool))
        assert client.quarantine.page().objects[0].object == held.object
        assert client.quarantine.page().objects[0].sender == "ROOM1"
        assert client.quarantine.retry_all() == 1
        wait_for(lambda: quarantined(node.spool))
        client.quarantine.discard(held.object)
        assert client.quarantine.page().total == 0
        assert client.quarantine.page(offset=7).objects == []
        assert not list(node.spool.quarantine.iterdir())
    site = Site.of(node.spool.folder.parent)
    reference = references_of(site.key).of(uid_pseudonym(read_key(site.key), STUDY))
    name = held.object
    assert told(3) == [
        (
            "token of otto",
            "maintain",
            "done",
            (reference,),
            f"POST /api/quarantine/{{object}}/retry: object {name}",
        ),
        ("token of otto", "maintain", "done", (), "POST /api/quarantine/retry: 1 objects"),
        (
            "token of otto",
            "delete",
            "done",
            (reference,),
            f"DELETE /api/quarantine/{{object}}: object {name}",
        ),
    ]


def test_nothing_tells_whose_it_is(receiving):
    address, tokens, _ = receiving
    with Client(address, token=tokens[Role.ADMIN]) as client:
        told = str(client.quarantine.page())
    for secret in (SECRET, STUDY, "Doe"):
        assert secret not in told


def test_readers_may_neither_look_nor_touch(receiving, told):
    address, tokens, node = receiving
    (held,) = quarantined(node.spool)
    with Client(address, token=tokens[Role.READER]) as client:
        for attempt in (
            client.quarantine.page,
            client.quarantine.retry_all,
            lambda: client.quarantine.retry(held.id),
            lambda: client.quarantine.discard(held.id),
        ):
            with pytest.raises(RefusedError, match="may not do that") as caught:
                attempt()
            assert caught.value.status == 403
    with Client(address) as client, pytest.raises(RefusedError) as caught:
        client.quarantine.page()
    assert caught.value.status == 401
    assert quarantined(node.spool) == (held,)
    assert {line[:3] for line in told(4)} >= {
        ("token of rita", "delete", "refused"),
        ("token of rita", "maintain", "refused"),
    }


@pytest.mark.parametrize("name", ["1-ab", "..", "*", "x%2F..%2Fincoming", "%2e%2e"])
def test_a_name_that_is_none_is_refused(receiving, name):
    address, tokens, node = receiving
    with Client(address, token=tokens[Role.OPERATOR]) as client:
        for method, path in (("DELETE", name), ("POST", f"{name}/retry")):
            with pytest.raises(RefusedError) as caught:
                client._connection.ask(method, f"/api/quarantine/{path}")
            assert caught.value.status in (404, 405)
    assert len(quarantined(node.spool)) == 1


def test_the_command_asks_a_server(receiving, run, tmp_path):
    address, tokens, node = receiving
    (tmp_path / "token").write_text(tokens[Role.OPERATOR])
    words = ["dicom", "quarantine", "--server", address, "--token-file", tmp_path / "token"]
    listed = run(*words)
    assert listed.exit_code == 0, listed.output
    assert "from ROOM1" in listed.stdout
    (held,) = json.loads(run(*words, "--json").stdout)["objects"]
    assert held["id"] == quarantined(node.spool)[0].id
    gone = run(*words, "--discard", held["id"])
    assert gone.stdout == "0 objects in quarantine.\n"
    assert quarantined(node.spool) == ()
    again = run(*words, "--discard", held["id"])
    assert again.exit_code == 1
    assert "no such object is in quarantine" in again.stderr
    assert run("dicom", "quarantine").exit_code == 2


def test_the_command_on_a_store_is_in_its_trail(receiving, run, told):
    _, _, node = receiving
    (held,) = quarantined(node.spool)
    store = node.spool.folder.parent
    assert run("dicom", "quarantine", "--store", store, "--discard", held.id).exit_code == 0
    ((user, action, outcome, _, detail),) = told(1)
    assert user.startswith("system")
    assert (action, outcome, detail) == ("delete", "done", f"quarantine: object {held.id}")
