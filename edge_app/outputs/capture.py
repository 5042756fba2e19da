"""The page of a result as a Secondary Capture image (PS3.3 A.8.1), for viewers that show nothing else."""

from __future__ import annotations

from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes

from edge_retrieve.edge_app.outputs.content import Content
from edge_retrieve.edge_app.outputs.equipment import MANUFACTURER, identity_of, to_output
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.page import draw_page
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.runtime.preprocess.quiet import captured_warnings


def secondary_capture(source: SourceImage, content: Content) -> Output:
    """Return the page of a result as a DICOM image.

    Parameters
    ----------
    source : SourceImage
    content : Content
    """
    identity, reference = identity_of(OutputKind.SC, source, content), source.reference
    with captured_warnings():
        image = SCImage(
            pixel_array=draw_page(source.radiograph.pixels, content),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),
            study_instance_uid=reference.StudyInstanceUID,
            series_instance_uid=identity.series_uid,
            series_number=identity.series_number,
            series_description=identity.series_description,
            sop_instance_uid=identity.sop_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=identity.model_name,
            software_versions=identity.software,
            device_serial_number=identity.serial_number,
            patient_id=reference.PatientID,
            patient_name=reference.PatientName,
            patient_birth_date=reference.PatientBirthDate,
            patient_sex=reference.PatientSex,
            accession_number=reference.AccessionNumber,
            study_id=reference.StudyID,
            study_date=reference.StudyDate or None,
            study_time=reference.StudyTime or None,
            referring_physician_name=reference.ReferringPhysicianName,
            specific_character_set="ISO_IR 192",
        )
    image.copy_patient_and_study_information(reference)
    image.PatientOrientation = None  # a page of text and picture has none; type 2C
    image.BodyPartExamined = "CHEST"  # no paired part: a series needs no Laterality then
    image.ImageComments = content.status
    image.SourceImageSequence = [_source_item(reference)]
    return to_output(OutputKind.SC, image, source, content)


def _source_item(reference: Dataset) -> Dataset:
    item, purpose = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
        reference.SOPClassUID,
        reference.SOPInstanceUID,
    )
    code = dicom_codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item
