"""Orthanc, as a PACS in common use, takes our objects and gives them back as they were."""

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from types import SimpleNamespace

import pydicom
import pytest

from edge_retrieve.edge_app.outputs.source import read_source

pytest.importorskip("highdicom")
from edge_retrieve.edge_app.outputs.making import make_outputs

_STARTS_WITHIN_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def orthanc(tmp_path):
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or shutil.which("storescu") is None:
        pytest.skip("Orthanc or storescu (Debian: orthanc, dcmtk) is not installed")
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "test",
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    }
    path = tmp_path / "orthanc.json"
    path.write_text(json.dumps(settings))
    with (tmp_path / "orthanc.log").open("w") as log:
        process = subprocess.Popen([program, str(path)], stdout=log, stderr=subprocess.STDOUT)
        try:
            yield SimpleNamespace(
                dicom=dicom, get=lambda address: get(f"http://127.0.0.1:{http}{address}", process)
            )
        finally:
            process.terminate()
            process.wait(30)


def get(address, process):
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read()
        except ConnectionError as error:
            refused = error
        except urllib.error.URLError as error:
            refused = error
        if process.poll() is not None or time.monotonic() > deadline:
            raise refused
        time.sleep(0.2)


def test_it_returns_what_it_was_sent_in_the_study_of_the_image(orthanc, xray, content, tmp_path):
    path = xray()
    orthanc.get("/system")
    outputs = [output for output in make_outputs(read_source(path), content) if output.kind.is_dicom]
    files = [path]
    for output in outputs:
        file = tmp_path / "out" / output.file_name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(output.data)
        files.append(file)
    subprocess.run(
        [
            "storescu",
            "--propose-lossless",
            "-aec",
            "ORTHANC",
            "127.0.0.1",
            str(orthanc.dicom),
            *map(str, files),
        ],
        check=True,
    )
    studies = json.loads(orthanc.get("/studies?expand"))
    assert len(studies) == 1, "a result was filed in a study of its own"
    assert len(studies[0]["Series"]) == 4
    instances = json.loads(orthanc.get("/instances?expand"))
    held = {each["MainDicomTags"]["SOPInstanceUID"]: each["ID"] for each in instances}
    assert len(held) == 4
    for output in outputs:
        returned = pydicom.dcmread(io.BytesIO(orthanc.get(f"/instances/{held[output.sop_instance]}/file")))
        assert returned == pydicom.dcmread(io.BytesIO(output.data)), output.kind
