"""A server whose store is encoded for another bundle meanwhile: a real one, and a real `store reencode`."""

import contextlib
import http.client
import json
import re
import shutil
import subprocess
import sys
import threading
import time

import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.reencode import reencode

PATIENCE_S = 60.0
QUERY = {"text": "nodule in the right upper lung zone", "k": 3}


@pytest.fixture
def own(store_path, tmp_path):
    """A copy of the archive."""
    return shutil.copytree(store_path, tmp_path / "store")


@pytest.fixture
def place(toy, tmp_path):
    """Where the server looks for its bundle: a link, as a site may set to another one."""
    link = tmp_path / "bundle"
    link.symlink_to(toy.bundle.path)
    return link


def point(place, bundle):
    place.unlink()
    place.symlink_to(bundle.path)


@pytest.fixture
def port(own, place, plain_environment):
    """The port of a server process."""
    command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()", "serve"]
    command += ["--store", own, "--bundle", place, "--allow-unsigned", "--port", "0"]
    process = subprocess.Popen(
        list(map(str, command)),
        env=plain_environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
            break
    else:
        pytest.fail(f"it ended with {process.wait()}")
    drained = threading.Thread(target=process.stderr.read)
    drained.start()
    number = int(found[1])
    wait_for(number, 200)
    yield number
    process.terminate()
    process.wait()
    drained.join()
    process.stderr.close()


def ask(port, path, document=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        if document is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(document), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())


def wait_for(port, status, path="/readyz", where=lambda body: True):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found, headers, body = ask(port, path)
        if found == status and where(body):
            return headers, body
        time.sleep(0.05)
    pytest.fail(f"{path} is {found}: {body}")


def hits(body):
    return [(hit["study"], round(hit["score"], 4)) for hit in body["hits"]]


def test_it_takes_the_new_bundle_up_and_no_answer_is_mixed(port, own, place, turned_toy, run):
    _, _, before = ask(port, "/api/query", QUERY)
    answers, ended = [], threading.Event()

    def go_on():
        while not ended.is_set():
            answers.append(ask(port, "/api/query", QUERY))

    client = threading.Thread(target=go_on)
    client.start()
    point(place, turned_toy)
    told = run("store", "reencode", "--store", own, "--bundle", turned_toy.path, "--allow-unsigned")
    assert told.exit_code == 0, told.stderr
    wait_for(port, 200, "/api/archive", lambda body: body["model"]["id"] == "toy 2")
    wait_for(port, 200)
    time.sleep(0.2)
    ended.set()
    client.join()
    status, _, after = ask(port, "/api/query", QUERY)
    assert status == 200
    # The second bundle's embeddings are the first one's, turned about: the same cases, by its own numbers.
    assert [study for study, _ in hits(after)] == [study for study, _ in hits(before)]
    for found, headers, body in answers:
        if found == 200:
            assert hits(body) in (hits(before), hits(after))
        else:
            assert (found, int(headers.get("retry-after", 0)) > 0) == (503, True)
            assert "another bundle (toy 2" in body["what"]
    assert {found for found, _, _ in answers[-2:]} == {200}


def test_where_the_bundle_is_not_there_it_says_which_and_takes_it_up_later(port, own, place, turned_toy, run):
    assert ask(port, "/api/query", QUERY)[0] == 200
    run("store", "reencode", "--store", own, "--bundle", turned_toy.path, "--allow-unsigned")
    named = f"another bundle (toy 2, {turned_toy.bundle_id[:12]})"
    _, body = wait_for(port, 503, where=lambda body: body["status"] == "failed")
    assert named in body["what"]
    assert "start the server again with it" in body["what"]
    status, headers, body = ask(port, "/api/query", QUERY)
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert named in body["what"]
    assert "start again with that bundle" in body["remedy"]
    # What is of no bundle goes on.
    assert ask(port, "/healthz")[0] == 200
    point(place, turned_toy)
    wait_for(port, 200)
    assert ask(port, "/api/query", QUERY)[0] == 200


def test_a_request_keeps_its_bundle_and_the_old_one_is_closed_after_the_last(
    toy, own, turned_toy, tmp_path, place
):
    with Workspace(own, place, trust=Trust(allow_unsigned=True)) as workspace:
        app = create_app(workspace)
        with TestClient(app, base_url="http://localhost") as client:
            assert app.state.warm_up.wait(60)
            following, told = app.state.following, []
            following.tell(told.append)
            held = following.enter()
            point(place, turned_toy)
            reencode_with(turned_toy, own)
            until = time.monotonic() + PATIENCE_S
            while not told and time.monotonic() < until:
                time.sleep(0.05)
            (new,) = told
            assert new.workspace.bundle.bundle_id == turned_toy.bundle_id
            assert held.workspace.store.count() == new.workspace.store.count() == 6
            following.leave(held)
            while not closed(held.workspace.store) and time.monotonic() < until:
                time.sleep(0.05)
            assert closed(held.workspace.store)
            metrics = client.get("/metrics").text
            assert "edge_retrieve_studies 6.0" in metrics
            # Feature maps of the old bundle are of no use to the new one.
            assert new.uploads is not held.uploads
            assert new.encodings is not held.encodings


def reencode_with(bundle, store):
    with Encoder(bundle, threads=1) as encoder:
        reencode(store, encoder)


def closed(store):
    try:
        store.count()
    except StoreError:
        return True
    return False
