import shutil
import socket
import subprocess
import time

import pytest

from edge_retrieve.edge_app.doctor import reception
from edge_retrieve.edge_app.doctor.check import State
from edge_retrieve.edge_app.doctor.reception import Pacs, association, received
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import ConfigError

pytest.importorskip("pynetdicom", reason="needs pynetdicom (extra dicom)")


@pytest.fixture
def pacs():
    """dcmtk's own receiver, as a PACS."""
    if shutil.which("storescp") is None:
        pytest.skip("needs storescp (Debian package dcmtk)")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    process = subprocess.Popen(
        ["storescp", "--aetitle", "ARCHIVE", "--ignore", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield Pacs("ARCHIVE", "127.0.0.1", port)
    process.kill()
    process.wait()


def test_every_step_to_a_pacs_is_told(pacs):
    check = association(pacs, ServerSettings())
    assert check.state is State.OK, check
    assert [line.partition(":")[0] for line in check.details] == ["name", "port", "association", "C-ECHO"]


@pytest.mark.parametrize(
    ("host", "step"), [("127.0.0.1", "port at"), ("no-such-host.invalid", "name at")], ids=["port", "name"]
)
def test_the_step_that_fails_is_named(host, step):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    check = association(Pacs("ARCHIVE", host, port), ServerSettings())
    assert check.state is State.FAILED
    assert check.what.startswith(step)
    assert check.remedy


def test_an_ae_title_that_is_none_is_told():
    check = association(Pacs("A" * 17, "127.0.0.1", 104), ServerSettings())
    assert (check.state, "is no AE title" in check.what) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("PACS@10.1.2.3:104", Pacs("PACS", "10.1.2.3", 104)),
        ("PACS@[::1]:11112", Pacs("PACS", "::1", 11112)),
    ],
)
def test_systems_are_named_in_one_word(text, read):
    assert Pacs.parse(text) == read


@pytest.mark.parametrize("text", ["PACS", "PACS@host", "@host:104", "PACS@host:port"])
def test_what_names_no_system_is_refused(text):
    with pytest.raises(ConfigError, match="names no DICOM system"):
        Pacs.parse(text)


def test_where_nothing_was_received_nothing_is_said(tmp_path):
    assert received(tmp_path, ServerSettings()) == ()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def spool(tmp_path):
    from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER, Spool

    return Spool(tmp_path / SPOOL_FOLDER)


def test_objects_that_wait_too_long_are_told(spool, tmp_path, monkeypatch):
    (check,) = received(tmp_path, ServerSettings())
    assert (check.state, check.what) == (State.OK, "0 objects wait, 0 are in quarantine")
    spool.put([b"an object"])
    (check,) = received(tmp_path, ServerSettings())
    assert (check.state, check.what) == (State.OK, "1 objects wait, 0 are in quarantine")
    monkeypatch.setattr(reception, "LONGEST_WAIT_S", -1)
    (check,) = received(tmp_path, ServerSettings())
    assert check.state is State.WARNING
    assert "the oldest has waited" in check.what


def test_a_disk_too_full_to_receive_fails(spool, tmp_path):
    free_mib = shutil.disk_usage(tmp_path).free >> 20
    settings = ServerSettings(dicom_keep_free_mib=min(free_mib * 2, 1_000_000))
    if settings.dicom_keep_free_mib <= free_mib:
        pytest.skip("this disk is larger than the setting goes")
    (check,) = received(tmp_path, settings)
    assert (check.state, "are refused" in check.what) == (State.FAILED, True)
