"""A damaged JPEG Lossless file ends the decoder's process at most, never ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.runtime.errors import PixelError, UnreadableFileError
from edge_retrieve.runtime.preprocess import gdcm_jpeg, load_radiograph

pytestmark = pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmcjpeg of DCMTK is not installed")


@pytest.fixture
def lossless(chest, dicom, write, tmp_path) -> Path:
    source, target = write(dicom(chest(), BitsStored=12)), tmp_path / "lossless.dcm"
    subprocess.run(["dcmcjpeg", "+e1", source, target], check=True)
    return target


def test_flipped_bytes(lossless, tmp_path, capfd) -> None:
    data = np.frombuffer(lossless.read_bytes(), dtype=np.uint8)
    start = data.tobytes().rindex(b"\xff\xd8\xff")
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(60):
        broken = data.copy()
        places = rng.integers(start, start + 120, size=rng.integers(1, 4))
        broken[places] = rng.integers(0, 256, size=places.size)
        path = tmp_path / "broken.dcm"
        path.write_bytes(broken.tobytes())
        try:
            seen.add(load_radiograph(path).pixels.shape)
        except PixelError as error:
            seen.add(type(error))
    assert seen >= {(96, 80), UnreadableFileError}
    assert capfd.readouterr().err == ""
    assert load_radiograph(lossless).pixels.shape == (96, 80)


def test_the_next_file_gets_another_decoder(lossless) -> None:
    expected = load_radiograph(lossless).pixels
    first = gdcm_jpeg._worker._process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    np.testing.assert_array_equal(load_radiograph(lossless).pixels, expected)


def test_a_decoder_that_hangs_is_ended(lossless, monkeypatch) -> None:
    load_radiograph(lossless)
    monkeypatch.setattr(gdcm_jpeg, "TIMEOUT_S", 0.2)
    process = gdcm_jpeg._worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(UnreadableFileError, match="GDCM"):
        load_radiograph(lossless)
    monkeypatch.undo()
    assert load_radiograph(lossless).pixels.shape == (96, 80)
