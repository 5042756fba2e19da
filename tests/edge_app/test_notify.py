"""What a service manager hears of a server."""

import asyncio
import socket

import pytest

from edge_retrieve.edge_app.notify import ServiceManager
from edge_retrieve.edge_app.readiness import Readiness, Stage


@pytest.fixture
def heard(tmp_path):
    """A manager's socket, its address and a function that returns all it heard since."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)

        def messages():
            found = []
            try:
                while True:
                    found.append(listener.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return found

        yield path, messages


def test_ready_is_said_once_and_alive_every_time(heard):
    path, messages = heard
    state = Readiness()
    manager = ServiceManager({"NOTIFY_SOCKET": path}, lambda: state)
    asyncio.run(manager.tell())
    assert messages() == [["WATCHDOG=1", "STATUS=warming up"]]
    state = Readiness(Stage.READY)
    asyncio.run(manager.tell())
    asyncio.run(manager.tell())
    assert messages() == [["WATCHDOG=1", "STATUS=ready", "READY=1"], ["WATCHDOG=1", "STATUS=ready"]]
    manager.ending()
    assert messages() == [["STOPPING=1", "STATUS=ending"]]


def test_a_model_that_does_not_run_is_never_ready(heard):
    path, messages = heard
    manager = ServiceManager({"NOTIFY_SOCKET": path}, lambda: Readiness(Stage.FAILED, "out of memory"))
    asyncio.run(manager.tell())
    assert messages() == [["WATCHDOG=1", "STATUS=failed"]]


def test_an_abstract_socket_is_found():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0edge-retrieve-test-notify")
        listener.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": "@edge-retrieve-test-notify"}, Readiness).ending()
        assert listener.recv(100).startswith(b"STOPPING=1")


def test_without_a_manager_nothing_happens(tmp_path):
    nobody = ServiceManager({}, Readiness)
    assert not nobody.listens
    asyncio.run(nobody.tell())
    gone = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, Readiness)
    asyncio.run(gone.tell())
    gone.ending()
