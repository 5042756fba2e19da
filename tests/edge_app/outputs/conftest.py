"""X-rays as DICOM with headers of every sort, and a result to write about them."""

import shutil
import subprocess
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from edge_retrieve.edge_app.outputs.cases import CaseNames
from edge_retrieve.edge_app.outputs.content import Acceptance, Origin, content_of
from edge_retrieve.runtime.anatomy import Box, Laterality, Region
from edge_retrieve.runtime.deid.key import SiteKey
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Hit, RegionMatch, RetrievalResult

ROWS, COLUMNS = 160, 128
ZONE = Region.RIGHT_LOWER_LUNG_ZONE
ORIGIN = Origin("1.2.3", "test model", "ab" * 32, "Test archive", "cd" * 32, 60, True)
MADE = datetime(2026, 3, 4, 5, 6, 7)
ACCEPTANCE = Acceptance("Doe^Jane", "Test hospital", datetime(2026, 3, 4, 6, 0, 0))
NAMES = CaseNames(SiteKey(bytes(32)))
STUDIES = ("archive-study-one", "archive-study-two")


def picture(rows=ROWS, columns=COLUMNS):
    """A ramp with grain, 12 bits."""
    grain = np.random.default_rng(1).integers(0, 40, (rows, columns))
    return (np.linspace(300, 3600, columns)[None, :] + grain).astype(np.uint16)


def header(pixels, **changes):
    """A CR header as a good device writes it; None removes an attribute."""
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.77.1.1.1", "1.2.826.0.1.77.1.1"
    dataset.StudyInstanceUID = "1.2.826.0.1.77.1"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientID = "Müller^Jörg", "PID-77"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19600102", "M", "065Y"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20250607", "101112", "S1"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC-77", "Roe^Richard"
    dataset.StudyDescription, dataset.Modality, dataset.BodyPartExamined = "Chest PA", "CR", "CHEST"
    dataset.ViewPosition, dataset.PatientOrientation = "PA", ["L", "F"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = "2000", "3200"
    dataset.PixelData = pixels.astype("<u2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def write(dataset, path, syntax=ExplicitVRLittleEndian):
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", ComputedRadiographyImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def xray(tmp_path):
    """Return a function that writes an X-ray whose header is changed as asked."""

    def make(pixels=None, **changes):
        return write(header(picture() if pixels is None else pixels, **changes), tmp_path / "query.dcm")

    return make


def result_with(box, *, drawn=None, abstained=False, calibrated=True, level=None):
    """Two hits in the right lower zone; `box` is where the model sees it, `drawn` a person's."""
    sure = (0.81, 0.64) if calibrated else (None, None)
    hits = tuple(
        Hit(
            study,
            f"patient of {study}",
            0.9 - 0.1 * n,
            (
                RegionMatch(
                    ZONE,
                    0.9 - 0.1 * n,
                    Box(1, 2, 3, 4),
                    Finding.PLEURAL_EFFUSION,
                    Laterality.RIGHT,
                    drawn=drawn,
                    probability=sure[n],
                ),
            ),
            ("Small right pleural effusion — unchanged.",),
            sure[n],
        )
        for n, study in enumerate(STUDIES)
    )
    return RetrievalResult(
        hits, (ZONE,), ((ZONE, box),), abstained, calibrated=calibrated, abstain_below=level
    )


def made_content(box, acceptance=None, **more):
    drawn = (more["drawn"],) if more.get("drawn") else ()
    result = result_with(box, **more)
    return content_of(result, ORIGIN, names=NAMES, drawn=drawn, made=MADE, acceptance=acceptance)


@pytest.fixture
def content_with():
    """Return a function that makes a result's content; `box` is where the model sees the region."""
    return made_content


@pytest.fixture
def box():
    return Box(20.0, 80.0, 60.0, 130.0)


@pytest.fixture
def content(box):
    return made_content(box)


@pytest.fixture
def known():
    """What the fixtures' sources and results hold, for tests to compare with."""
    return SimpleNamespace(
        origin=ORIGIN,
        names=NAMES,
        made=MADE,
        acceptance=ACCEPTANCE,
        studies=STUDIES,
        zone=ZONE,
        shape=(ROWS, COLUMNS),
    )


@pytest.fixture
def conformance_errors(tmp_path):
    """Return a function that tells what `dciodvfy` calls an error, and which IOD it took the object for."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")

    def check(data):
        path = tmp_path / "checked.dcm"
        path.write_bytes(data)
        done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        told = [line for line in lines if not line.startswith("Warning")]
        return [line for line in told if line.startswith(("Error", "Abort"))], told[-1]

    return check
