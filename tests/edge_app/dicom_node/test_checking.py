"""Each step of an association that can fail, failing."""

import socket
import threading

import pytest
from pynetdicom import AE, evt

from edge_retrieve.edge_app.dicom_node.checking import Step, check_association
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer, TlsFiles
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.runtime.errors import ConfigError


@pytest.fixture
def scp(tmp_path):
    scp = StorageScp(Spool(tmp_path), ScpSettings(port=0, callers=frozenset({"KNOWN"})))
    scp.start()
    yield scp
    scp.stop(0.2)


@pytest.fixture
def answering():
    """Return a function that listens and treats each connection as it is told; returns the port."""
    listeners = []

    def start(treat):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=treat, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def failing(check):
    assert not check.ok
    assert [step.ok for step in check.steps] == [True] * (len(check.steps) - 1) + [False]
    with pytest.raises(DicomError, match=check.steps[-1].step.value):
        check.require()
    return check.steps[-1]


def test_all_steps_work_and_are_timed(scp):
    check = check_association(Peer("localhost", scp.port, "EDGE_RETRIEVE", "KNOWN"))
    assert check.ok
    assert [step.step for step in check.steps] == [Step.NAME, Step.PORT, Step.ASSOCIATION, Step.ECHO]
    assert all(step.ms > 0 for step in check.steps)
    check.require()


def test_a_name_that_does_not_resolve():
    step = failing(check_association(Peer("nowhere.invalid", 104, "PACS")))
    assert step.step is Step.NAME
    assert "nowhere.invalid" in step.what


def test_a_port_that_nothing_listens_on():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    step = failing(check_association(Peer("127.0.0.1", port, "PACS")))
    assert step.step is Step.PORT
    assert "nothing listens" in step.what


@pytest.mark.parametrize(
    ("called", "calling", "what", "remedy"),
    [
        ("EDGE_RETRIEVE", "STRANGER", "calling AE title not recognised", "--calling"),
        ("ANOTHER", "KNOWN", "called AE title not recognised", "--called"),
    ],
)
def test_a_wrong_ae_title_is_told_apart_from_a_time_out(scp, called, calling, what, remedy):
    step = failing(check_association(Peer("127.0.0.1", scp.port, called, calling)))
    assert step.step is Step.ASSOCIATION
    assert what in step.what.lower().replace("ae title", "AE title")
    assert remedy in step.remedy
    assert step.ms < 5000


def test_one_that_closes_the_connection_without_a_word(answering):
    port = answering(lambda connection: (connection.recv(1000), connection.close()))
    step = failing(check_association(Peer("127.0.0.1", port, "PACS"), timeout_s=5.0))
    assert (step.step, step.what) == (Step.ASSOCIATION, "closed without an answer")
    assert "AE titles" in step.remedy


def test_one_that_never_answers(answering):
    held = []
    port = answering(held.append)
    step = failing(check_association(Peer("127.0.0.1", port, "PACS"), timeout_s=0.5))
    assert (step.step, step.what) == (Step.ASSOCIATION, "no answer to the request")
    for connection in held:
        connection.close()


def test_one_that_is_no_dicom_system(answering):
    def treat(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    step = failing(check_association(Peer("127.0.0.1", answering(treat), "PACS"), timeout_s=3.0))
    assert step.step is Step.ASSOCIATION


def test_one_that_answers_the_echo_with_a_failure():
    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda event: 0x0122)]
    )
    try:
        step = failing(check_association(Peer("127.0.0.1", server.server_address[1], "PACS")))
    finally:
        server.shutdown()
    assert (step.step, step.what) == (Step.ECHO, "status 0x0122")


def test_one_that_offers_nothing_of_what_is_asked():
    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False)
    try:
        step = failing(check_association(Peer("127.0.0.1", server.server_address[1], "PACS")))
    finally:
        server.shutdown()
    assert step.step is Step.ASSOCIATION
    assert "accepts none" in step.what


def test_no_tls_where_it_is_expected(scp):
    peer = Peer("127.0.0.1", scp.port, "EDGE_RETRIEVE", "KNOWN", TlsFiles())
    step = failing(check_association(peer, timeout_s=3.0))
    assert step.step is Step.TLS


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_is_none(port):
    with pytest.raises(ConfigError, match="TCP port"):
        Peer("127.0.0.1", port, "PACS")
