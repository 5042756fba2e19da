"""Small DICOM files made to order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset


@pytest.fixture
def chest() -> Callable[..., npt.NDArray[Any]]:
    """A picture with ramps, waves and noise: no symmetry, every code range in use."""

    def build(rows: int = 96, columns: int = 80, bits: int = 12, dtype: str = "u2", seed: int = 3) -> Any:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:rows, :columns]
        wave = (
            0.4 * x / columns
            + 0.3 * y / rows
            + 0.2 * np.sin(x / 7.0) ** 2
            + 0.08 * rng.random((rows, columns))
        )
        stored = np.round(wave * (2**bits - 1)).astype(np.int64)
        if np.dtype(dtype).kind == "i":
            stored -= 2 ** (bits - 1)
        return stored.astype(dtype)

    return build


@pytest.fixture
def dicom() -> Callable[..., Dataset]:
    """A DX data set around stored values; keyword arguments set or, as None, remove attributes."""

    def build(stored: npt.NDArray[Any], **attributes: Any) -> Dataset:
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3.4", "1.2.3", "1.2.3.5"
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.PatientID, data.PatientSex, data.PatientAge = "patient-1", "F", "041Y"
        data.StudyDate = "20240131"
        data.Modality, data.BodyPartExamined, data.ViewPosition = "DX", "CHEST", "PA"
        data.Rows, data.Columns = stored.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = stored.dtype.itemsize * 8
        data.BitsStored = attributes.pop("BitsStored", data.BitsAllocated)
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(stored.dtype.kind == "i")
        data.PixelData = stored.tobytes()
        data["PixelData"].VR = "OB" if data.BitsAllocated == 8 else "OW"
        for keyword, value in attributes.items():
            if value is None:
                del data[keyword]
            else:
                setattr(data, keyword, value)
        return data

    return build


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Dataset], Path]:
    """Write a data set as a DICOM file and return its path."""
    count = 0

    def save(data: Dataset) -> Path:
        nonlocal count
        count += 1
        path = tmp_path / f"image{count}.dcm"
        data.save_as(path, enforce_file_format=True)
        return path

    return save
