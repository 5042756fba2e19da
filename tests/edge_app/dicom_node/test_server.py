"""A whole server in a process of its own, sent objects that bear marks: what does it write?"""

import io
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pynetdicom import AE, build_context

from edge_retrieve.edge_app.dicom_node.quarantine import quarantined
from edge_retrieve.edge_app.dicom_node.spool import Spool

MARK = "MARKED4711"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def server(toy, store, tmp_path, plain_environment, wait_for):
    port, log = free_port(), tmp_path / "log"
    program = Path(sys.executable).with_name("edge-retrieve")
    words = [program, "serve", "--store", store.path, "--bundle", toy.bundle.path, "--allow-unsigned"]
    words += ["--port", 0, "--dicom-port", port, "--keep-identities"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in words], stdout=out, stderr=out, env=plain_environment
        )
        try:
            wait_for(lambda: "listens on" in log.read_text() or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield process, port, log
        finally:
            process.kill()
            process.wait()


def send(port, *datasets):
    entity = AE("MODALITY")
    contexts = [build_context(uid.ComputedRadiographyImageStorage, [uid.ExplicitVRLittleEndian])]
    association = entity.associate("127.0.0.1", port, contexts, ae_title="EDGE_RETRIEVE")
    statuses = [association.send_c_store(dataset).Status for dataset in datasets]
    association.release()
    return statuses


def test_it_stores_ends_on_a_signal_and_names_nobody_in_its_log(server, store, make_image, wait_for):
    process, port, log = server
    datasets = [pydicom.dcmread(io.BytesIO(make_image(seed, patient=MARK))) for seed in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Values that pydicom warns of, and quotes.
        datasets[1].SOPInstanceUID = f"{MARK}.no.uid"
        datasets[2].PatientAge = f"{MARK} years"
        datasets[2].BodyPartExamined = "HAND"
        assert send(port, *datasets) == [0, 0, 0]
    spool = Spool(store.path / "dicom")
    wait_for(lambda: not spool.entries(), 60)
    assert store.count() == 2
    assert len(quarantined(spool)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    told = log.read_text()
    assert f"EDGE_RETRIEVE listens on 127.0.0.1:{port}" in told
    assert MARK not in told
    assert MARK not in "".join(path.read_text() for path in spool.quarantine.glob("*.json"))
    assert "Traceback" not in told


def test_it_ends_at_once_though_a_caller_holds_a_connection(server):
    process, port, _ = server
    with socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
