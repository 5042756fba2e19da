"""A case goes into a de-identified archive: nothing that its files say of a person is in the store."""

import os
import sqlite3

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import SiteKey
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

DEID = Deidentifier(SiteKey(b"k" * 32))
STUDY = "1.2.826.0.1.3680043.8.498.{}"
SECRETS = (
    *(
        "Zwetschgenbaum",
        "ZWETSCHGENBAUM",
        "Quirinius",
        "MRN-7718-Q",
        "ACC5512871",
        "Hagebutt",
        "1.2.826.0.1.3680043",
    ),
    *("20210314", "2021-03-14", "555-0199", "Mispelheim", "81 years"),
)


def write_dicom(path, pixels, *, study, patient="MRN-7718-Q", date="20210314", age="097Y", number=1):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = f"{STUDY.format(study)}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY.format(study), STUDY.format(study) + ".0"
    dataset.PatientName, dataset.PatientID = "Zwetschgenbaum^Quirinius", patient
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19240501", "M", age
    dataset.ReferringPhysicianName, dataset.InstitutionName = "Hagebutt^Rosa", "Mispelheim"
    dataset.StudyDate, dataset.AccessionNumber = date, "ACC5512871"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.SamplesPerPixel, dataset.PixelRepresentation = 7, 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = 127.5, 255
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


REPORT = (
    "Patient: Quirinius Zwetschgenbaum, MRN-7718-Q\nCOMPARISON: 2021-03-14.\n"
    "FINDINGS: There is a nodule in the right upper lung zone, as Zwetschgenbaum's wife feared. "
    "Called to Dr. Hagebutt at 555-0199 in Mispelheim.\n"
)


@pytest.fixture
def archive(toy, tmp_path):
    folder = tmp_path / "Zwetschgenbaum Quirinius"
    folder.mkdir()
    for n in range(2):
        path = folder / f"ACC5512871-{n}.dcm"
        date = "20210314" if n == 0 else "20210321"
        write_dicom(path, toy.picture(n, right_upper_lung_zone=0.9), study=n, date=date, number=n)
        path.with_suffix(".txt").write_text(REPORT)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # one written just now would not be noted
    return folder


@pytest.fixture
def store(toy, tmp_path):
    with Store.open(tmp_path / "store", bundle=toy.bundle, create=True) as opened:
        yield opened


def everything_in(store):
    """All text and bytes of the database and of every other file of the store."""
    with sqlite3.connect(store.path / "store.sqlite") as db:
        dump = "\n".join(db.iterdump())
    db.close()
    files = b"".join(path.read_bytes() for path in store.path.rglob("*") if path.is_file())
    return dump, files


def test_nothing_of_a_person_is_found_in_the_store(toy, archive, store):
    with Encoder(toy.bundle) as encoder:
        summary = ingest(store, encoder, [archive], deidentifier=DEID)
    assert summary.accepted + summary.flagged == 2, summary
    dump, files = everything_in(store)
    for secret in SECRETS:
        assert secret not in dump, secret
        assert secret.encode() not in files, secret
    # And the blobs in the database hold none in their hexadecimal form.
    assert b"Zwetschgenbaum".hex() not in dump.lower()


def test_what_is_needed_stays(toy, archive, store):
    with Encoder(toy.bundle) as encoder:
        ingest(store, encoder, [archive], deidentifier=DEID)
    patient = DEID.patient("MRN-7718-Q")
    studies = store.patient_studies(patient)
    assert sorted(studies) == sorted(DEID.uid(STUDY.format(n)) for n in range(2))
    first, second = (store.study(DEID.uid(STUDY.format(n))) for n in range(2))
    assert first.patient == second.patient == patient
    assert first.sex == "M"
    assert first.age == 90.0
    assert [finding.value for finding in first.parsed.present_findings()] == ["nodule"]
    # A week apart as before, and on another day than it was.
    assert int(second.study_date[6:]) != 21 or second.study_date[:6] != "202103"
    days = [
        np.datetime64(f"{r.study_date[:4]}-{r.study_date[4:6]}-{r.study_date[6:]}") for r in (first, second)
    ]
    assert (days[1] - days[0]).astype(int) == 7
    assert first.images[0].source == ""


def test_a_second_ingest_changes_nothing(toy, archive, store):
    with Encoder(toy.bundle) as encoder:
        ingest(store, encoder, [archive], deidentifier=DEID)
        before = everything_in(store)[0]
        assert ingest(store, encoder, [archive], deidentifier=DEID).unchanged == 2
        assert ingest(store, encoder, [archive], deidentifier=DEID, again=True).unchanged == 2
    assert everything_in(store)[0] == before


