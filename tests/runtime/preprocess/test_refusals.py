"""What is no chest X-ray is refused with what, where and what to do; what is doubtful is flagged."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import Flag, checks, load_radiograph

CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"Modality": "CT"}, "Modality CT"),
        ({"Modality": "MR"}, "Modality MR"),
        ({"Modality": "US"}, "Modality US"),
        ({"Modality": "MG"}, "Modality MG"),
        ({"SOPClassUID": CT}, "CT Image Storage"),
        ({"BodyPartExamined": "ABDOMEN"}, "ABDOMEN, not CHEST"),
        ({"BodyPartExamined": "HAND"}, "HAND, not CHEST"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits allocated"),
        ({"HighBit": 20}, "high bit 20"),
        ({"PhotometricInterpretation": "HSV"}, "HSV"),
        ({"PhotometricInterpretation": ""}, "missing"),
    ],
)
def test_not_a_plain_chest_xray(chest, dicom, write, attributes, what) -> None:
    path = write(dicom(chest(), **attributes))
    with pytest.raises(UnsupportedImageError, match=what) as caught:
        load_radiograph(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"Rows": 95}, "15360 bytes where Rows x Columns need 15200"),
        ({"Rows": 97}, "need 15520"),
        ({"Columns": 160}, "need 30720"),
        ({"Rows": 0}, "missing or zero"),
        ({"Columns": None}, "missing or zero"),
        ({"PixelData": b""}, "empty"),
        ({"PixelData": None}, "no pixel data"),
        ({"SamplesPerPixel": 3}, "3 samples"),
    ],
)
def test_headers_that_do_not_fit_the_data(chest, dicom, write, attributes, what) -> None:
    with pytest.raises(UnreadableFileError, match=what):
        load_radiograph(write(dicom(chest(), **attributes)))


def test_no_image_at_all(write, dicom, chest) -> None:
    data = dicom(chest())
    for keyword in ("PixelData", "Rows", "Columns"):
        del data[keyword]
    with pytest.raises(UnsupportedImageError, match="no pixel data"):
        load_radiograph(write(data))


def test_a_huge_size_is_refused_before_memory_is_asked_for(chest, dicom, write) -> None:
    with pytest.raises(UnsupportedImageError, match="65535 x 65535"):
        load_radiograph(write(dicom(chest(), Rows=65535, Columns=65535)))


def test_a_deflate_bomb_is_refused(chest, dicom, write, monkeypatch) -> None:
    monkeypatch.setattr(checks, "MAX_FILE_BYTES", 1_000_000)
    data = dicom(chest())
    data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    path = write(data)
    raw = path.read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path.write_bytes(raw[:start] + deflate.compress(b"\0" * 50_000_000) + deflate.flush())
    assert path.stat().st_size < 100_000
    with pytest.raises(UnsupportedImageError, match="unpacks"):
        load_radiograph(path)


@pytest.mark.parametrize(
    ("attributes", "flag"),
    [
        ({"Modality": "OT", "SOPClassUID": SECONDARY}, Flag.UNDECLARED),
        ({"Modality": "", "SOPClassUID": SECONDARY}, Flag.UNDECLARED),
        ({"BodyPartExamined": ""}, Flag.UNDECLARED),
        ({"BodyPartExamined": None}, Flag.UNDECLARED),
        ({"PresentationIntentType": "FOR PROCESSING"}, Flag.RAW_DETECTOR),
    ],
)
def test_doubts_are_flagged(chest, dicom, write, attributes, flag) -> None:
    assert flag in load_radiograph(write(dicom(chest(), **attributes))).flags


@pytest.mark.parametrize(
    "attributes",
    [
        {"BodyPartExamined": "THORAX"},
        {"BodyPartExamined": "PORT CHEST"},
        {"BodyPartExamined": "", "SeriesDescription": "Chest PA"},
        {"BodyPartExamined": "", "StudyDescription": "XR CHEST 2 VIEWS"},
        {"Modality": "CR", "SOPClassUID": SECONDARY},
    ],
)
def test_a_declared_chest_has_no_such_flag(chest, dicom, write, attributes) -> None:
    assert Flag.UNDECLARED not in load_radiograph(write(dicom(chest(), **attributes))).flags


def test_the_anatomic_region_counts(chest, dicom, write) -> None:
    def data(meaning: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "SCT", meaning
        return dicom(chest(), BodyPartExamined="", AnatomicRegionSequence=Sequence([item]))

    assert Flag.UNDECLARED not in load_radiograph(write(data("Thoracic region"))).flags
    with pytest.raises(UnsupportedImageError, match="Knee"):
        load_radiograph(write(data("Knee")))


def test_identifiers_and_person(chest, dicom, write) -> None:
    got = load_radiograph(write(dicom(chest())))
    assert (got.patient, got.study, got.sop_instance) == ("patient-1", "1.2.3", "1.2.3.4")
    assert (got.study_date, got.sex, got.age) == ("20240131", "F", 41.0)
    bare = load_radiograph(write(dicom(chest(), PatientID="", PatientSex="X", PatientAge="", StudyDate="")))
    assert bare.patient.startswith("image-")
    assert (bare.study_date, bare.sex, bare.age) == ("", "", None)


@pytest.mark.parametrize(
    ("text", "years"), [("018M", 1.5), ("62", 62.0), ("000Y", 0.0), ("1000Y", None), ("old", None)]
)
def test_age(chest, dicom, write, text, years) -> None:
    path = write(dicom(chest(), PatientAge="041Y"))
    raw = path.read_bytes()
    place = raw.index(b"041Y")
    padded = text.encode() + b" " * (len(text) % 2)
    path.write_bytes(raw[: place - 2] + len(padded).to_bytes(2, "little") + padded + raw[place + 4 :])
    assert load_radiograph(path).age == years


def test_colour_in_dicom(chest, dicom, write) -> None:
    rgb = np.stack([chest(bits=8, dtype="u1", seed=seed) for seed in (1, 2, 3)], axis=-1)
    rgb[..., 0] = 255 - rgb[..., 0]
    data = dicom(rgb[..., 0])
    data.SamplesPerPixel, data.PlanarConfiguration, data.PhotometricInterpretation = 3, 0, "RGB"
    data.PixelData = rgb.tobytes()
    got = load_radiograph(write(data))
    np.testing.assert_allclose(got.pixels, (rgb @ np.array([0.299, 0.587, 0.114])) / 255, atol=1e-6)
    assert Flag.COLOUR in got.flags
    data.Modality, data.BodyPartExamined, data.SOPClassUID = "OT", "", SECONDARY
    with pytest.raises(UnsupportedImageError, match="colour"):
        load_radiograph(write(data))


def test_without_preamble_and_meta(chest, dicom, write, tmp_path) -> None:
    data = dicom(chest(), WindowCenter="2048", WindowWidth="4096")
    expected = load_radiograph(write(data))
    del data.file_meta
    path = tmp_path / "bare.dcm"
    data.save_as(path, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(load_radiograph(path).pixels, expected.pixels)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"This is a report, not an image.\n" * 20, "neither DICOM, PNG nor JPEG"),
        (b"\0" * 128 + b"DICM", "not DICOM|cannot be read"),
        (b"\0" * 128 + b"DICM" + b"just some text" * 50, "not DICOM|cannot be read"),
        (b"\x08\x00 plain text that begins like a tag" * 9, "not DICOM|cannot be read"),
    ],
)
def test_files_of_another_kind(tmp_path, content, what) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=what):
        load_radiograph(path)


def test_missing_file_and_folder(tmp_path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        load_radiograph(tmp_path / "nothing.dcm")
    with pytest.raises(UnreadableFileError, match="folder"):
        load_radiograph(tmp_path)
    with pytest.raises(UnreadableFileError):
        load_radiograph(tmp_path / "bad\0name")


def test_damaged_optional_fields_are_named_not_fatal(chest, dicom, write) -> None:
    path = write(dicom(chest(), WindowCenter="2048", WindowWidth="4096"))
    raw = path.read_bytes().replace(b"2048", b"20x8")
    path.write_bytes(raw)
    got = load_radiograph(path)
    assert {Flag.HEADER_IGNORED, Flag.NO_WINDOW} <= set(got.flags)
    assert any("WindowCenter" in step for step in got.applied)
    assert dcmread(path).PatientID == "patient-1"
