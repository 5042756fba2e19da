import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from edge_retrieve.runtime import ingest_loading
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import BackendError, ConfigError, StoreError, UnreadableFileError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.ingest import Outcome, ingest
from edge_retrieve.runtime.store import Store

NODULE = "There is a nodule in the right upper lung zone."
MASS = "Large mass in the left lower lung zone."


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


def save_dicom(path, picture, *, study="1.2.3", sop="1.2.3.4", view="PA", patient="P1"):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = sop
    data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, f"{study}.1", patient
    data.Modality, data.BodyPartExamined, data.ViewPosition = "DX", "CHEST", view
    data.Rows, data.Columns = picture.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.WindowCenter, data.WindowWidth = "128", "256"
    data.PixelData = picture.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def outcomes(summary):
    return {item.path.name: (item.outcome, item.reason) for item in summary.files}


def test_images_and_reports_become_studies(toy, encoder, store, tmp_path):
    picture = toy.picture(1, right_lung=0.8)
    toy.save(tmp_path / "in" / "a.png", 1, NODULE, right_lung=0.8)
    summary = ingest(store, encoder, [tmp_path / "in"])
    assert (summary.accepted, summary.flagged, summary.rejected, summary.unchanged) == (0, 1, 0, 0)
    assert outcomes(summary) == {"a.png": (Outcome.FLAGGED, "unknown view")}
    (listed,) = store.studies()
    assert listed.findings == (Finding.NODULE,)
    for region in (Region.RIGHT_LUNG, Region.CARINA):
        np.testing.assert_allclose(
            store.vectors(Modality.IMAGE, region).rows[0],
            toy.box(picture, toy.region_box(region)),
            atol=1e-5,
        )
    np.testing.assert_allclose(store.vectors(Modality.TEXT, None).rows[0], toy.text(NODULE), atol=1e-5)
    zone = store.vectors(Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE)
    np.testing.assert_allclose(zone.rows[0], toy.text(NODULE), atol=1e-5)
    assert {item.state for item in Index(store).check()} == {FileState.CURRENT}


def test_a_second_run_adds_nothing(toy, encoder, store, tmp_path):
    for n in range(20):
        toy.save(tmp_path / f"{n:02}.png", n, NODULE if n % 2 else None)
    ingest(store, encoder, [tmp_path])
    before = store.stats()
    again = ingest(store, encoder, [tmp_path])
    assert again.unchanged == len(again.files) == 20
    assert store.stats() == before


def test_equal_pixels_in_one_batch_are_one_image(toy, encoder, store, tmp_path):
    for name in ("a", "b", "c"):
        toy.save(tmp_path / f"{name}.png", 5)
    summary = ingest(store, encoder, [tmp_path])
    assert [item.outcome for item in summary.files] == [
        Outcome.FLAGGED,
        Outcome.UNCHANGED,
        Outcome.UNCHANGED,
    ]
    assert store.count() == 1


def test_a_changed_report_updates_its_study(toy, encoder, store, tmp_path):
    path = toy.save(tmp_path / "a.png", 1, NODULE)
    ingest(store, encoder, [path])
    path.with_suffix(".txt").write_text(MASS)
    summary = ingest(store, encoder, [path])
    assert outcomes(summary) == {"a.png": (Outcome.ACCEPTED, "report updated")}
    (listed,) = store.studies()
    assert store.study(listed.study).parsed.present_findings() == {Finding.MASS}
    assert ingest(store, encoder, [path]).unchanged == 1
    path.with_suffix(".txt").unlink()
    assert ingest(store, encoder, [path]).unchanged == 1
    assert store.study(listed.study).report == MASS


def test_unreadable_files_are_rejected_by_reason_and_the_rest_goes_on(toy, encoder, store, tmp_path):
    toy.save(tmp_path / "b.png", 1)
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes()[:100])
    (tmp_path / "c.dcm").write_bytes(b"")
    toy.save(tmp_path / "d.png", 2)
    summary = ingest(store, encoder, [tmp_path])
    assert (summary.flagged, summary.rejected) == (2, 2)
    found = outcomes(summary)
    assert found["a.png"][0] is found["c.dcm"][0] is Outcome.REJECTED
    assert "a.png" in found["a.png"][1]
    assert store.count() == 2


