"""DICOM objects of the toy pictures, and a store with a node that takes them in."""

import base64
import gc
import io
import json
import shutil
import socket
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from edge_retrieve.edge_app.dicom_node.gate import OpenGate
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.storing import ObjectStorer
from edge_retrieve.edge_app.dicom_node.worker import Worker
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.store import Store


def file_of(dataset: Dataset, sop_class: str, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid.generate_uid()
    meta.TransferSyntaxUID = syntax
    whole = FileDataset(None, dataset, file_meta=meta, preamble=b"\0" * 128)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, whole, enforce_file_format=True)
    return stream.getvalue()


def patient_level(patient: str, study: str) -> Dataset:
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID = f"Doe^{patient}", patient
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = uid.generate_uid()
    dataset.StudyDate, dataset.PatientSex, dataset.PatientAge = "20240131", "F", "062Y"
    return dataset


@pytest.fixture(autouse=True)
def _collect_sockets():
    """Let go of the connections that pynetdicom forgets to close where the other side has gone first."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def make_image(toy):
    """Return a function that makes a chest X-ray as a DICOM file."""

    def make(seed, *, patient="P1", study="", syntax=uid.ExplicitVRLittleEndian, bright=0.9, **changes):
        picture = toy.picture(seed, right_upper_lung_zone=bright)
        dataset = patient_level(patient, study or uid.generate_uid())
        dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
        dataset.Rows, dataset.Columns = picture.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.WindowCenter, dataset.WindowWidth = 128, 256
        dataset.PixelData = np.ascontiguousarray(picture).tobytes()
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        return file_of(dataset, uid.ComputedRadiographyImageStorage, syntax)

    return make


@pytest.fixture(scope="session")
def make_report():
    """Return a function that makes a structured report with findings and an impression."""

    def item(kind, concept):
        made = Dataset()
        made.ValueType = kind
        made.RelationshipType = "CONTAINS"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121070", "DCM", concept
        made.ConceptNameCodeSequence = [code]
        return made

    def make(study, findings, impression="", **changes):
        dataset = patient_level("P1", study)
        dataset.Modality = "SR"
        dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
        dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "VERIFIED"
        dataset.ContentSequence = []
        for concept, text in (("Findings", findings), ("Impression", impression)):
            if text:
                section, said = item("CONTAINER", concept), item("TEXT", concept[:-1])
                said.TextValue = text
                section.ContentSequence = [said]
                dataset.ContentSequence.append(section)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        return file_of(dataset, uid.BasicTextSRStorage)

    return make


@pytest.fixture(scope="session")
def encoder(toy):
    with Encoder(toy.bundle) as encoder:
        yield encoder


@pytest.fixture
def store(toy, tmp_path):
    with Store.open(tmp_path / "store", bundle=toy.bundle, create=True) as store:
        yield store


@pytest.fixture
def spool(store):
    return Spool(store.path / "dicom")


@pytest.fixture
def make_worker(spool, store, encoder):
    def make(gate=None, **options):
        return Worker(spool, ObjectStorer(spool, store, encoder, gate or OpenGate(), **options))

    return make


@pytest.fixture
def worker(make_worker):
    return make_worker()


@pytest.fixture
def wait_for():
    """Return a function that waits until something is true."""

    def wait(condition, seconds=20.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def everything_below():
    """Return a function that joins the names and contents of all files below a folder."""

    def read(folder: Path) -> bytes:
        return b"\n".join(
            str(path).encode() + b"\n" + path.read_bytes() for path in folder.rglob("*") if path.is_file()
        )

    return read


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    url: str
    dicom_port: int
    move_port: int
    """Where it sends what ``MOVED_TO`` is to get."""
    credentials: str

    def get(self, path: str) -> bytes:
        request = Request(self.url + path, headers={"Authorization": f"Basic {self.credentials}"})
        with build_opener(ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.read()

    def post(self, path: str, body: str):
        request = Request(
            self.url + path, body.encode(), headers={"Authorization": f"Basic {self.credentials}"}
        )
        with build_opener(ProxyHandler({})).open(request, timeout=20) as answer:
            return json.loads(answer.read())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory):
    """An Orthanc of our own, with DICOMweb, that answers to its AE title and a password."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if program is None or not plugin.exists():
        pytest.skip("Orthanc (Debian packages orthanc, orthanc-dicomweb) is not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    http, dicom, move = free_port(), free_port(), free_port()
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [str(plugin)],
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"node": ["MOVED_TO", "127.0.0.1", move]},
        "RegisteredUsers": {"reader": "secret"},
        "AuthenticationEnabled": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "HttpThreadsCount": 4,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
        running = Orthanc(
            f"http://127.0.0.1:{http}", dicom, move, base64.b64encode(b"reader:secret").decode()
        )
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    running.get("/system")
                    break
                except OSError:
                    assert process.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.1)
            yield running
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder of certificates and keys: ca, server (127.0.0.1), client, and a stranger."""
    return _make_certificates(tmp_path_factory.mktemp("certificates"))


def _make_certificates(folder):
    """Write ca, server (127.0.0.1), client, and a stranger whom the authority did not sign."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def write(name, issuer=None, *, authority=False):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer[0] if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return subject, key

    authority = write("ca", authority=True)
    write("server", authority)
    write("client", authority)
    write("stranger", write("elsewhere", authority=True))
    return folder
