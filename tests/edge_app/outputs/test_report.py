"""The structured report, read back by highdicom and judged by dciodvfy."""

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from edge_retrieve.edge_app.outputs import codes
from edge_retrieve.edge_app.outputs.report import structured_report
from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box

sr = pytest.importorskip("highdicom.sr")


def read(output):
    return sr.srread(io.BytesIO(output.data))


def groups(document, template):
    found = document.ContentSequence[-1].ContentSequence
    return [each for each in found if each.ContentTemplateSequence[0].TemplateIdentifier == template]


def texts(group, name):
    return [
        item.TextValue
        for item in group.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeMeaning == name
    ]


def numbers(group):
    return {
        item.ConceptNameCodeSequence[0].CodeValue: float(item.MeasuredValueSequence[0].NumericValue)
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }


def test_it_is_filed_in_the_study_of_the_image(xray, content):
    source = read_source(xray())
    document = read(structured_report(source, content))
    assert document.StudyInstanceUID == "1.2.826.0.1.77.1"
    assert document.SeriesInstanceUID != "1.2.826.0.1.77.1.1"
    assert (document.PatientID, document.AccessionNumber) == ("PID-77", "ACC-77")
    assert document.SpecificCharacterSet == "ISO_IR 192"
    assert str(document.PatientName) == "Müller^Jörg"
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.826.0.1.77.1.1"
    instance = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert instance.ReferencedSOPInstanceUID == "1.2.826.0.1.77.1.1.1"


def test_nothing_is_verified_unless_a_person_accepts_it(xray, content_with, box, known):
    source = read_source(xray())
    draft = read(structured_report(source, content_with(box)))
    assert (draft.PreliminaryFlag, draft.CompletionFlag, draft.VerificationFlag) == (
        "PRELIMINARY",
        "PARTIAL",
        "UNVERIFIED",
    )
    assert "VerifyingObserverSequence" not in draft
    assert "PRELIMINARY" in " ".join(texts(groups(draft, "1501")[0], "Comment"))
    accepted = read(structured_report(source, content_with(box, known.acceptance)))
    assert (accepted.PreliminaryFlag, accepted.CompletionFlag, accepted.VerificationFlag) == (
        "FINAL",
        "COMPLETE",
        "VERIFIED",
    )
    observer = accepted.VerifyingObserverSequence[0]
    assert str(observer.VerifyingObserverName) == "Doe^Jane"
    assert observer.VerificationDateTime == "20260304060000"


def test_places_cases_and_origin_stand_in_it(xray, content_with, box, known):
    document = read(structured_report(read_source(xray()), content_with(box)))
    (place,) = groups(document, "1410")
    (outline,) = (item for item in place.ContentSequence if item.ValueType == "SCOORD")
    assert list(outline.GraphicData) == pytest.approx([20, 80, 60, 80, 60, 130, 20, 130, 20, 80])
    (site,) = sr.PlanarROIMeasurementsAndQualitativeEvaluations.from_sequence([place]).finding_sites
    assert (site.value.value, site.laterality.value) == ("281394001", "24028007")
    assert numbers(place) == {
        codes.CASES.value: 2,
        codes.CASES_WITH_FINDING.value: 2,
        codes.PROBABILITY.value: 0.81,
    }
    search, *cases = groups(document, "1501")
    parameters = texts(search, "Algorithm Parameters")
    assert f"bundle: {known.origin.bundle_id}" in parameters
    assert f"archive SHA-256: {known.origin.archive_sha256}" in parameters
    assert [numbers(case) for case in cases] == [
        {codes.SIMILARITY.value: 0.9, codes.PROBABILITY.value: 0.81},
        {codes.SIMILARITY.value: 0.8, codes.PROBABILITY.value: 0.64},
    ]
    assert texts(cases[0], "Comment") == ["Small right pleural effusion — unchanged."]


def test_a_box_on_a_mirrored_display_is_stored_on_the_other_side(xray, content_with, box):
    source = read_source(xray(PatientOrientation=["R", "F"]))
    document = read(structured_report(source, content_with(box)))
    (place,) = groups(document, "1410")
    (outline,) = (item for item in place.ContentSequence if item.ValueType == "SCOORD")
    assert list(outline.GraphicData)[:4] == pytest.approx([68, 80, 108, 80])


def test_other_patients_are_named_nowhere(xray, content, known):
    data = structured_report(read_source(xray()), content).data
    for study in known.studies:
        assert study.encode() not in data


def test_what_a_person_drew_is_told_from_what_the_model_sees(xray, content_with, box):
    drawn = Box(30.0, 90.0, 50.0, 110.0)
    document = read(structured_report(read_source(xray()), content_with(box, drawn=drawn)))
    (place,) = groups(document, "1410")
    told = {
        item.ConceptNameCodeSequence[0].CodeValue: item.ConceptCodeSequence[0].CodeMeaning
        for item in place.ContentSequence
        if item.ValueType == "CODE"
    }
    assert told[codes.DRAWN_BY.value] == "Person"


def test_where_the_search_abstained_no_case_is_evidence(xray, content_with, box):
    document = read(structured_report(read_source(xray()), content_with(box, abstained=True)))
    (search,) = groups(document, "1501")
    assert numbers(search) == {codes.CASES.value: 0}
    assert codes.ABSTAINED.meaning in str(search)


def test_an_accepted_report_is_the_conclusion(xray, content_with, box, known, conformance_errors):
    accepted = replace(known.acceptance, report="FINDINGS: opacity, right base.\nIMPRESSION: pneumonia?")
    output = structured_report(read_source(xray()), content_with(box, accepted))
    evaluations = read(output).ContentSequence[-1]
    assert evaluations.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    (conclusion,) = evaluations.ContentSequence
    assert conclusion.TextValue == accepted.report
    assert conformance_errors(output.data) == ([], "ComprehensiveSR")


def test_highdicom_finds_the_groups_by_their_templates(xray, content_with, box):
    document = read(structured_report(read_source(xray()), content_with(box)))
    report = document.content
    (place,) = report.get_planar_roi_measurement_groups()
    assert place.tracking_identifier == "right lower lung zone"
    np.testing.assert_allclose(place.roi.value[0], [20, 80])
    names = [group.tracking_identifier for group in report.get_image_measurement_groups()]
    assert names[0] == "Search for similar cases"
    assert len(names) == 3


def test_equal_inputs_give_equal_bytes_and_others_other_uids(xray, content_with, box, known):
    source = read_source(xray())
    first, second = (structured_report(source, content_with(box)) for _ in range(2))
    assert first == second
    other = structured_report(source, content_with(box, known.acceptance))
    assert other.sop_instance != first.sop_instance


@pytest.mark.parametrize("accepted", [False, True])
def test_dciodvfy_finds_no_error(xray, content_with, box, known, conformance_errors, accepted):
    content = content_with(box, known.acceptance if accepted else None)
    output = structured_report(read_source(xray()), content)
    assert conformance_errors(output.data) == ([], "ComprehensiveSR")
    assert (
        pydicom.dcmread(io.BytesIO(output.data)).file_meta.MediaStorageSOPInstanceUID == output.sop_instance
    )
