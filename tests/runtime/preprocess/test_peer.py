"""The same display values as DCMTK's renderer, 16 bits a pixel."""

from __future__ import annotations

import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_retrieve.runtime.preprocess import load_radiograph

pytestmark = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmj2pnm of DCMTK is not installed")


def rendered(path, *options: str) -> np.ndarray:
    command = ["dcmj2pnm", *options, "--write-16-bit-pnm", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        return np.asarray(image).astype(float) / 65535


@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("dtype", "slope", "intercept"), [("u2", 1, 0), ("i2", 2, -300)])
def test_windows(chest, dicom, write, function, photometric, dtype, slope, intercept) -> None:
    stored = chest(dtype=dtype)
    path = write(
        dicom(
            stored,
            BitsStored=12,
            RescaleSlope=str(slope),
            RescaleIntercept=str(intercept),
            WindowCenter=str(int(np.median(stored)) * slope + intercept),
            WindowWidth="1500",
            VOILUTFunction=function,
            PhotometricInterpretation=photometric,
        )
    )
    # DCMTK's sigmoid is fitted to end exactly at black and white, hence the wider bound.
    bound = 1e-3 if function == "LINEAR" else 0.02
    np.testing.assert_allclose(load_radiograph(path).pixels, rendered(path, "+Wi", "1"), atol=bound)


def test_voi_lut(chest, dicom, write) -> None:
    table = [int(4095 * (i / 4095) ** 0.7) for i in range(4096)]
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "US", table)
    data = dicom(chest(), BitsStored=12)
    data.VOILUTSequence = Sequence([item])
    path = write(data)
    np.testing.assert_allclose(load_radiograph(path).pixels, rendered(path, "+Wl", "1"), atol=1e-3)


def test_inverse_shape(chest, dicom, write) -> None:
    data = dicom(
        chest(),
        BitsStored=12,
        WindowCenter="2048",
        WindowWidth="4096",
        PhotometricInterpretation="MONOCHROME1",
        PresentationLUTShape="INVERSE",
    )
    path = write(data)
    np.testing.assert_allclose(load_radiograph(path).pixels, rendered(path, "+Wi", "1"), atol=1e-3)
