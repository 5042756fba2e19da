"""The grey-scale chain against an oracle written from the text of the standard, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import Flag, load_radiograph


def oracle_window(x: float, center: float, width: float, function: str) -> float:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3, with ymin 0 and ymax 1, as pseudo-code there."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + math.exp(-4.0 * (x - center) / width))
    if function == "LINEAR_EXACT":
        if x <= center - width / 2:
            return 0.0
        if x > center + width / 2:
            return 1.0
        return (x - center) / width + 0.5
    if x <= center - 0.5 - (width - 1) / 2:
        return 0.0
    if x > center - 0.5 + (width - 1) / 2:
        return 1.0
    return (x - (center - 0.5)) / (width - 1) + 0.5


def oracle_lut(x: float, data: list[int], first: int) -> int:
    """PS3.3 C.11.1.1.1: below the first value the first entry, above the last the last."""
    return data[min(max(round(x) - first, 0), len(data) - 1)]


def lut_item(data: list[int], first: int, bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(data) % 65536, first, bits])
    item.add_new("LUTData", "US", data)
    return item


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(
    ("dtype", "bits", "slope", "intercept"),
    [
        ("u1", 8, 1.0, 0.0),
        ("u2", 12, 1.0, 0.0),
        ("u2", 16, 0.5, -1000.0),
        ("i2", 16, 2.0, 10.0),
        ("i2", 12, 1.0, 0.0),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_rescale_window_and_inversion(
    chest, dicom, write, dtype, bits, slope, intercept, function, photometric
) -> None:
    stored = chest(bits=bits, dtype=dtype)
    values = stored.astype(float) * slope + intercept
    center, width = float(np.median(values)), float(np.ptp(values)) * 0.6
    data = dicom(
        stored,
        BitsStored=bits,
        RescaleSlope=str(slope),
        RescaleIntercept=str(intercept),
        WindowCenter=f"{center:.6g}",
        WindowWidth=f"{width:.6g}",
        VOILUTFunction=function,
        PhotometricInterpretation=photometric,
    )
    got = load_radiograph(write(data))
    center, width = float(data.WindowCenter), float(data.WindowWidth)
    expected = np.vectorize(lambda x: oracle_window(x, center, width, function))(values)
    if photometric == "MONOCHROME1":
        expected = 1.0 - expected
    assert got.pixels.dtype == np.float32
    np.testing.assert_allclose(got.pixels, expected, atol=2e-7)
    assert Flag.NO_WINDOW not in got.flags
    assert any("rescale" in step for step in got.applied)
    assert any(f"VOI window {function}" in step for step in got.applied)


def test_window_of_one_is_a_threshold(chest, dicom, write) -> None:
    stored = chest()
    got = load_radiograph(write(dicom(stored, WindowCenter="1800", WindowWidth="1")))
    np.testing.assert_array_equal(got.pixels, (stored > 1799.5).astype(np.float32))
    assert Flag.LOW_DETAIL in got.flags


def test_first_of_several_windows(chest, dicom, write) -> None:
    stored = chest()
    got = load_radiograph(write(dicom(stored, WindowCenter=["1000", "3000"], WindowWidth=["2000", "100"])))
    expected = np.vectorize(lambda x: oracle_window(x, 1000, 2000, "LINEAR"))(stored.astype(float))
    np.testing.assert_allclose(got.pixels, expected, atol=2e-7)
    assert any("first of 2" in step for step in got.applied)


def test_garbage_around_the_stored_bits_does_not_show(chest, dicom, write) -> None:
    stored = chest(bits=10)
    window = {"WindowCenter": "512", "WindowWidth": "1024"}
    clean = load_radiograph(write(dicom(stored, BitsStored=10, **window)))
    garbage = np.random.default_rng(0).integers(0, 64, stored.shape).astype(np.uint16) << 10
    dirty = load_radiograph(write(dicom(stored | garbage, BitsStored=10, **window)))
    shifted = load_radiograph(
        write(dicom((stored << 4) | (garbage >> 12), BitsStored=10, HighBit=13, **window))
    )
    np.testing.assert_array_equal(dirty.pixels, clean.pixels)
    np.testing.assert_array_equal(shifted.pixels, clean.pixels)


def test_signed_values_below_their_container(chest, dicom, write) -> None:
    stored = chest(bits=12, dtype="i2")
    masked = (stored.view("u2") & 0x0FFF).view("i2")  # the sign bit is bit 11; the four above are clear
    window = {"WindowCenter": "0", "WindowWidth": "4096"}
    a = load_radiograph(write(dicom(stored, BitsStored=12, **window)))
    b = load_radiograph(write(dicom(masked, BitsStored=12, **window)))
    np.testing.assert_array_equal(a.pixels, b.pixels)
    expected = np.vectorize(lambda x: oracle_window(x, 0, 4096, "LINEAR"))(stored.astype(float))
    np.testing.assert_allclose(a.pixels, expected, atol=2e-7)


def test_no_window_clips_the_tails(chest, dicom, write) -> None:
    stored = chest(rows=128, columns=128)
    stored[0, :3] = 4095  # a lead marker: three pixels of 16,384
    got = load_radiograph(write(dicom(stored, BitsStored=12)))
    low, high = np.percentile(stored, [0.1, 99.9], method="inverted_cdf").astype(float)
    np.testing.assert_allclose(got.pixels, np.clip((stored - low) / (high - low), 0, 1), atol=2e-7)
    assert high < 4095
    assert Flag.NO_WINDOW in got.flags


@pytest.mark.parametrize("window", [("-90000", "10"), ("100", "0"), ("100", "-5"), ("1e5", "0.5")])
def test_a_window_that_shows_nothing_is_ignored_and_named(chest, dicom, write, window) -> None:
    got = load_radiograph(write(dicom(chest(), WindowCenter=window[0], WindowWidth=window[1])))
    assert {Flag.NO_WINDOW, Flag.HEADER_IGNORED} <= set(got.flags)
    assert any("shows nothing" in step for step in got.applied)
    assert float(np.ptp(got.pixels)) == 1.0


def test_voi_lut_goes_before_the_window(chest, dicom, write) -> None:
    stored = chest(bits=12)
    table = [int(1023 * (i / 2999) ** 2) for i in range(3000)]
    data = dicom(stored, BitsStored=12, WindowCenter="5", WindowWidth="5")
    data.VOILUTSequence = Sequence([lut_item(table, 400, 10)])
    got = load_radiograph(write(data))
    expected = np.vectorize(lambda x: oracle_lut(x, table, 400) / 1023)(stored)
    np.testing.assert_allclose(got.pixels, expected, atol=2e-7)
    assert any("VOI LUT: 3000 entries of 10 bits" in step for step in got.applied)


@pytest.mark.parametrize("count", [100, 2999])
def test_a_short_voi_lut_is_ignored_and_the_window_used(chest, dicom, write, count) -> None:
    stored = chest(bits=12)
    item = lut_item(list(range(count)), 0, 12)
    item.LUTDescriptor = [3000, 0, 12]
    data = dicom(stored, BitsStored=12, WindowCenter="2048", WindowWidth="4096")
    data.VOILUTSequence = Sequence([item])
    got = load_radiograph(write(data))
    expected = np.vectorize(lambda x: oracle_window(x, 2048, 4096, "LINEAR"))(stored.astype(float))
    np.testing.assert_allclose(got.pixels, expected, atol=2e-7)
    assert Flag.HEADER_IGNORED in got.flags


def test_modality_lut_with_data_as_bytes_and_signed_input(chest, dicom, write) -> None:
    stored = chest(bits=8, dtype="i2")
    table = [int(x) for x in np.linspace(4000, 200, 256)]
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [256, -128, 16])
    item.add_new("LUTData", "OW", np.asarray(table, dtype="<u2").tobytes())
    data = dicom(stored, BitsStored=8, WindowCenter="2000", WindowWidth="3000")
    data.ModalityLUTSequence = Sequence([item])
    got = load_radiograph(write(data))
    expected = np.vectorize(lambda x: oracle_window(oracle_lut(x, table, -128), 2000, 3000, "LINEAR"))(stored)
    np.testing.assert_allclose(got.pixels, expected, atol=2e-7)


def test_monochrome1_with_inverse_shape_is_inverted_once(chest, dicom, write) -> None:
    window = {"WindowCenter": "2048", "WindowWidth": "4096"}
    plain = load_radiograph(write(dicom(chest(), **window)))
    both = load_radiograph(
        write(
            dicom(chest(), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", **window)
        )
    )
    alone = load_radiograph(write(dicom(chest(), PresentationLUTShape="INVERSE", **window)))
    np.testing.assert_allclose(both.pixels, 1 - plain.pixels, atol=1e-6)
    np.testing.assert_allclose(alone.pixels, 1 - plain.pixels, atol=1e-6)
    assert Flag.HEADER_IGNORED not in both.flags
    assert Flag.HEADER_IGNORED in alone.flags


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_outside_the_range(chest, dicom, write, photometric) -> None:
    stored = chest(bits=12, dtype="i2")
    padded = stored.copy()
    padded[:20] = -2000
    data = dicom(padded, PhotometricInterpretation=photometric)
    data.add_new("PixelPaddingValue", "SS", -2000)
    got = load_radiograph(write(data))
    low, high = np.percentile(stored[20:], [0.1, 99.9], method="inverted_cdf").astype(float)
    expected = np.clip((stored[20:] - low) / (high - low), 0, 1)
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    np.testing.assert_allclose(got.pixels[20:], expected, atol=2e-7)
    assert not got.pixels[:20].any()


def test_padding_range(chest, dicom, write) -> None:
    stored = np.maximum(chest(), 11)
    stored[:5], stored[5:9] = 0, 10
    data = dicom(stored, PixelPaddingValue=0, PixelPaddingRangeLimit=10, WindowCenter="0", WindowWidth="4000")
    got = load_radiograph(write(data))
    assert not got.pixels[:9].any()
    assert got.pixels[9:].all()


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "much"])
def test_an_unusable_rescale_is_an_error(chest, dicom, write, keyword, value) -> None:
    data = dicom(chest(), RescaleSlope="1", RescaleIntercept="0")
    path = write(data)
    tag = {"RescaleSlope": b"\x28\x00\x53\x10DS", "RescaleIntercept": b"\x28\x00\x52\x10DS"}[keyword]
    raw = path.read_bytes()
    place = raw.index(tag)
    new = value.encode() + b" " * (len(value) % 2)
    path.write_bytes(raw[: place + 6] + len(new).to_bytes(2, "little") + new + raw[place + 10 :])
    with pytest.raises(UnreadableFileError, match=keyword):
        load_radiograph(path)


def test_rescale_slope_zero_is_an_error(chest, dicom, write) -> None:
    with pytest.raises(UnreadableFileError, match="RescaleSlope"):
        load_radiograph(write(dicom(chest(), RescaleSlope="0", RescaleIntercept="0")))


def test_a_constant_image_and_all_padding_are_refused(chest, dicom, write) -> None:
    constant = np.full((96, 80), 7, dtype=np.uint16)
    with pytest.raises(UnsupportedImageError, match="same value"):
        load_radiograph(write(dicom(constant)))
    with pytest.raises(UnsupportedImageError, match="same value"):
        load_radiograph(write(dicom(chest(), PixelPaddingValue=0, PixelPaddingRangeLimit=65535)))
