"""The result as FHIR R4 resources (hl7.org/fhir/R4): a collection Bundle with a DiagnosticReport.

It names patient, study and order by the identifiers of the source and by nothing else.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from edge_retrieve.edge_app.outputs import codes
from edge_retrieve.edge_app.outputs.content import DISCLAIMER, CitedCase, Content, Place
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.edge_app.outputs.uids import name_based_uuid
from edge_retrieve.runtime.anatomy import Region

Json = dict[str, Any]

_LOINC = "http://loinc.org"
_UID_SYSTEM = "urn:dicom:uid"
_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_SERVICES = "http://terminology.hl7.org/CodeSystem/v2-0074"


def fhir_bundle(source: SourceImage, content: Content) -> Output:
    """Return a result as a FHIR bundle: DiagnosticReport, Observations, ImagingStudy and Device.

    The report and its observations are ``preliminary`` unless a person has accepted them.

    Parameters
    ----------
    source : SourceImage
    content : Content
    """
    bundle = _Bundle(source, content)
    data = json.dumps(bundle.document(), ensure_ascii=False, indent=2).encode()
    return Output(OutputKind.FHIR, "fhir.json", "application/fhir+json", data, "", "", source.study)


class _Bundle:
    """Makes the resources of one bundle, which refer to one another by ``urn:uuid``."""

    def __init__(self, source: SourceImage, content: Content) -> None:
        self._source, self._content = source, content
        self._said = repr(content)
        self._status = "preliminary" if content.acceptance is None else "final"
        # FHIR wants an offset with every time of day: that of this machine's clock.
        self._made = content.made.astimezone().isoformat(timespec="milliseconds")

    def document(self) -> Json:
        places = {self._url(f"place {n}"): self._place(each) for n, each in enumerate(self._content.places)}
        cases = {self._url(f"case {each.rank}"): self._case(each) for each in self._content.cases}
        observations: Mapping[str, Json] = {**places, **cases}
        entries = {
            self._url("report"): self._report(tuple(observations)),
            **observations,
            self._url("study"): self._study(),
            self._url("device"): self._device(),
        }
        return {
            "resourceType": "Bundle",
            "id": str(self._uuid("bundle")),
            "type": "collection",
            "timestamp": self._made,
            "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries.items()],
        }

    def _uuid(self, name: str) -> uuid.UUID:
        return name_based_uuid("fhir", name, self._source.sop_instance, self._said)

    def _url(self, name: str) -> str:
        return f"urn:uuid:{self._uuid(name)}"

    def _report(self, observations: Sequence[str]) -> Json:
        accepted = self._content.acceptance
        report: Json = {
            "resourceType": "DiagnosticReport",
            "id": str(self._uuid("report")),
            "status": self._status,
            "category": [{"coding": [{"system": _SERVICES, "code": "RAD", "display": "Radiology"}]}],
            "code": {
                "coding": [{"system": _LOINC, "code": "18748-4", "display": "Diagnostic imaging study"}],
                "text": "Similar cases for a chest X-ray",
            },
            "subject": self._patient(),
            "issued": self._made,
            "performer": [{"reference": self._url("device"), "display": "edge-retrieve"}],
            "result": [{"reference": url} for url in observations],
            "imagingStudy": [{"reference": self._url("study")}],
            "conclusion": f"{self._content.status}. {self._content.outcome}. {DISCLAIMER}",
        }
        if accepted is not None:
            if accepted.report:
                report["conclusion"] = f"{accepted.report}\n\n{report['conclusion']}"
            report["resultsInterpreter"] = [{"display": f"{accepted.observer}, {accepted.organization}"}]
        accession = str(self._source.reference.AccessionNumber)
        if accession:
            report["basedOn"] = [{"type": "ServiceRequest", "identifier": _identifier("ACSN", accession)}]
        return report

    def _patient(self) -> Json:
        reference = self._source.reference
        subject: Json = {"type": "Patient"}
        if reference.PatientID:
            subject["identifier"] = _identifier("MR", str(reference.PatientID))
        if reference.PatientName:
            subject["display"] = str(reference.PatientName).partition("=")[0].replace("^", " ").strip()
        return subject

    def _place(self, place: Place) -> Json:
        box = self._source.geometry.to_stored(place.box)
        components = [
            _component(codes.DRAWN_BY, {"valueCodeableConcept": _concept(_drawn_by(place))}),
            _component(codes.CASES, {"valueInteger": place.cases}),
        ]
        if place.finding is not None:
            finding = _concept(codes.FINDINGS[place.finding])
            components.append(_component(codes.SHARED_FINDING, {"valueCodeableConcept": finding}))
            components.append(_component(codes.CASES_WITH_FINDING, {"valueInteger": place.stating}))
        if place.probability is not None:
            components.append(_component(codes.PROBABILITY, _number(place.probability)))
        edges = ", ".join(f"{edge:.1f}" for edge in box.as_tuple())
        where = f"Columns and rows of the stored image, left, top, right, bottom: {edges}"
        observation = self._observation(codes.SEARCH_OUTCOME, place.regions, components, [where])
        found = codes.FOUND if self._content.cases else codes.ABSTAINED
        observation["valueCodeableConcept"] = _concept(found)
        return observation

    def _case(self, case: CitedCase) -> Json:
        components = [_component(codes.SIMILARITY, _number(case.score))]
        if case.probability is not None:
            components.append(_component(codes.PROBABILITY, _number(case.probability)))
        stated = dict.fromkeys(match.finding for match in case.matches if match.finding is not None)
        components += [
            _component(codes.FINDING_OF_CASE, {"valueCodeableConcept": _concept(codes.FINDINGS[finding])})
            for finding in stated
        ]
        regions = list(dict.fromkeys(match.region for match in case.matches))
        observation = self._observation(codes.SIMILAR_CASE, regions, components, case.sentences)
        observation["valueString"] = f"{case.rank}. case {case.case}"
        return observation

    def _observation(
        self,
        code: codes.Code,
        regions: Sequence[Region | None],
        components: list[Json],
        notes: Sequence[str],
    ) -> Json:
        observation: Json = {
            "resourceType": "Observation",
            "status": self._status,
            "category": [{"coding": [{"system": _CATEGORIES, "code": "imaging", "display": "Imaging"}]}],
            "code": _concept(code),
            "subject": self._patient(),
            "issued": self._made,
            "device": {"reference": self._url("device")},
            "derivedFrom": [{"reference": self._url("study")}],
            "component": components,
        }
        if regions:
            # One coding a region: R4 has room for one body site.
            names = ", ".join("whole image" if region is None else region.value for region in regions)
            first = codes.CHEST if regions[0] is None else codes.site_of(regions[0])
            observation["bodySite"] = {**_concept(first), "text": names}
        if notes:
            observation["note"] = [{"text": note} for note in notes]
        return observation

    def _study(self) -> Json:
        reference = self._source.reference
        study: Json = {
            "resourceType": "ImagingStudy",
            "id": str(self._uuid("study")),
            "identifier": [{"system": _UID_SYSTEM, "value": f"urn:oid:{reference.StudyInstanceUID}"}],
            "status": "available",
            "subject": self._patient(),
            "series": [
                {
                    "uid": str(reference.SeriesInstanceUID),
                    "modality": {
                        "system": codes.SYSTEMS[codes.DICOM],
                        "code": str(reference.Modality),
                    },
                    "instance": [
                        {
                            "uid": str(reference.SOPInstanceUID),
                            "sopClass": {
                                "system": "urn:ietf:rfc:3986",
                                "code": f"urn:oid:{reference.SOPClassUID}",
                            },
                        }
                    ],
                }
            ],
        }
        if reference.StudyDate:
            day = str(reference.StudyDate)
            study["started"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        return study

    def _device(self) -> Json:
        origin = self._content.origin
        synthetic = " (synthetic)" if origin.synthetic else ""
        return {
            "resourceType": "Device",
            "id": str(self._uuid("device")),
            "manufacturer": "edge-retrieve",
            "deviceName": [{"name": origin.model_id, "type": "model-name"}],
            "serialNumber": origin.bundle_id,
            "version": [{"value": origin.software}],
            "note": [
                {"text": f"Archive {origin.archive}{synthetic}: {origin.studies} studies"},
                {"text": f"Archive SHA-256: {origin.archive_sha256}"},
            ],
        }


def _drawn_by(place: Place) -> codes.Code:
    return codes.BY_PERSON if place.drawn else codes.BY_MODEL


def _identifier(kind: str, value: str) -> Json:
    return {"type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": kind}]}, "value": value}


def _concept(code: codes.Code) -> Json:
    coding = {"system": codes.SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}
    return {"coding": [coding], "text": code.meaning}


def _component(code: codes.Code, value: Json) -> Json:
    return {"code": _concept(code), **value}


def _number(value: float) -> Json:
    unit = {"system": "http://unitsofmeasure.org", "code": "1"}
    return {"valueQuantity": {"value": round(value, 4), **unit}}
