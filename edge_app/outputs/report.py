"""The result as a structured report: TID 1500 "Measurement Report" in a Comprehensive SR (PS3.16 A).

Comprehensive SR and not Comprehensive 3D SR: a projection has no coordinates in space, and more viewers
show it. One measurement group says what was searched and found, one each place (TID 1410, with its outline),
one each similar case (TID 1501).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom import sr
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.valuerep import DT

from edge_retrieve.edge_app.outputs import codes
from edge_retrieve.edge_app.outputs.content import DISCLAIMER, CitedCase, Content, Place
from edge_retrieve.edge_app.outputs.equipment import (
    MANUFACTURER,
    coded,
    identity_of,
    own_scheme,
    to_output,
)
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.edge_app.outputs.uids import name_based_uid
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_NO_UNIT = codes.Code("1", "UCUM", "no units")
_CONTAINS = sr.RelationshipTypeValues.CONTAINS


def structured_report(source: SourceImage, content: Content) -> Output:
    """Return a result as a DICOM structured report.

    PRELIMINARY, PARTIAL and UNVERIFIED unless a person has accepted it.

    Parameters
    ----------
    source : SourceImage
    content : Content
    """
    identity = identity_of(OutputKind.SR, source, content)
    groups = [
        _search_group(source, content),
        *(_place_group(source, content, place) for place in content.places),
        *(_case_group(source, content, case) for case in content.cases),
    ]
    accepted = content.acceptance
    with captured_warnings():
        report = sr.MeasurementReport(
            observation_context=_observers(content),
            procedure_reported=coded(codes.PLAIN_RADIOGRAPHY),
            imaging_measurements=groups,
            title=dicom_codes.DCM.ImagingMeasurementReport,
        )
        if accepted is not None and accepted.report:
            report[0].ContentSequence.append(_accepted_report(accepted.report))
        document = sr.ComprehensiveSR(
            evidence=[source.reference],
            content=report,
            series_instance_uid=identity.series_uid,
            series_number=identity.series_number,
            series_description=identity.series_description,
            sop_instance_uid=identity.sop_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=identity.model_name,
            software_versions=identity.software,
            device_serial_number=identity.serial_number,
            is_complete=accepted is not None,
            is_final=accepted is not None,
            is_verified=accepted is not None,
            verifying_observer_name=None if accepted is None else accepted.observer,
            verifying_organization=None if accepted is None else accepted.organization,
            coding_schemes=[own_scheme()],
        )
    if accepted is not None:
        document.VerifyingObserverSequence[0].VerificationDateTime = DT(accepted.at.replace(tzinfo=None))
    return to_output(OutputKind.SR, document, source, content)


def _accepted_report(text: str) -> sr.ContainerContentItem:
    """Return what a person says in words: rows 12 and 14 of TID 1500."""
    container = sr.ContainerContentItem(
        coded(codes.Code("C0034375", "UMLS", "Qualitative Evaluations")), relationship_type=_CONTAINS
    )
    conclusion = sr.TextContentItem(dicom_codes.DCM.Conclusion, text, relationship_type=_CONTAINS)
    container.ContentSequence = sr.ContentSequence([conclusion])
    return container


def _observers(content: Content) -> sr.ObservationContext:
    origin, accepted = content.origin, content.acceptance
    device = sr.ObserverContext(
        dicom_codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            uid=name_based_uid("device", origin.bundle_id),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=origin.model_id,
            serial_number=origin.bundle_id,
        ),
    )
    person = None
    if accepted is not None:
        person = sr.ObserverContext(
            dicom_codes.DCM.Person,
            sr.PersonObserverIdentifyingAttributes(
                name=accepted.observer,
                login_name=accepted.login or None,
                organization_name=accepted.organization,
            ),
        )
    return sr.ObservationContext(observer_person_context=person, observer_device_context=device)


def _search_group(source: SourceImage, content: Content) -> sr.MeasurementsAndQualitativeEvaluations:
    origin = content.origin
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(source, "Search for similar cases"),
        algorithm_id=sr.AlgorithmIdentification(
            name=MANUFACTURER,
            version=origin.software,
            parameters=[
                f"model: {origin.model_id}",
                f"bundle: {origin.bundle_id}",
                f"archive: {origin.archive}{' (synthetic)' if origin.synthetic else ''}",
                f"archive SHA-256: {origin.archive_sha256}",
                f"studies in archive: {origin.studies}",
            ],
        ),
        measurements=[_measurement(codes.CASES, len(content.cases))],
        qualitative_evaluations=[_evaluation(codes.SEARCH_OUTCOME, _outcome(content))],
    )
    _add_comments(group, [f"{content.status}. {DISCLAIMER}"])
    return group


def _outcome(content: Content) -> codes.Code:
    return codes.FOUND if content.cases else codes.ABSTAINED


def _place_group(
    source: SourceImage, content: Content, place: Place
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    box = source.geometry.to_stored(place.box)
    outline = np.asarray(
        [
            [box.x1, box.y1],
            [box.x2, box.y1],
            [box.x2, box.y2],
            [box.x1, box.y2],
            [box.x1, box.y1],
        ]
    )
    measurements = [_measurement(codes.CASES, place.cases)]
    evaluations = [_evaluation(codes.DRAWN_BY, codes.BY_PERSON if place.drawn else codes.BY_MODEL)]
    if place.finding is not None:
        evaluations.append(_evaluation(codes.SHARED_FINDING, codes.FINDINGS[place.finding]))
        measurements.append(_measurement(codes.CASES_WITH_FINDING, place.stating))
    if place.probability is not None:
        measurements.append(_measurement(codes.PROBABILITY, place.probability))
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(source, place.name, str(box)),
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=outline,
            source_image=sr.SourceImageForRegion(
                str(source.reference.SOPClassUID), str(source.reference.SOPInstanceUID)
            ),
        ),
        finding_type=dicom_codes.DCM.SelectedRegion,
        finding_sites=_sites(place.regions),
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )


def _case_group(
    source: SourceImage, content: Content, case: CitedCase
) -> sr.MeasurementsAndQualitativeEvaluations:
    measurements = [_measurement(codes.SIMILARITY, case.score)]
    if case.probability is not None:
        measurements.append(_measurement(codes.PROBABILITY, case.probability))
    stated = dict.fromkeys(match.finding for match in case.matches if match.finding is not None)
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(source, f"Similar case {case.rank}: {case.case}"),
        finding_sites=_sites(list(dict.fromkeys(match.region for match in case.matches))),
        measurements=measurements,
        qualitative_evaluations=[
            _evaluation(codes.FINDING_OF_CASE, codes.FINDINGS[finding]) for finding in stated
        ],
    )
    _add_comments(group, case.sentences)
    return group


def _tracking(source: SourceImage, name: str, more: str = "") -> sr.TrackingIdentifier:
    # Without the time: the same place found again is the same thing tracked.
    return sr.TrackingIdentifier(name_based_uid("tracking", source.sop_instance, name, more), name)


def _sites(regions: Sequence[Region | None]) -> list[sr.FindingSite]:
    return [
        sr.FindingSite(coded(codes.CHEST))
        if region is None
        else sr.FindingSite(coded(codes.site_of(region)), _side(region))
        for region in regions
    ]


def _side(region: Region) -> sr.CodedConcept | None:
    side = codes.SIDES.get(region.laterality)
    return None if side is None else coded(side)


def _measurement(name: codes.Code, value: float) -> sr.Measurement:
    return sr.Measurement(coded(name), value if isinstance(value, int) else round(value, 4), coded(_NO_UNIT))


def _evaluation(name: codes.Code, value: codes.Code) -> sr.QualitativeEvaluation:
    return sr.QualitativeEvaluation(coded(name), coded(value))


def _add_comments(group: sr.MeasurementsAndQualitativeEvaluations, texts: Sequence[str]) -> None:
    """Add free text to a measurement group, which its template lets extend."""
    for text in texts:
        group[0].ContentSequence.append(
            sr.TextContentItem(dicom_codes.DCM.Comment, text, relationship_type=_CONTAINS)
        )
