"""Sources of every sort, pydicom's test files and real X-rays among them: fit objects or a clear error."""

import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from edge_retrieve.edge_app.outputs.kinds import OutputKind
from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import OutputError, PixelError

pytest.importorskip("highdicom")
from edge_retrieve.edge_app.outputs.making import make_outputs

REAL = Path(__file__).parents[4] / "shared" / "data" / "samples"
BLANK = {
    "PatientName": None, "PatientID": None, "PatientBirthDate": None, "PatientSex": None, "StudyDate": None,
    "StudyTime": None, "StudyID": None, "AccessionNumber": None, "ReferringPhysicianName": None,
    "SpecificCharacterSet": None, "Modality": None, "StudyDescription": None, "PatientAge": None,
    "PatientOrientation": None,
}  # fmt: skip
WRONG = {
    "PatientBirthDate": "1960-13-99", "StudyDate": "07/06/25", "StudyTime": "25:99", "PatientAge": "sixty",
    "PatientSex": "MALE", "AccessionNumber": "A" * 40, "StudyID": "S" * 30, "StudyDescription": "d" * 100,
    "Modality": "cr",
}  # fmt: skip


def all_of(source, content_with):
    height, width = source.radiograph.pixels.shape
    box = Box(0.2 * width, 0.3 * height, 0.6 * width, 0.7 * height)
    return make_outputs(source, content_with(box))


def check(source, content_with, conformance_errors):
    outputs = all_of(source, content_with)
    assert {output.kind for output in outputs} >= {OutputKind.SR, OutputKind.SC, OutputKind.FHIR}
    for output in outputs:
        if output.kind.is_dicom:
            errors, _ = conformance_errors(output.data)
            assert not errors, f"{output.kind.value}: {errors}"


def changed(path, change):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about the values under test
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_source_without_anything_optional(xray, content_with, conformance_errors):
    check(read_source(xray(**BLANK)), content_with, conformance_errors)


def test_a_source_with_values_that_are_forbidden(xray, content_with, conformance_errors):
    def spoil(dataset):
        for keyword, value in WRONG.items():
            tag = pydicom.datadict.tag_for_keyword(keyword)
            dataset._dict[tag] = pydicom.dataelem.RawDataElement(
                tag, pydicom.datadict.dictionary_VR(tag), len(value), value.encode(), 0, False, True
            )

    source = read_source(changed(xray(), spoil))
    assert source.reference.AccessionNumber == ""
    assert "PatientAge" not in source.reference
    check(source, content_with, conformance_errors)


def test_private_attributes_are_not_taken_over(xray, content_with, conformance_errors):
    def add(dataset):
        block = dataset.private_block(0x0009, "SOME VENDOR", create=True)
        block.add_new(0x01, "LO", "private words")
        dataset.private_block(0x0011, "OTHER VENDOR", create=True).add_new(0x02, "UN", b"\x00\xff" * 40)

    source = read_source(changed(xray(), add))
    check(source, content_with, conformance_errors)
    assert not any(b"private words" in output.data for output in all_of(source, content_with))


@pytest.mark.parametrize(
    ("charset", "name", "read"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("ISO_IR 144", "Люк^Иван".encode("iso8859-5"), "Люк^Иван"),
        (None, "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("ISO_IR 192", "山田^太郎".encode(), "山田^太郎"),
        ("ISO_IR 6", "Müller^Jörg".encode(), None),
        ("NONSENSE", b"Doe^Jane", "Doe^Jane"),
    ],
)  # fmt: skip
def test_names_in_any_character_set(xray, content_with, conformance_errors, charset, name, read):
    stand_in = "X" * len(name)
    path = xray(PatientName=stand_in, SpecificCharacterSet=charset and "ISO_IR 100")
    data = path.read_bytes().replace(stand_in.encode(), name)
    path.write_bytes(data.replace(b"ISO_IR 100", f"{charset:10}".encode()) if charset else data)
    source = read_source(path)
    if read is not None:
        assert str(source.reference.PatientName) == read
    check(source, content_with, conformance_errors)


@pytest.mark.parametrize(
    "sop_class", ["1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.1.1.1"]
)
def test_other_classes_of_x_rays(xray, content_with, conformance_errors, sop_class):
    more = {"NumberOfFrames": "1"} if sop_class.endswith("7.2") else {}
    check(read_source(xray(SOPClassUID=sop_class, Modality="OT", **more)), content_with, conformance_errors)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_transfer_syntaxes(xray, content_with, conformance_errors, syntax):
    path = xray()
    dataset = pydicom.dcmread(path)
    if syntax is ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        path,
        dataset,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        force_encoding=True,
    )
    check(read_source(path), content_with, conformance_errors)


def test_every_file_of_pydicom_gives_fit_objects_or_a_clear_error(content_with, conformance_errors):
    made = 0
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        try:
            source = read_source(path)
        except (PixelError, OutputError):
            continue
        check(source, content_with, conformance_errors)
        made += 1
    assert made >= 1


def test_the_headers_of_pydicoms_character_set_files(xray, content_with, conformance_errors, tmp_path):
    """Names in Arabic, Chinese, Greek, Hebrew, Japanese, Korean, Russian: as pydicom reads them."""
    names = set()
    for path in sorted((Path(pydicom.__file__).parent / "data" / "charset_files").glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of the files are wrong on purpose
            theirs = pydicom.dcmread(path, force=True)
            name = str(theirs.get("PatientName", ""))
            ours = pydicom.dcmread(xray())
            ours.SpecificCharacterSet = theirs.get("SpecificCharacterSet", "")
            ours.PatientName = theirs.get("PatientName", "")
            ours.save_as(tmp_path / "grafted.dcm", enforce_file_format=True)
        source = read_source(tmp_path / "grafted.dcm")
        assert str(source.reference.PatientName) == name.rstrip("=^ ")
        (report,) = make_outputs(source, content_with(Box(9.0, 9.0, 60.0, 60.0)), [OutputKind.SR])
        errors, _ = conformance_errors(report.data)
        assert not errors, path.name
        names.add(name)
    assert len(names) > 10


@pytest.mark.skipif(not REAL.is_dir(), reason="the real X-rays of ../shared/data are not here")
def test_real_x_rays(content_with, conformance_errors):
    made = 0
    for path in sorted(REAL.glob("*.dcm")):
        try:
            source = read_source(path)
        except (PixelError, OutputError):
            continue
        check(source, content_with, conformance_errors)
        made += 1
    assert made >= 1
