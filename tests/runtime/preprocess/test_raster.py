"""PNG and JPEG to the same form as DICOM."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import Flag, View, load_radiograph


def save(path, array_or_image, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(path, **options)
    return path


def test_eight_bit_grey_is_shown_as_stored(chest, tmp_path) -> None:
    stored = chest(bits=8, dtype="u1") // 2 + 30  # a low dynamic range is not stretched
    got = load_radiograph(save(tmp_path / "a.png", stored))
    np.testing.assert_allclose(got.pixels, stored / 255, atol=1e-7)
    assert got.flags == (Flag.UNKNOWN_VIEW,)
    assert "range: 0 to 255 as stored" in got.applied
    assert load_radiograph(tmp_path / "a.png", view=View.AP).flags == ()


def test_few_grey_levels_are_flagged(chest, tmp_path) -> None:
    got = load_radiograph(save(tmp_path / "a.png", chest(bits=8, dtype="u1") // 16))
    assert Flag.LOW_DETAIL in got.flags


def test_sixteen_bits_full_scale(chest, tmp_path) -> None:
    stored = chest(bits=16)
    got = load_radiograph(save(tmp_path / "a.png", stored))
    np.testing.assert_allclose(got.pixels, stored / 65535, atol=1e-7)
    assert Flag.NO_WINDOW not in got.flags


def test_twelve_bits_in_sixteen_are_ranged_and_flagged(chest, tmp_path) -> None:
    stored = chest(bits=12)
    got = load_radiograph(save(tmp_path / "a.png", stored))
    low, high = np.percentile(stored, [0.1, 99.9], method="inverted_cdf").astype(float)
    np.testing.assert_allclose(got.pixels, np.clip((stored - low) / (high - low), 0, 1), atol=1e-6)
    assert Flag.NO_WINDOW in got.flags
    assert any("16-bit file" in step for step in got.applied)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_in_colour_clothes_equals_grey(chest, tmp_path, mode) -> None:
    grey = Image.fromarray(chest(bits=8, dtype="u1"))
    plain = load_radiograph(save(tmp_path / "grey.png", grey))
    got = load_radiograph(save(tmp_path / "colour.png", grey.convert(mode)))
    np.testing.assert_array_equal(got.pixels, plain.pixels)
    assert got.pixels_sha256 == plain.pixels_sha256
    assert Flag.COLOUR not in got.flags


def test_colour_becomes_luminance_and_is_flagged(chest, tmp_path) -> None:
    rgb = np.stack([chest(bits=8, dtype="u1", seed=seed) for seed in (1, 2, 3)], axis=-1)
    rgb[..., 2] = 255 - rgb[..., 2]
    got = load_radiograph(save(tmp_path / "a.png", rgb))
    expected = (rgb @ np.array([0.299, 0.587, 0.114])) / 255
    np.testing.assert_allclose(got.pixels, expected, atol=1e-6)
    assert Flag.COLOUR in got.flags


def test_transparent_pixels_are_black(chest, tmp_path) -> None:
    rgba = np.dstack([np.stack([chest(bits=8, dtype="u1")] * 3, axis=-1), np.full((96, 80), 255, np.uint8)])
    rgba[:10, :, 3] = 0
    got = load_radiograph(save(tmp_path / "a.png", rgba))
    assert not got.pixels[:10].any()
    np.testing.assert_allclose(got.pixels[10:], rgba[10:, :, 0] / 255, atol=1e-7)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(chest, tmp_path, mode) -> None:
    grey = Image.fromarray(chest(rows=128, columns=128, bits=8, dtype="u1"))
    got = load_radiograph(save(tmp_path / "a.jpg", grey.convert(mode), quality=98))
    np.testing.assert_allclose(got.pixels, np.asarray(grey) / 255, atol=0.05)
    assert Flag.COLOUR not in got.flags


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.T),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).T),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_exif_orientation(chest, tmp_path, orientation, turn) -> None:
    stored = chest(bits=8, dtype="u1")
    exif = Image.Exif()
    exif[0x0112] = orientation
    got = load_radiograph(save(tmp_path / "a.png", stored, exif=exif))
    np.testing.assert_allclose(got.pixels, turn(stored) / 255, atol=1e-7)
    assert (Flag.REORIENTED in got.flags) is (orientation > 1)


def test_identifiers_come_from_the_pixels(chest, tmp_path) -> None:
    one = load_radiograph(save(tmp_path / "a.png", chest(bits=8, dtype="u1")))
    same = load_radiograph(save(tmp_path / "b.png", chest(bits=8, dtype="u1"), compress_level=0))
    other = load_radiograph(save(tmp_path / "c.png", chest(bits=8, dtype="u1", seed=9)))
    assert (one.patient, one.study, one.sop_instance) == (same.patient, same.study, same.sop_instance)
    assert len({one.patient, one.study, one.sop_instance, other.patient, other.study}) == 5
    assert len(one.study) <= 64
    assert set(one.study) <= set("0123456789.")


def test_the_name_does_not_matter(chest, tmp_path) -> None:
    path = save(tmp_path / "a.png", chest(bits=8, dtype="u1"))
    renamed = path.rename(tmp_path / "photo.dcm")
    assert load_radiograph(renamed).pixels.shape == (96, 80)


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.full((96, 80), 9, np.uint8), "same value"),
        (np.full((96, 80), 9, np.uint16), "same value"),
        (np.full((96, 80, 3), (9, 80, 200), np.uint8), "same value"),
        (np.zeros((1, 1), np.uint8), "1 x 1"),
        (np.arange(63 * 100, dtype=np.uint16).reshape(63, 100), "100 x 63"),
    ],
)
def test_pictures_that_show_nothing(tmp_path, array, what) -> None:
    with pytest.raises(UnsupportedImageError, match=what):
        load_radiograph(save(tmp_path / "a.png", array))


def test_animations_are_refused(chest, tmp_path) -> None:
    frames = [Image.fromarray(chest(bits=8, dtype="u1", seed=seed)) for seed in (1, 2)]
    path = tmp_path / "a.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="2 frames"):
        load_radiograph(path)


def png_claiming(width: int, height: int) -> bytes:
    """A valid PNG header over next to no data."""
    body = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", body), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("side", [8_001, 12_000, 100_000])
def test_a_decompression_bomb_is_refused_by_its_size(tmp_path, side) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    with pytest.raises(UnsupportedImageError, match="pixels"):
        load_radiograph(path)


def test_other_pictures_are_refused(chest, tmp_path) -> None:
    with pytest.raises(UnreadableFileError, match="neither DICOM, PNG nor JPEG"):
        load_radiograph(save(tmp_path / "a.tif", chest(bits=8, dtype="u1")))


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
@pytest.mark.parametrize("tenths", range(10))
def test_truncated_files(chest, tmp_path, format_, tenths) -> None:
    stream = io.BytesIO()
    Image.fromarray(chest(rows=200, columns=200, bits=8, dtype="u1")).save(stream, format=format_)
    data = stream.getvalue()
    path = tmp_path / "cut.img"
    path.write_bytes(data[: len(data) * tenths // 10])
    with pytest.raises(UnreadableFileError) as caught:
        load_radiograph(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
