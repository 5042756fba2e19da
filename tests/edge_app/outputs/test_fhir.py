"""The FHIR bundle, judged by models made from the specification (fhir.resources, R4B: R4's successor)."""

import json
from dataclasses import replace

import pytest

from edge_retrieve.edge_app.outputs.fhir import fhir_bundle
from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box


def bundle_of(source, content):
    return json.loads(fhir_bundle(source, content).data)


def resources(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def references(node):
    if isinstance(node, dict):
        if "reference" in node:
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize(
    "more", [{}, {"abstained": True}, {"calibrated": False}, {"drawn": Box(1.0, 2.0, 9.0, 9.0)}]
)
@pytest.mark.parametrize("accepted", [False, True])
def test_it_is_valid(xray, content_with, box, known, more, accepted):
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    content = content_with(box, known.acceptance if accepted else None, **more)
    models.Bundle.model_validate(bundle_of(read_source(xray()), content))


def test_every_reference_leads_somewhere(xray, content):
    bundle = bundle_of(read_source(xray()), content)
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert set(references(bundle)) <= urls
    assert len(urls) == len(bundle["entry"])


def test_it_is_preliminary_until_a_person_accepts_it(xray, content_with, box, known):
    source = read_source(xray())
    draft, final = (bundle_of(source, content_with(box, who)) for who in (None, known.acceptance))
    for bundle, status in ((draft, "preliminary"), (final, "final")):
        held = [*resources(bundle, "DiagnosticReport"), *resources(bundle, "Observation")]
        assert {each["status"] for each in held} == {status}
    assert "resultsInterpreter" not in resources(draft, "DiagnosticReport")[0]
    assert "Doe^Jane" in str(resources(final, "DiagnosticReport")[0]["resultsInterpreter"])


def test_an_accepted_report_is_the_conclusion(xray, content_with, box, known):
    accepted = replace(known.acceptance, report="IMPRESSION: normal.")
    (report,) = resources(bundle_of(read_source(xray()), content_with(box, accepted)), "DiagnosticReport")
    assert report["conclusion"].startswith("IMPRESSION: normal.\n")


def test_patient_study_and_order_are_those_of_the_source(xray, content, known):
    bundle = bundle_of(read_source(xray()), content)
    (report,), (study,) = resources(bundle, "DiagnosticReport"), resources(bundle, "ImagingStudy")
    assert report["subject"]["identifier"]["value"] == "PID-77"
    assert report["subject"]["display"] == "Müller Jörg"
    assert report["basedOn"][0]["identifier"]["value"] == "ACC-77"
    assert study["identifier"][0]["value"] == "urn:oid:1.2.826.0.1.77.1"
    assert study["series"][0]["instance"][0]["uid"] == "1.2.826.0.1.77.1.1.1"
    assert study["started"] == "2025-06-07"
    written = json.dumps(bundle)
    assert not any(name in written for name in known.studies)


def test_a_source_that_names_nobody_gives_no_identifier(xray, content):
    bundle = bundle_of(
        read_source(xray(PatientID="", PatientName="", AccessionNumber="", StudyDate="")), content
    )
    (report,) = resources(bundle, "DiagnosticReport")
    assert report["subject"] == {"type": "Patient"}
    assert "basedOn" not in report
    assert "started" not in resources(bundle, "ImagingStudy")[0]


def test_places_and_cases_are_observations(xray, content, known):
    place, first, second = resources(bundle_of(read_source(xray()), content), "Observation")
    assert place["bodySite"]["text"] == known.zone.value
    assert "20.0, 80.0, 60.0, 130.0" in place["note"][0]["text"]
    assert [each["valueString"][:2] for each in (first, second)] == ["1.", "2."]
    values = {part["code"]["text"]: part for part in first["component"]}
    assert values["Probability that case shares the finding"]["valueQuantity"]["value"] == 0.81
    assert values["Finding stated in similar case"]["valueCodeableConcept"]["coding"][0]["code"] == "60046008"
