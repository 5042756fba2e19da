"""dcmtk as sender of compressed images, and as a second opinion on a query."""

import re
import shutil
import subprocess

import pytest

from edge_retrieve.edge_app.dicom_node.peers import Peer
from edge_retrieve.edge_app.dicom_node.quarantine import quarantined
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.scu import find_studies, send_files


def dcmtk(tool, *arguments):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (Debian package dcmtk) is not installed")
    done = subprocess.run(
        [tool, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def scp(spool):
    scp = StorageScp(spool, ScpSettings(port=0))
    scp.start()
    yield scp
    scp.stop(0.2)


def test_losslessly_compressed_images_are_the_same_image(scp, spool, store, worker, make_image, tmp_path):
    """Each coding is another file with its own instance; equal pixels make it known again."""
    plain = tmp_path / "plain.dcm"
    plain.write_bytes(make_image(1))
    at = ["-aec", "EDGE_RETRIEVE", "127.0.0.1", scp.port]
    dcmtk("storescu", "-xe", *at, plain)
    for tool, coded, option in (
        ("dcmcjpeg", ["+e1"], "-xs"),
        ("dcmcjpls", ["+el"], "-xt"),
        ("dcmcrle", [], "-xr"),
    ):
        dcmtk(tool, *coded, "+ua", plain, tmp_path / f"{tool}.dcm")
        dcmtk("storescu", option, *at, tmp_path / f"{tool}.dcm")
    syntaxes = {dcmtk("dcmdump", "+P", "0002,0010", entry.path).split()[2] for entry in spool.entries()}
    assert syntaxes == {
        "=LittleEndianExplicit",
        "=JPEGLossless:Non-hierarchical-1stOrderPrediction",
        "=JPEGLSLossless",
        "=RLELossless",
    }
    worker.drain()
    assert quarantined(spool) == ()
    assert store.count() == 1
    assert (worker.status.stored, worker.status.unchanged) == (1, 3)


def test_lossy_compressed_images_are_read_too(scp, spool, store, worker, make_image, tmp_path):
    plain = tmp_path / "plain.dcm"
    plain.write_bytes(make_image(1))
    at = ["-aec", "EDGE_RETRIEVE", "127.0.0.1", scp.port]
    dcmtk("dcmcjpeg", "+eb", plain, tmp_path / "lossy.dcm")
    dcmtk("storescu", "-xy", *at, tmp_path / "lossy.dcm")
    worker.drain()
    assert quarantined(spool) == ()
    assert store.count() == 1


def test_findscu_finds_the_same_studies(orthanc, make_image, tmp_path):
    pacs = Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC")
    files = []
    for seed in (41, 42):
        files.append(tmp_path / f"{seed}.dcm")
        files[-1].write_bytes(make_image(seed, patient="SECOND_OPINION"))
    assert all(each.ok for each in send_files(pacs, files))
    keys = ("QueryRetrieveLevel=STUDY", "PatientID=SECOND_OPINION", "StudyInstanceUID")
    told = dcmtk(
        "findscu", "-S", "-aec", "ORTHANC", *(word for key in keys for word in ("-k", key)), "127.0.0.1",
        orthanc.dicom_port,
    )  # fmt: skip
    theirs = set(re.findall(r"\(0020,000d\) UI \[([0-9.]+)", told))
    assert len(theirs) == 2
    assert {each.study for each in find_studies(pacs, patient="SECOND_OPINION")} == theirs