def test_a_folder_that_cannot_be_listed_is_rejected_and_the_rest_goes_on(
    toy, encoder, store, tmp_path, monkeypatch
):
    shut, listed = tmp_path / "shut", Path.iterdir

    def iterdir(folder):
        if folder == shut:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    shut.mkdir()
    toy.save(tmp_path / "a.png", 1)
    monkeypatch.setattr(Path, "iterdir", iterdir)
    summary = ingest(store, encoder, [tmp_path])
    assert (summary.flagged, summary.rejected) == (1, 1)
    fate, reason = outcomes(summary)["shut"]
    assert fate is Outcome.REJECTED
    assert "cannot be listed (Permission denied)" in reason


def test_a_lateral_view_is_kept_but_not_searched(toy, encoder, store, tmp_path):
    save_dicom(tmp_path / "front.dcm", toy.picture(1), sop="1.2.3.4")
    save_dicom(tmp_path / "side.dcm", toy.picture(2), sop="1.2.3.5", view="LL")
    summary = ingest(store, encoder, [tmp_path])
    assert outcomes(summary)["front.dcm"] == (Outcome.ACCEPTED, "no report")
    outcome, reason = outcomes(summary)["side.dcm"]
    assert outcome is Outcome.FLAGGED
    assert "lateral view; stored, but not searched by image" in reason
    assert [image.indexed for image in store.study("1.2.3").images] == [True, False]
    assert len(store.vectors(Modality.IMAGE, None).rows) == 1


def test_the_same_instance_with_other_pixels_keeps_the_stored_ones(toy, encoder, store, tmp_path):
    path = save_dicom(tmp_path / "a.dcm", toy.picture(1))
    ingest(store, encoder, [path])
    save_dicom(path, toy.picture(2))
    summary = ingest(store, encoder, [path])
    assert outcomes(summary)["a.dcm"] == (
        Outcome.UNCHANGED,
        "its SOP instance is stored with other pixels, which are kept",
    )


def test_two_reports_for_one_study_do_not_take_turns(toy, encoder, store, tmp_path):
    for n, text in enumerate((NODULE, MASS)):
        save_dicom(tmp_path / f"{n}.dcm", toy.picture(n), sop=f"1.2.3.{n}").with_suffix(".txt").write_text(
            text
        )
    first = outcomes(ingest(store, encoder, [tmp_path]))
    assert first["1.dcm"][0] is Outcome.FLAGGED
    assert "different report" in first["1.dcm"][1]
    assert store.study("1.2.3").report == NODULE
    assert ingest(store, encoder, [tmp_path]).unchanged == 2
    assert store.study("1.2.3").report == NODULE


def test_a_table_fills_in_what_the_files_lack(toy, encoder, store, tmp_path):
    toy.save(tmp_path / "images" / "x.png", 1)
    save_dicom(tmp_path / "images" / "y.dcm", toy.picture(2), patient="P1")
    (tmp_path / "cases.csv").write_text(
        "file,patient,view,sex,age,date,finding,notes\n"
        f"images/x.png,P7,AP Supine,M,65,2020-02-01,COVID-19,{MASS}\n"
        "images/y.dcm,P8,,F,,,,normal\n"
    )
    summary = ingest(store, encoder, [tmp_path / "images"], reports=tmp_path / "cases.csv")
    assert summary.accepted == 2
    x, y = store.studies()
    assert (x.patient, x.view.value, x.sex, x.age, x.study_date) == ("P7", "AP", "M", 65.0, "20200201")
    assert store.study(x.study).report == MASS
    assert (y.study, y.patient, y.sex) == ("1.2.3", "P1", "F")
    assert store.study("1.2.3").report == "normal"


def test_progress_counts_files_then_partitions(toy, encoder, store, tmp_path):
    for n in range(3):
        toy.save(tmp_path / f"{n}.png", n)
    calls = []
    ingest(store, encoder, [tmp_path], progress=lambda *call: calls.append(call))
    assert calls[:4] == [(0, 3, "0.png"), (1, 3, "1.png"), (2, 3, "2.png"), (3, 3, "2.png")]
    assert calls[-1][:2] == (60, 60)


