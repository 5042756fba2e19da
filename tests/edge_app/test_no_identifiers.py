"""Marked identifiers through every path there is; then all that was written is searched for them."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from edge_retrieve.edge_app.cli import main

COMMAND = (sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()")
PASSWORD = "correct horse battery"
# What tells of a person: nowhere, neither in a file of the store nor in a log.
PERSON = (
    "Zwetschgenbaum",
    "Quirinius",
    "MRN7718Q",
    "ACC5512871",
    "Hagebutt",
    "Mispelheim",
    "19240501",
    "20210314",
)
STUDY = "1.2.826.0.1.3680043.8.498.77118822"
# What somebody says or types: in the store, but in no log.
WORDS = ("quaintopacity", "typedquery", "typedsearch", "named-file-of", "mistypedname")
REPORT = (
    "Patient: Quirinius Zwetschgenbaum\nFINDINGS: A quaintopacity and a nodule in the right upper lung zone "
    "of Quirinius. Called to Dr. Hagebutt in Mispelheim, accession ACC5512871, study of 2021-03-14."
)


def dicom(picture, number, *, damaged=False):
    """A file of the marked patient."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = f"{STUDY}.{number}.1"
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{STUDY}.{number}", f"{STUDY}.{number}.0"
    # One who is not the one asked about, so that there are hits.
    patient = "MRN7718Q" if number != 2 else "MRN7718QB"
    dataset.PatientName, dataset.PatientID = "Zwetschgenbaum^Quirinius", patient
    dataset.PatientBirthDate, dataset.StudyDate, dataset.StudyTime = "19240501", "20210314", "101112"
    dataset.PatientSex, dataset.PatientAge, dataset.StudyID = "M", "096Y", "ACC5512871"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC5512871", "Hagebutt^Rosa"
    dataset.InstitutionName, dataset.SeriesNumber, dataset.InstanceNumber = "Mispelheim", 1, number
    dataset.StudyDescription = "Thorax of Zwetschgenbaum"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.Rows, dataset.Columns = picture.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.SamplesPerPixel, dataset.PixelRepresentation = 7, 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = "127.5", "255"
    if damaged:
        # Values that a reader complains of, and half of the pixels.
        dataset.add_new(0x00181164, "DS", ["0.1"])
        dataset[0x00181164]._value = "Zwetschgenbaum"
    dataset.PixelData = picture.tobytes()[: picture.size // 2 if damaged else None]
    stream = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pydicom.config.settings, "_writing_validation_mode", pydicom.config.IGNORE)
        pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def written(toy, tmp_path_factory):
    """Run everything; yields what processes said, and the folder of all files."""
    root = tmp_path_factory.mktemp("everything")
    (root / "tmp").mkdir()
    source, store = root / "source", root / "store"
    source.mkdir()
    for number in (1, 2):
        (source / f"{number}.dcm").write_bytes(dicom(toy.picture(number, right_upper_lung_zone=0.9), number))
        (source / f"{number}.txt").write_text(REPORT)
    (source / "3.dcm").write_bytes(dicom(toy.picture(3), 3, damaged=True))
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, "OMP_NUM_THREADS": "1", "TMPDIR": str(root / "tmp"), "HOME": str(root / "tmp")}
    said = []

    def command(*arguments, typed=None):
        done = CliRunner().invoke(main, [str(word) for word in arguments], input=typed)
        said.append(done.output)
        return done

    with_bundle = ["--store", store, "--bundle", toy.bundle.path, "--allow-unsigned"]
    assert command("ingest", source, *with_bundle).exit_code == 1  # one is damaged
    command("ingest", source, *with_bundle, "--json")
    command("query", source / "1.dcm", *with_bundle, "--text", "nodule", "--json")
    for word in ("add", "password"):
        role = ["--role", "admin", "--identities"] if word == "add" else []
        command("user", word, "ada", *role, "--store", store, "--password-file", "-", typed=PASSWORD + "\n")
    serve(toy, root, store, with_bundle, environment, said)
    command("store", "check", "--store", store)
    command("audit", "show", "--store", store)
    command("audit", "show", "--study", f"{STUDY}.1", "--store", store)
    assert command("audit", "verify", "--store", store).exit_code == 0
    assert (
        command("store", "delete", "--patient", "MRN7718Q", "--yes", "--store", store, "--json").exit_code
        == 0
    )
    return "\n".join(said), root


