"""Phantom images as DICOM: Digital X-Ray Image Storage, For Presentation (PS3.3 A.26)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, JPEGLSLossless

from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.sampling import PlannedStudy
from edge_retrieve.train.phantom.spec import PhantomImage

# The pixel pitch of a 43 cm detector plate, whatever the matrix.
_PLATE_MM = 430.0
_BITS_STORED = 12
_COMPRESSED_SHARE = 4  # one study in so many is stored as lossless JPEG-LS
_VIEW_CODES = {View.PA: ("272479007", "postero-anterior"), View.AP: ("399348003", "antero-posterior")}
_SOFTWARE = "edge-retrieve phantom"


@dataclass(frozen=True)
class StudyDates:
    """When a study was made.

    Parameters
    ----------
    birth, study : date
    time : str
        ``HHMMSS``.
    """

    birth: date
    study: date
    time: str

    @property
    def age(self) -> int:
        """Whole years at the study."""
        had_birthday = (self.study.month, self.study.day) >= (self.birth.month, self.birth.day)
        return self.study.year - self.birth.year - (not had_birthday)


def study_dates(planned: PlannedStudy, age: int) -> StudyDates:
    """Return a study's dates, derived from its identifiers: a patient's visits follow one another.

    Parameters
    ----------
    planned : PlannedStudy
    age : int
        Years at the first visit.
    """
    rng = np.random.default_rng(_number("dates", planned.patient) % 2**63)
    first = date(2012, 1, 1) + timedelta(days=int(rng.integers(0, 3650)))
    # 28 February exists every year; the birthday lies up to a year before the one that would make him older.
    birth = date(first.year - age, first.month, min(first.day, 28)) - timedelta(
        days=int(rng.integers(0, 364))
    )
    gaps = rng.integers(2, 400, size=planned.visit)
    seconds = int(rng.integers(7 * 3600, 20 * 3600)) + 60 * planned.visit
    clock = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    return StudyDates(birth, first + timedelta(days=int(gaps.sum())), clock)


def write_dicom(planned: PlannedStudy, image: PhantomImage) -> bytes:
    """Return a study's image as a DICOM file.

    Equal arguments give equal bytes. One study in four is compressed (JPEG-LS, lossless).

    Parameters
    ----------
    planned : PlannedStudy
    image : PhantomImage

    Returns
    -------
    bytes
        A Part 10 file.
    """
    compressed = _number("syntax", planned.study) % _COMPRESSED_SHARE == 0
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid("instance", planned.study)
    meta.TransferSyntaxUID = JPEGLSLossless if compressed else ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation", _SOFTWARE)
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe_patient_and_study(dataset, planned, image)
    _describe_image(dataset, planned, image)
    _set_pixels(dataset, image, compressed)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def uid(*parts: str) -> str:
    """Return a UID below the root for UUIDs (2.25) that depends on the parts alone."""
    return f"2.25.{_number(*parts)}"


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:16], "big")


def _describe_patient_and_study(dataset: Dataset, planned: PlannedStudy, image: PhantomImage) -> None:
    dates = study_dates(planned, image.age)
    day = dates.study.strftime("%Y%m%d")
    dataset.PatientName = f"Phantom^{planned.patient}"
    dataset.PatientID = planned.patient
    dataset.PatientBirthDate = dates.birth.strftime("%Y%m%d")
    dataset.PatientSex = image.sex
    dataset.PatientAge = f"{dates.age:03d}Y"
    dataset.StudyInstanceUID = uid("study", planned.study)
    dataset.StudyID = str(planned.visit + 1)
    dataset.AccessionNumber = planned.study[:16]
    dataset.StudyDescription = "Chest, one view (synthetic)"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = dates.time
    dataset.SeriesInstanceUID = uid("series", planned.study)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Manufacturer = "edge-retrieve"
    dataset.ManufacturerModelName = "Procedural phantom"
    dataset.SoftwareVersions = _SOFTWARE
    dataset.DeviceSerialNumber = "0"
    dataset.InstitutionName = "Synthetic archive"


def _describe_image(dataset: Dataset, planned: PlannedStudy, image: PhantomImage) -> None:
    pitch = f"{_PLATE_MM / image.pixels.shape[0]:.6f}"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ImageComments = "Synthetic: no patient was exposed"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1  # higher values: fewer X-rays reached the detector
    dataset.WindowCenter = f"{image.window_center:.2f}"
    dataset.WindowWidth = f"{image.window_width:.2f}"
    dataset.ViewPosition = image.view.value
    dataset.BodyPartExamined = "CHEST"
    dataset.ImageLaterality = "U"
    # What lies on the image's right and below: the patient's left, and the feet.
    dataset.PatientOrientation = ["L", "F"]
    dataset.DetectorType = "DIRECT"
    dataset.PositionerType = ""
    dataset.ImagerPixelSpacing = [pitch, pitch]
    dataset.AnatomicRegionSequence = Sequence([_code("816094009", "Chest")])
    dataset.ViewCodeSequence = Sequence([_code(*_VIEW_CODES[image.view])])
    dataset.AcquisitionContextSequence = Sequence()


def _set_pixels(dataset: Dataset, image: PhantomImage, compressed: bool) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.pixels.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = _BITS_STORED
    dataset.HighBit = _BITS_STORED - 1
    dataset.PixelRepresentation = 0
    if compressed:
        dataset.compress(JPEGLSLossless, image.pixels, generate_instance_uid=False)
    else:
        dataset.PixelData = image.pixels.astype("<u2", copy=False).tobytes()


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
