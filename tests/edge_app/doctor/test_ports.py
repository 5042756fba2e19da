import http.server
import json
import os
import socket
import threading

import pytest

from edge_retrieve.edge_app.doctor import ports
from edge_retrieve.edge_app.doctor.check import State
from edge_retrieve.edge_app.doctor.ports import dicom_port, holder, port


@pytest.fixture
def taken():
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_free_and_stays_so(taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
    assert port("127.0.0.1", number).state is State.OK
    assert port("127.0.0.1", number).state is State.OK


def test_who_holds_a_port_is_named(taken):
    if not holder(taken):
        pytest.skip("this system does not tell who listens")
    assert holder(taken).endswith(f", process {os.getpid()}")
    check = port("127.0.0.1", taken)
    assert check.state is State.FAILED
    assert f"process {os.getpid()}" in check.what
    assert "--port" in check.remedy


def test_where_the_holder_is_kept_back_it_says_how_to_learn_it(taken, tmp_path):
    (tmp_path / "net").mkdir()
    assert holder(taken, tmp_path) == ""


def test_an_address_of_another_machine_is_told():
    check = port("192.0.2.1", 8080)  # RFC 5737: nobody's
    assert (check.state, "192.0.2.1" in check.what) == (State.FAILED, True)


@pytest.fixture
def answering():
    """Return a function that serves one JSON document as /xray/readyz and returns the port."""
    servers = []

    def serve(document):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/xray/readyz" else 404)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({"status": "ready", "engine": "ONNX Runtime cpu"}, State.OK),
        ({"status": "failed", "engine": "ONNX Runtime cpu"}, State.WARNING),
        ({"status": "ready"}, State.FAILED),  # another program's
        (["ready"], State.FAILED),
    ],
)
def test_a_server_of_ours_is_told_from_another_program(answering, document, state):
    assert port("127.0.0.1", answering(document), "/xray").state is state


def test_a_running_servers_own_dicom_port_is_no_fault(taken, answering):
    if not holder(taken):
        pytest.skip("this system does not tell who listens")
    page = answering({"status": "ready", "engine": "ONNX Runtime cpu"})
    check = dicom_port("127.0.0.1", taken, page)
    assert check.state is State.OK, check
    assert f"port {page}" in check.what
    with socket.create_server(("127.0.0.1", 0)) as other:
        nobodys = other.getsockname()[1]
    check = dicom_port("127.0.0.1", taken, nobodys)
    assert check.state is State.FAILED
    assert "another --dicom-port" in check.remedy
    assert dicom_port("127.0.0.1", nobodys, page).state is State.OK


def test_a_hardened_services_dicom_port_is_known_by_its_user(taken, answering, monkeypatch):
    # In namespaces of its own, its open files are kept back from its user, too (systemd's PrivateUsers).
    monkeypatch.setattr(ports, "holder", lambda _: "")
    page = answering({"status": "ready", "engine": "ONNX Runtime cpu"})
    if not ports.owners(taken):
        pytest.skip("this system does not tell who listens")
    assert ports.owners(taken) == {os.getuid()}
    assert dicom_port("127.0.0.1", taken, page).state is State.OK
    monkeypatch.setattr(ports, "owners", lambda number: {number})
    assert dicom_port("127.0.0.1", taken, page).state is State.FAILED