def serve(toy, root, store, with_bundle, environment, said):
    """Start a server with users and a DICOM port, use and misuse it, and end it."""
    port = free_port()
    command = [*COMMAND, "serve", *with_bundle]
    command += ["--port", "0", "--dicom-port", port, "--dicom-callers", "*"]
    log = (root / "server.log").open("w+")
    process = subprocess.Popen(list(map(str, command)), env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", (root / "server.log").read_text())):
            assert process.poll() is None, (root / "server.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=30) as client:
            use_and_misuse(client, toy)
        send(port, toy)
        time.sleep(2)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        log.close()
    said.append((root / "server.log").read_text())


def use_and_misuse(client, toy):
    client.post("/api/login", json={"user": "mistypedname", "password": "Zwetschgenbaum"})
    assert client.post("/api/login", json={"user": "ada", "password": PASSWORD}).status_code == 200
    client.headers["x-csrf-token"] = client.cookies["edge_csrf"]
    while client.get("/readyz").status_code != 200:
        time.sleep(0.05)
    marked = dicom(toy.picture(1, right_upper_lung_zone=0.9), 1)
    damaged = dicom(toy.picture(4), 4, damaged=True)
    name = "named-file-of-Zwetschgenbaum.dcm"
    upload = client.post("/api/encode", files={"image": (name, marked)}).json()["upload"]
    assert client.post("/api/encode", files={"image": (name, damaged)}).status_code == 422
    client.post("/api/encode", files={"image": (name, b"Zwetschgenbaum")})
    found = client.post("/api/query", json={"upload": upload, "text": "typedquery nodule"})
    assert found.status_code == 200, found.text
    asked = {"upload": upload, "text": "typedquery nodule", "regions": ["right upper lung zone"]}
    for path, body in (
        ("explain", asked),
        ("draft", asked),
        ("alterations", {"query": asked}),
        ("alterations", {"query": {"study": "MRN7718Q"}}),
        ("ground/report", {"upload": upload, "text": "typedquery Zwetschgenbaum. Nodule."}),
        ("ground/report", {"study": "Zwetschgenbaum", "text": "a"}),
    ):
        client.post(f"/api/{path}", json=body)
    client.get("/api/studies/Zwetschgenbaum", headers={"accept": "text/html"})
    for study in (
        f"{STUDY}.1",
        "ACC5512871",
        "MRN7718Q/../../Zwetschgenbaum",
        found.json()["hits"][0]["study"],
    ):
        for rest in ("", "/image.png", "/pixels", "/pixels.json", "/ground.png?phrase=typedquery"):
            client.get(f"/api/studies/{study}{rest}")
    for path in ("/api/studies?search=typedsearch", "/api/studies?search=Zwetschgenbaum", "/Zwetschgenbaum",
                 "/api/studies?limit=Zwetschgenbaum", "/static/../Zwetschgenbaum"):  # fmt: skip
        client.get(path)
    for body in (
        b"{Zwetschgenbaum",
        b'{"text": 7, "study": "MRN7718Q"}',
        b'{"study": "ACC5512871", "text": "a"}',
    ):
        client.post("/api/query", content=body, headers={"content-type": "application/json"})
    client.get("/api/studies", headers={"authorization": "Bearer Zwetschgenbaum"})
    client.get("/api/studies", headers={"host": "Zwetschgenbaum.example"})
    client.request("BREW", "/Zwetschgenbaum")
    job = {"kind": "ingest", "upload": upload, "report": REPORT}
    begun = client.post("/api/jobs", json=job)
    assert begun.status_code == 202, begun.text
    while client.get(f"/api/jobs/{begun.json()['job']}").json()["state"] not in (
        "done",
        "failed",
        "cancelled",
    ):
        time.sleep(0.05)
    client.post("/api/jobs", json={"kind": "ingest", "path": "/Zwetschgenbaum"})


def send(port, toy):
    """Send objects of the marked patient over DICOM, a damaged one among them."""
    from pynetdicom import AE

    entity = AE("EVIL")
    entity.add_requested_context(uid.ComputedRadiographyImageStorage, uid.ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="EDGE_RETRIEVE")
    assert association.is_established
    for number, damaged in ((5, False), (6, True)):
        data = dicom(np.ascontiguousarray(toy.picture(number)), number, damaged=damaged)
        association.send_c_store(pydicom.dcmread(io.BytesIO(data)))
    association.release()
    entity.shutdown()


def test_no_process_says_whom_it_is_about(written):
    said, root = written
    for mark in (*PERSON, STUDY):
        assert mark not in said, around(said, mark)
    # An answer at the command line holds reports, as was asked for; a log does not.
    log = (root / "server.log").read_text()
    assert "DICOM: EDGE_RETRIEVE listens" in log
    for word in WORDS:
        assert word not in log, around(log, word)


def test_no_file_says_whom_it_is_about(written):
    _, root = written
    searched = 0
    for path in root.rglob("*"):
        # The source is the hospital's own; what cannot be stored waits in quarantine as it came.
        if not path.is_file() or root / "source" in path.parents or "quarantine" in path.parts:
            continue
        data = path.read_bytes()
        searched += 1
        for mark in (*PERSON, STUDY):
            assert mark.encode() not in data, f"{path}: {mark}"
            assert mark.encode("utf-16-le") not in data, f"{path}: {mark}"
    assert searched > 5


def test_what_is_said_of_an_object_in_quarantine_names_nobody(written):
    _, root = written
    notes = [path for path in (root / "store").rglob("*.json") if "quarantine" in path.parts]
    assert notes
    for note in notes:
        for mark in (*PERSON, STUDY):
            assert mark not in note.read_text(), note


def around(text, mark):
    place = text.index(mark)
    return f"{mark}: …{text[max(0, place - 300) : place + 100]}…"
