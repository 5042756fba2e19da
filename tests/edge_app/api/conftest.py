"""A server over a store of its own, and X-rays in DICOM with a window narrower than their values."""

import io
import shutil

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust


def _dicom(values, *, window=None, photometric="MONOCHROME2", **attributes):
    """Return a chest X-ray of 12-bit values as a DICOM file."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.SOPInstanceUID, data.StudyInstanceUID = "1.2.3.4", "1.2.3"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientID, data.StudyDate, data.AccessionNumber = "P-7", "20240131", "ACC-7"
    data.Modality, data.BodyPartExamined, data.ViewPosition = "DX", "CHEST", "PA"
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    if window is not None:
        data.WindowCenter, data.WindowWidth = window
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.PixelData = values.astype("<u2").tobytes()
    data["PixelData"].VR = "OW"
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _ramp(rows=80, columns=96, seed=4):
    """Return 12-bit values that use their whole range."""
    noise = np.random.default_rng(seed).integers(0, 200, (rows, columns))
    return (np.linspace(100, 3700, columns)[None, :] + noise).astype(np.uint16)


def _send(client, data, name="chest.dcm"):
    """Upload a file and return what is answered."""
    answer = client.post("/api/encode", files={"image": (name, data)})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def dicom_bytes():
    return _dicom


@pytest.fixture
def ramp():
    return _ramp


@pytest.fixture
def send():
    return _send


@pytest.fixture
def make_own(toy, store_path, tmp_path):
    """Return a function that starts a server over a copy of the archive, which may be changed."""
    shutil.copytree(store_path, tmp_path / "own")
    opened = []

    def make(**settings):
        workspace = Workspace(tmp_path / "own", toy.bundle.path, trust=Trust(allow_unsigned=True))
        opened.append(workspace)
        app = create_app(workspace, ServerSettings(**settings))
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        client.workspace = workspace
        opened.append(client)
        client.__enter__()
        assert app.state.warm_up.wait(60)
        return client

    yield make
    for each in reversed(opened):
        each.__exit__(None, None, None)


@pytest.fixture
def own(make_own):
    return make_own()


@pytest.fixture
def studies(client):
    """The archive's studies in the order they were stored."""
    return [line["study"] for line in client.get("/api/studies?order=stored").json()["studies"]]
