"""Every transfer syntax gives the pixels of the uncompressed file, with encoders other than our decoders."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate, get_frame

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import load_radiograph

WINDOW = {"WindowCenter": "2048", "WindowWidth": "4096"}
FORMS = [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 12)]


@pytest.fixture(params=FORMS, ids=[f"{dtype}-{bits}" for dtype, bits in FORMS])
def original(request, chest, dicom):
    dtype, bits = request.param
    window = {"WindowCenter": str(2 ** (bits - 1)), "WindowWidth": str(2**bits)}
    if dtype == "i2":
        window["WindowCenter"] = "0"
    return dicom(chest(bits=bits, dtype=dtype), BitsStored=bits, **window)


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian],
    ids=["implicit", "deflated", "big-endian"],
)
def test_uncompressed(original, write, syntax) -> None:
    expected = load_radiograph(write(original))
    if syntax == uid.ExplicitVRBigEndian and original.BitsAllocated == 16:
        original.PixelData = np.frombuffer(original.PixelData, "<u2").astype(">u2").tobytes()
    original.file_meta.TransferSyntaxUID = syntax
    got = load_radiograph(write(original))
    np.testing.assert_array_equal(got.pixels, expected.pixels)
    assert got.applied[0] == f"decoded: {syntax.name}"


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=["rle", "jpeg-ls", "jpeg2000"]
)
def test_lossless_by_pydicom(original, write, syntax) -> None:
    expected = load_radiograph(write(original))
    original.compress(syntax, generate_instance_uid=False)
    got = load_radiograph(write(original))
    np.testing.assert_array_equal(got.pixels, expected.pixels)
    assert got.pixels_sha256 == expected.pixels_sha256


@pytest.mark.parametrize(
    ("tool", "option", "syntax", "tolerance"),
    [
        ("dcmcrle", (), uid.RLELossless, 0.0),
        ("dcmcjpls", ("+el",), uid.JPEGLSLossless, 0.0),
        ("dcmcjpls", ("+en", "+md", "2"), uid.JPEGLSNearLossless, 0.05),
        ("dcmcjpeg", ("+e1",), uid.JPEGLosslessSV1, 0.0),
        ("dcmcjpeg", ("+el", "+sv", "6"), uid.JPEGLossless, 0.0),
    ],
)
def test_by_dcmtk(original, write, tmp_path, tool, option, syntax, tolerance) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} of DCMTK is not installed")
    if syntax == uid.JPEGLSNearLossless and original.PixelRepresentation == 1:
        pytest.skip("DCMTK does not encode signed values as near-lossless JPEG-LS")
    source, target = write(original), tmp_path / "compressed.dcm"
    done = subprocess.run([tool, *option, source, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert dcmread(target, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    expected, got = load_radiograph(source).pixels, load_radiograph(target).pixels
    np.testing.assert_allclose(got, expected, atol=tolerance)


@pytest.mark.parametrize(
    ("option", "bits", "syntax"),
    [("+eb", 8, uid.JPEGBaseline8Bit), ("+ee", 8, uid.JPEGExtended12Bit), ("+ee", 12, uid.JPEGExtended12Bit)],
)
def test_lossy_jpeg_by_dcmtk(chest, dicom, write, tmp_path, option, bits, syntax) -> None:
    if shutil.which("dcmcjpeg") is None:
        pytest.skip("dcmcjpeg of DCMTK is not installed")
    stored = chest(bits=bits, dtype="u1" if bits == 8 else "u2")
    window = {"WindowCenter": str(2 ** (bits - 1)), "WindowWidth": str(2**bits)}
    # Without a window and with +sr DCMTK encodes the stored values themselves.
    source, target = write(dicom(stored, BitsStored=bits)), tmp_path / "lossy.dcm"
    command = ["dcmcjpeg", option, "+q", "98", "+sr", source, target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header = dcmread(target)
    assert header.file_meta.TransferSyntaxUID == syntax
    header.WindowCenter, header.WindowWidth = window["WindowCenter"], window["WindowWidth"]
    expected = load_radiograph(write(dicom(stored, BitsStored=bits, **window))).pixels
    got = load_radiograph(write(header)).pixels
    assert float(np.abs(got - expected).max()) < 0.03
    assert float(np.abs(got - expected).mean()) < 0.006


def test_a_syntax_that_is_not_decoded_is_named(chest, dicom, write) -> None:
    data = dicom(chest())
    data.PixelData = encapsulate([b"\0" * 100])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    with pytest.raises(UnsupportedImageError, match="MPEG2"):
        load_radiograph(write(data))


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_codestream_of_another_size_is_refused_before_it_is_decoded(chest, dicom, write, syntax) -> None:
    data = dicom(chest(), **WINDOW)
    data.compress(syntax, generate_instance_uid=False)
    data.Rows = 95
    with pytest.raises(UnreadableFileError, match="80 x 96 x 1 where the header says 80 x 95 x 1"):
        load_radiograph(write(data))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_cut_codestream_in_a_whole_file_is_an_error(chest, dicom, write, syntax, keep) -> None:
    data = dicom(chest(), **WINDOW)
    data.compress(syntax, generate_instance_uid=False)
    frame = get_frame(data.PixelData, 0, number_of_frames=1)
    cut = frame[: int(len(frame) * keep) // 2 * 2]
    data.PixelData = encapsulate([cut])
    data["PixelData"].is_undefined_length = True
    with pytest.raises(UnreadableFileError, match=r"end marker|RLE|decoded"):
        load_radiograph(write(data))


def test_an_rle_bomb_is_unpacked_no_further_than_its_image(dicom, chest, write) -> None:
    import tracemalloc

    data = dicom(chest(dtype="u1", bits=8))
    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + b"\0" * 56
    bomb = b"\x81\x07" + b"\x81\x00" * 2_000_000  # 4 MB that unpack to 256 MB
    data.PixelData = encapsulate([header + bomb])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = uid.RLELossless
    path = write(data)
    tracemalloc.start()
    try:
        load_radiograph(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6
