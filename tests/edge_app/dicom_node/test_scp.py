"""The listening side, called by dcmtk's tools and by pynetdicom."""

import io
import logging
import shutil
import socket
import subprocess
import threading

import pydicom
import pytest
from pydicom import uid
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from edge_retrieve.edge_app.dicom_node.contexts import IMAGE_CLASSES, SYNTAXES
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.peers import DicomError, TlsFiles
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry
from edge_retrieve.runtime.errors import ConfigError

CR = uid.ComputedRadiographyImageStorage


@pytest.fixture
def listen(tmp_path):
    """Return a function that starts to listen; what is received stays in the spool."""
    started = []

    def start(**settings):
        scp = StorageScp(Spool(tmp_path / "dicom"), ScpSettings(port=0, **settings))
        scp.start()
        started.append(scp)
        return scp

    yield start
    for scp in started:
        scp.stop(0.2)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "dicom")


def dcmtk(tool, port, *arguments, called="EDGE_RETRIEVE"):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (Debian package dcmtk) is not installed")
    command = [tool, "-aet", "MODALITY", "-aec", called, "127.0.0.1", str(port), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def associate(port, contexts, *, calling="MODALITY", called="EDGE_RETRIEVE", tls=None):
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = 20
    return entity.associate("127.0.0.1", port, contexts, ae_title=called, tls_args=tls)


def test_echoscu_is_answered(listen):
    scp = listen()
    assert dcmtk("echoscu", scp.port).returncode == 0
    assert scp.status.echoes == 1


def test_storescu_delivers_what_it_sends(listen, spool, make_image, tmp_path):
    data = make_image(1)
    (tmp_path / "image.dcm").write_bytes(data)
    scp = listen()
    done = dcmtk("storescu", scp.port, tmp_path / "image.dcm")
    assert done.returncode == 0, done.stderr
    (entry,) = spool.entries()
    sent, received = pydicom.dcmread(io.BytesIO(data)), pydicom.dcmread(entry.path)
    assert sent == received
    assert received.file_meta.SourceApplicationEntityTitle == "MODALITY"
    assert received.file_meta.ReceivingApplicationEntityTitle == "EDGE_RETRIEVE"
    assert scp.status.received == 1


def test_every_syntax_that_is_decoded_is_accepted_for_every_image_class(listen):
    scp = listen()
    wanted = {(each, syntax) for each in IMAGE_CLASSES for syntax in SYNTAXES}
    association = associate(scp.port, [build_context(each, [syntax]) for each, syntax in wanted])
    accepted = {(each.abstract_syntax, each.transfer_syntax[0]) for each in association.accepted_contexts}
    association.release()
    assert len(wanted) > 90
    assert accepted == wanted


def test_a_data_set_that_cannot_be_parsed_is_kept_as_it_came(listen, spool, make_image, monkeypatch):
    """What is wrong with it, the worker says: the sender has done its part."""
    scp = listen()
    association = associate(scp.port, [build_context(CR, [uid.ExplicitVRLittleEndian])])
    dataset = pydicom.dcmread(io.BytesIO(make_image(1)))
    garbage = bytes(range(256)) * 4
    monkeypatch.setattr("pynetdicom.association.encode", lambda *_: garbage)
    assert association.send_c_store(dataset).Status == 0
    association.release()
    (entry,) = spool.entries()
    assert entry.path.read_bytes().endswith(garbage)


@pytest.mark.parametrize(
    ("settings", "call", "reason"),
    [
        ({"callers": frozenset({"PACS"})}, {"calling": "STRANGER"}, "Calling AE title not recognised"),
        ({}, {"called": "ANOTHER"}, "Called AE title not recognised"),
    ],
)
def test_unexpected_ae_titles_are_rejected_with_the_reason(listen, settings, call, reason):
    scp = listen(**settings)
    association = associate(scp.port, [build_context(Verification)], **call)
    assert association.is_rejected
    assert association.acceptor.primitive.reason_str.lower() == reason.lower()
    assert scp.status.rejected == 1


def test_who_is_on_the_list_may_call(listen):
    scp = listen(callers=frozenset({"PACS", "MODALITY"}))
    association = associate(scp.port, [build_context(Verification)])
    assert association.is_established
    association.release()


def test_more_associations_than_allowed_are_rejected_for_the_moment(listen, wait_for):
    scp = listen(associations=2)
    held = [associate(scp.port, [build_context(Verification)]) for _ in range(2)]
    third = associate(scp.port, [build_context(Verification)])
    assert third.is_rejected
    assert third.acceptor.primitive.result == 2, "transient"
    for association in held:
        association.release()
    wait_for(lambda: scp.status.associations == 0)
    again = associate(scp.port, [build_context(Verification)])
    assert again.is_established
    again.release()


def test_a_nearly_full_disk_refuses_and_keeps_nothing(listen, spool, make_image, caplog):
    scp = listen(keep_free_mib=1 << 30)
    association = associate(scp.port, [build_context(CR)])
    with caplog.at_level(logging.DEBUG):
        status = association.send_c_store(pydicom.dcmread(io.BytesIO(make_image(1, patient="MARKED4711"))))
    association.release()
    assert status.Status == 0xA700, "out of resources: the sender tries again"
    assert spool.entries() == []
    assert scp.status.refused == 1
    assert "MARKED4711" not in caplog.text
    assert "is free" in caplog.text


def test_what_cannot_be_written_is_refused(listen, spool, make_image, monkeypatch):
    def put(self, parts, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "put", put)
    scp = listen()
    association = associate(scp.port, [build_context(CR)])
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(make_image(1)))).Status == 0xA700
    association.release()