def test_a_table_names_patients_of_pictures(toy, tmp_path, store):
    toy.save(tmp_path / "in" / "a.png", seed=1)
    toy.save(tmp_path / "in" / "b.png", seed=2)
    table = tmp_path / "reports.csv"
    table.write_text(
        "file,study,patient,date,report\n"
        "a.png,ACC5512871,MRN-7718-Q,2021-03-14,Clear lungs. Dr. Hagebutt.\n"
        "b.png,ACC5512872,MRN-7718-Q,2021-03-15,Clear lungs.\n"
    )
    with Encoder(toy.bundle) as encoder:
        ingest(store, encoder, [tmp_path / "in"], reports=table, deidentifier=DEID)
    assert sorted(store.patient_studies(DEID.patient("MRN-7718-Q"))) == sorted(
        [DEID.uid("ACC5512871"), DEID.uid("ACC5512872")]
    )
    dump, _ = everything_in(store)
    for secret in ("ACC551287", "MRN-7718-Q", "20210314", "Hagebutt"):
        assert secret not in dump


def test_pictures_that_nobody_names_keep_their_own_identifiers(toy, tmp_path, store):
    toy.save(tmp_path / "in" / "a.png", seed=1, report="Clear lungs.")
    with Encoder(toy.bundle) as encoder:
        ingest(store, encoder, [tmp_path / "in"], deidentifier=DEID)
        assert ingest(store, encoder, [tmp_path / "in"]).unchanged == 1
    (summary,) = store.studies(limit=5)
    assert summary.patient.startswith("image-")


def with_text(pixels, lines):
    large = Image.fromarray(pixels).resize((600, 600))
    draw = ImageDraw.Draw(large)
    for n in range(lines):
        draw.rectangle((0, 40 * n, 560, 40 * n + 38), fill=0)
        draw.text((8, 40 * n), "ZWETSCHGENBAUM QUIRINIUS", fill=255, font=ImageFont.load_default(28))
    return np.asarray(large)


def test_text_in_the_picture_is_covered_and_told_of(toy, tmp_path, store):
    (tmp_path / "in").mkdir()
    smooth = np.full((64, 64), 120, np.uint8)
    smooth[::2] = 124
    smooth[:, ::3] += np.uint8(10)
    written = with_text(smooth, 1)
    write_dicom(tmp_path / "in" / "a.dcm", written, study=5)
    with Encoder(toy.bundle) as encoder:
        summary = ingest(store, encoder, [tmp_path / "in"], deidentifier=DEID)
    assert summary.flagged == 1
    assert "text in the picture was covered" in summary.files[0].reason
    (study,) = store.studies(limit=5)
    picture = store.picture(study.study).image().values
    assert written[4:34, 10:400].std() > 80
    band = picture[4:34, 10:400].astype(float)
    assert band.std() < 0.05 * picture.max()


def test_a_page_of_text_is_not_taken_in(toy, tmp_path, store):
    (tmp_path / "in").mkdir()
    smooth = np.full((64, 64), 120, np.uint8)
    smooth[::2] = 124
    write_dicom(tmp_path / "in" / "a.dcm", with_text(smooth, 12), study=6)
    with Encoder(toy.bundle) as encoder:
        summary = ingest(store, encoder, [tmp_path / "in"], deidentifier=DEID)
    assert summary.rejected == 1
    assert "so much text" in summary.files[0].reason
    assert store.count() == 0


def test_a_query_sets_the_patient_apart_whom_the_store_knows_by_another_name(toy, archive, store):
    """Asked with a file as it comes from the modality, of a patient whose other study is in the store."""
    toy.save(archive.parent / "other" / "a.png", seed=9, report="A nodule.", right_upper_lung_zone=0.9)
    new = write_dicom(
        archive.parent / "new.dcm", toy.picture(7, right_upper_lung_zone=0.9), study=7, number=7
    )
    with Encoder(toy.bundle) as encoder:
        ingest(store, encoder, [archive, archive.parent / "other"], deidentifier=DEID)
        own = set(store.patient_studies(DEID.patient("MRN-7718-Q")))
        asked = Retriever(store, encoder, deidentifier=lambda: DEID).query(Query(image=new, k=9))
        assert len(own) == 2
        assert {hit.study for hit in asked.hits} & own == set()
        assert asked.set_apart == 2
        unaware = Retriever(store, encoder).query(Query(image=new, k=9))
        assert own <= {hit.study for hit in unaware.hits}
