"""Broken and odd files end in a radiograph or a typed error, nothing else; warnings are errors here."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.data.data_manager import DATA_ROOT

from edge_retrieve.runtime.errors import PixelError, UnreadableFileError
from edge_retrieve.runtime.preprocess import find_inputs, letterbox, load_radiograph, render_png
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
]


def outcome(path: Path) -> str:
    try:
        got = load_radiograph(path)
    except PixelError as error:
        complete = error.what and error.where == str(path) and error.remedy
        return type(error).__name__ if complete else f"incomplete: {error!r}"
    assert got.pixels.ndim == 2
    assert np.isfinite(got.pixels).all()
    assert got.pixels.min() >= 0
    assert got.pixels.max() <= 1
    assert len(got.pixels_sha256) == 64
    return "Radiograph"


@pytest.fixture
def coded(chest, dicom, write):
    def build(syntax) -> bytes:
        data = dicom(chest(), BitsStored=12, WindowCenter="2048", WindowWidth="4096")
        if syntax.is_encapsulated:
            data.compress(syntax, generate_instance_uid=False)
        data.file_meta.TransferSyntaxUID = syntax
        return write(data).read_bytes()

    return build


def test_every_file_of_pydicom() -> None:
    files = [path for path in Path(DATA_ROOT).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    outcomes = {outcome(path) for path in sorted(files)}
    assert outcomes == {"Radiograph", "UnreadableFileError", "UnsupportedImageError"}


def test_every_image_of_pydicom_called_a_chest_xray(tmp_path) -> None:
    """The same files past the check of what they show, so that their decoders run."""
    seen = set()
    for path in sorted(Path(DATA_ROOT).rglob("*.dcm")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = dcmread(path)
                if "PixelData" not in data:
                    continue
                data.Modality, data.BodyPartExamined = "DX", "CHEST"
                data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
                data.pop("NumberOfFrames", None)
                target = tmp_path / "image.dcm"
                data.save_as(target)
        except Exception:  # pydicom itself cannot write it again
            continue
        seen.add((outcome(target), data.file_meta.get("TransferSyntaxUID", "")))
    decoded = {syntax for result, syntax in seen if result == "Radiograph"}
    assert {uid.JPEG2000Lossless, uid.RLELossless, uid.JPEGLSLossless, uid.JPEGExtended12Bit} <= decoded


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_truncation(coded, tmp_path, syntax) -> None:
    data = coded(syntax)
    path = tmp_path / "cut.dcm"
    for tenths in range(10):
        path.write_bytes(data[: len(data) * tenths // 10])
        with pytest.raises(UnreadableFileError):
            load_radiograph(path)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_flipped_bytes(coded, tmp_path, syntax) -> None:
    data = np.frombuffer(coded(syntax), dtype=np.uint8)
    rng = np.random.default_rng(int(str(syntax).replace(".", "")) % 2**32)
    path = tmp_path / "flipped.dcm"
    seen = set()
    for trial in range(80):
        broken = data.copy()
        # Half of the trials damage the header alone, where most of the meaning is.
        end = 900 if trial % 2 else broken.size
        places = rng.integers(128, end, size=rng.integers(1, 12))
        broken[places] = rng.integers(0, 256, size=places.size)
        path.write_bytes(broken.tobytes())
        seen.add(outcome(path))
    assert "Radiograph" in seen
    assert len(seen) > 1


@pytest.mark.skipif(not SHARED.exists(), reason="the real X-rays of ../shared/data are not here")
def test_real_xrays() -> None:
    files = list(find_inputs([SHARED / "cxr", SHARED / "samples"]))
    blank = {}
    for path in files:
        try:
            got = load_radiograph(path)
        except PixelError as error:
            blank[path.name] = error.what
            continue
        assert got.pixels.std() > 0.05
        square, _ = letterbox(got.pixels, 224)
        assert square.max() > 0.5
        assert render_png(got.pixels, 64).startswith(b"\x89PNG")
    assert len(files) >= 68 + 8
    # One sample is a DICOM object whose every pixel is 1.
    assert blank == {"cxr_1.dcm": "all pixels have the same value"}


@pytest.mark.skipif(not SHARED.exists(), reason="the real X-rays of ../shared/data are not here")
def test_a_real_monochrome1_copy_is_the_negative() -> None:
    folder = SHARED / "samples"
    plain = load_radiograph(folder / "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm")
    fake = load_radiograph(folder / "Fake_MONOHR1.dcm")
    np.testing.assert_allclose(fake.pixels, 1 - plain.pixels, atol=1e-6)


def test_warnings_go_to_the_thread_that_raised_them() -> None:
    filters = list(warnings.filters)
    barrier, seen = threading.Barrier(3), {}

    def work(name: str, count: int) -> None:
        with captured_warnings() as messages:
            barrier.wait()
            for number in range(count):
                warnings.warn(f"{name} {number}", stacklevel=1)
            barrier.wait()
        seen[name] = messages

    threads = [threading.Thread(target=work, args=(name, 2 + index)) for index, name in enumerate("abc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {name: [f"{name} {n}" for n in range(2 + index)] for index, name in enumerate("abc")}
    assert list(warnings.filters) == filters
    with pytest.raises(UserWarning, match="loud"):
        warnings.warn("loud again", stacklevel=1)


def test_pixels_cannot_be_changed_behind_their_digest(chest, dicom, write) -> None:
    got = load_radiograph(write(dicom(chest())))
    with pytest.raises(ValueError, match="read-only"):
        got.pixels[0, 0] = 1