def test_what_is_acknowledged_is_on_disk_before_the_answer(listen, make_image, monkeypatch):
    order = []
    real = Spool.put

    def put(self, parts, **options):
        entry: SpoolEntry = real(self, parts, **options)
        order.append(entry.path.is_file())
        return entry

    monkeypatch.setattr(Spool, "put", put)
    scp = listen()
    association = associate(scp.port, [build_context(CR)])
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(make_image(1)))).Status == 0
    order.append("answered")
    association.release()
    assert order == [True, "answered"]


def test_a_port_in_use_is_named(listen):
    scp = listen()
    with pytest.raises(DicomError, match="--dicom-port"):
        StorageScp(Spool.__new__(Spool), ScpSettings(port=scp.port)).start()


@pytest.mark.parametrize("title", ["", " ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "Ünicode"])
def test_a_wrong_ae_title_is_named(tmp_path, title):
    with pytest.raises(ConfigError, match="--ae-title"):
        StorageScp(Spool(tmp_path), ScpSettings(ae_title=title))


def test_an_open_association_may_finish_when_the_node_ends(listen, make_image, spool):
    scp = listen()
    association = associate(scp.port, [build_context(CR)])
    ending = threading.Thread(target=scp.stop)
    ending.start()
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(make_image(1)))).Status == 0
    association.release()
    ending.join(20)
    assert not ending.is_alive()
    assert len(spool.entries()) == 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", scp.port or 1), 1)


def test_a_node_stores_what_it_receives(store, encoder, make_image, wait_for):
    seconds = []
    with DicomNode(
        Spool(store.path / "dicom"),
        store,
        encoder,
        scp=ScpSettings(port=0),
        on_searchable=seconds.append,
    ) as node:
        association = associate(node.port, [build_context(CR)])
        for seed in range(3):
            dataset = pydicom.dcmread(io.BytesIO(make_image(seed)))
            assert association.send_c_store(dataset).Status == 0
        association.release()
        wait_for(lambda: store.count() == 3)
        wait_for(lambda: node.status.spool.waiting == 0)
        assert node.status.work.stored == 3
        assert node.status.scp.received == 3
    assert len(seconds) == 3


@pytest.fixture
def secured(listen, certificates):
    server = TlsFiles(certificates / "server.pem", certificates / "server.key", certificates / "ca.pem")
    return listen(tls=server)


def client_context(certificates, name="client"):
    return TlsFiles(
        certificates / f"{name}.pem", certificates / f"{name}.key", certificates / "ca.pem"
    ).client_context()


def test_a_caller_with_a_certificate_is_answered(secured, certificates):
    tls = (client_context(certificates), "127.0.0.1")
    association = associate(secured.port, [build_context(Verification)], tls=tls)
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()
    assert secured.status.tls


def test_echoscu_with_its_own_tls_is_answered(secured, certificates):
    done = dcmtk(
        "echoscu",
        secured.port,
        *("+tls", certificates / "client.key", certificates / "client.pem"),
        *("+cf", certificates / "ca.pem"),
    )
    assert done.returncode == 0, done.stderr


def test_a_caller_of_another_authority_is_not(secured, certificates):
    tls = (client_context(certificates, "stranger"), "127.0.0.1")
    association = associate(secured.port, [build_context(Verification)], tls=tls)
    assert not association.is_established


def test_a_caller_without_tls_is_not(secured):
    association = associate(secured.port, [build_context(Verification)])
    assert not association.is_established


def test_one_who_says_nothing_keeps_nobody_waiting(secured, certificates):
    with socket.create_connection(("127.0.0.1", secured.port)):
        tls = (client_context(certificates), "127.0.0.1")
        association = associate(secured.port, [build_context(Verification)], tls=tls)
        assert association.is_established
        association.release()


def test_one_who_stops_in_the_middle_of_a_handshake_is_not_waited_for(listen, certificates, monkeypatch):
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.peers._SILENCE_S", 0.2)
    scp = listen(tls=TlsFiles(certificates / "server.pem", certificates / "server.key"))
    with socket.create_connection(("127.0.0.1", scp.port), 10) as silent:
        silent.sendall(b"\x16\x03\x01")  # as a TLS hello begins
        assert silent.recv(100) == b"", "closed"


@pytest.mark.parametrize("wrong", ["missing.pem", "client.key"])
def test_a_wrong_certificate_is_named(certificates, wrong):
    with pytest.raises(ConfigError, match=wrong):
        TlsFiles(certificates / wrong, certificates / "server.key").server_context()
