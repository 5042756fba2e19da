"""What is read of the query's file, and what is refused."""

import pytest

from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.errors import OutputError, UnreadableFileError


def test_a_picture_without_a_header_is_refused(toy, tmp_path):
    path = toy.save(tmp_path / "query.png", seed=1)
    with pytest.raises(OutputError, match=r"query\.png: a PNG or JPEG says neither whose.*DICOM file"):
        read_source(path)


@pytest.mark.parametrize(
    ("keyword", "name"),
    [("StudyInstanceUID", "Study Instance UID"), ("SeriesInstanceUID", "Series Instance UID")],
)
@pytest.mark.parametrize("value", [None, "", "not a uid"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_an_identifier_that_is_missing_is_named(xray, keyword, name, value):
    with pytest.raises(OutputError, match=rf"query\.dcm: the header has no valid {name}\. Send the image"):
        read_source(xray(**{keyword: value}))


def test_the_instance_is_known_from_the_file_meta_information_too(xray):
    source = read_source(xray(SOPInstanceUID=None, SOPClassUID=None))
    assert source.sop_instance == "1.2.3"


@pytest.mark.parametrize("value", [["A", "B"], "P" * 65])
@pytest.mark.filterwarnings("ignore:The value length")
def test_a_patient_id_that_cannot_be_repeated_is_refused(xray, value):
    with pytest.raises(OutputError, match="Patient ID"):
        read_source(xray(PatientID=value))


def test_only_patient_and_study_are_taken_over(xray):
    reference = read_source(
        xray(InstitutionName="Ward 7", OperatorsName="Op^One", DeviceSerialNumber="9")
    ).reference
    assert "Ward 7" not in str(reference)
    assert "Op^One" not in str(reference)
    assert (reference.StudyID, reference.PatientSex, reference.Rows) == ("S1", "M", 160)


def test_that_an_image_is_deidentified_is_said_again(xray):
    reference = read_source(xray(PatientIdentityRemoved="YES", DeidentificationMethod="Basic")).reference
    assert (reference.PatientIdentityRemoved, reference.DeidentificationMethod) == ("YES", "Basic")
    assert "PatientIdentityRemoved" not in read_source(xray(PatientIdentityRemoved="NO")).reference


def test_a_file_that_cannot_be_read_is_the_pixel_paths_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(UnreadableFileError, match="neither DICOM, PNG nor JPEG"):
        read_source(tmp_path / "notes.txt")