def test_wrong_arguments_are_named(toy, encoder, store, tmp_path):
    with pytest.raises(UnreadableFileError, match="nowhere"):
        ingest(store, encoder, [tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="nowhere"):
        ingest(store, encoder, [tmp_path], reports=tmp_path / "nowhere")
    other = replace(toy.bundle, bundle_id="f" * 64)
    with (
        Store.open(tmp_path / "other", bundle=other, create=True) as foreign,
        pytest.raises(StoreError, match="another bundle"),
    ):
        ingest(foreign, encoder, [tmp_path])


def test_files_are_read_ahead_while_a_batch_is_encoded_but_not_all_of_them(
    toy, encoder, store, tmp_path, monkeypatch
):
    for n in range(90):
        toy.save(tmp_path / f"{n:02}.png", n)
    read, encoding, go_on = [], threading.Event(), threading.Event()
    load, encode = ingest_loading.load_radiograph, Encoder.encode_prepared

    def counted(path, **options):
        read.append(path)
        return load(path, **options)

    def held(self, images):
        encoding.set()
        assert go_on.wait(60)
        return encode(self, images)

    monkeypatch.setattr(ingest_loading, "load_radiograph", counted)
    monkeypatch.setattr(Encoder, "encode_prepared", held)
    run = threading.Thread(target=ingest, args=(store, encoder, [tmp_path]))
    run.start()
    assert encoding.wait(60)
    # The batch under way, the next one, and what is read ahead.
    most = 2 * 16 + ingest_loading._AHEAD + 1
    end = time.monotonic() + 20
    while len(read) < most and time.monotonic() < end:
        time.sleep(0.01)
    assert 16 < len(read) <= most
    go_on.set()
    run.join(60)
    assert store.count() == len(read) == 90


def test_a_failing_encoder_ends_the_run_and_keeps_what_was_committed(
    toy, encoder, store, tmp_path, monkeypatch
):
    for n in range(40):
        toy.save(tmp_path / f"{n:02}.png", n)
    encode, calls = Encoder.encode_prepared, []

    def fails(self, images):
        calls.append(len(images))
        if len(calls) == 2:
            raise BackendError("out of memory", where="GPU")
        return encode(self, images)

    monkeypatch.setattr(Encoder, "encode_prepared", fails)
    with pytest.raises(BackendError, match="out of memory"):
        ingest(store, encoder, [tmp_path])
    assert store.count() == 16
    monkeypatch.setattr(Encoder, "encode_prepared", encode)
    assert ingest(store, encoder, [tmp_path]).unchanged == 16
    assert store.count() == 40


def test_one_report_for_images_in_two_batches_is_one_update(toy, encoder, store, tmp_path):
    for n in range(40):
        save_dicom(tmp_path / f"{n:02}.dcm", toy.picture(n), sop=f"1.2.3.{n}")
        (tmp_path / f"{n:02}.txt").write_text(NODULE)
    assert ingest(store, encoder, [tmp_path]).accepted == 40
    assert store.count() == 1
    assert store.watermark(Modality.TEXT).replaced == 0
    assert store.watermark(Modality.TEXT).last == 1


def test_a_kill_loses_nothing_acknowledged_and_adds_nothing_twice(toy, encoder, store, tmp_path):
    for n in range(120):
        toy.save(tmp_path / "in" / f"{n:03}.png", n, NODULE, right_lung=n / 120)
    script = f"""
from pathlib import Path
from edge_retrieve.runtime.bundle import inspect_bundle
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.store import Store
bundle = inspect_bundle(Path({str(toy.bundle.path)!r}))
store = Store.open(Path({str(store.path)!r}), bundle=bundle)
encoder = Encoder(bundle, Backend.CPU, threads=1)
paths = [Path({str(tmp_path / "in")!r})]
ingest(store, encoder, paths, progress=lambda *_: print(store.count(), flush=True))
"""
    for wanted in (16, 48):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        acknowledged = 0
        while acknowledged < wanted:
            acknowledged = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        count = store.count()
        assert acknowledged <= count < 120
        assert len(store.vectors(Modality.IMAGE, Region.CARINA).rows) == count
        assert len(store.vectors(Modality.TEXT, None).rows) == count
    summary = ingest(store, encoder, [tmp_path / "in"])
    assert (summary.unchanged, summary.flagged) == (count, 120 - count)
    assert store.count() == 120
    assert len(Index(store).partition(Modality.IMAGE, None)) == 120


def test_the_shared_real_images_go_in_without_a_crash(toy, encoder, store):
    data = Path(__file__).parents[3] / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"{data} is not there")
    start = time.monotonic()
    summary = ingest(store, encoder, [data / "samples"])
    assert len(summary.files) >= 5
    assert summary.accepted + summary.flagged >= 1
    assert time.monotonic() - start < 120
