"""Codes of regions, findings and what is said of them.

Taken from SNOMED CT and DICOM (PS3.16, mostly CID 6102 "Chest Finding or Feature") where they have the very
idea; what they lack, or what we could not verify, has a code of our own scheme with the words as meaning.
A code names what a report says, never more: "opacity" is not coded as an infiltrate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_retrieve.edge_app.outputs.uids import name_based_uid
from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.findings import Finding

SNOMED, DICOM, OWN = "SCT", "DCM", "99ERETRIEVE"
OWN_NAME = "edge-retrieve: regions, findings and similar-case evidence"
OWN_ORGANIZATION = "edge-retrieve"
OWN_UID = name_based_uid("coding scheme", OWN)
# As FHIR names code systems.
SYSTEMS = {
    SNOMED: "http://snomed.info/sct",
    DICOM: "http://dicom.nema.org/resources/ontology/DCM",
    OWN: f"urn:oid:{OWN_UID}",
}


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Parameters
    ----------
    value : str
    scheme : str
        DICOM's designator of the coding scheme.
    meaning : str
    """

    value: str
    scheme: str
    meaning: str


def _own(value: str, meaning: str) -> Code:
    # A value once given is never given to another idea: R regions, F findings, E evidence.
    return Code(value, OWN, meaning)


def _snomed(value: str, meaning: str) -> Code:
    return Code(value, SNOMED, meaning)


SIDES: Mapping[Laterality, Code] = {
    Laterality.RIGHT: _snomed("24028007", "Right"),
    Laterality.LEFT: _snomed("7771000", "Left"),
}

# Where regions are pairs, of both: the side is said apart.
_SITES: Mapping[str, Code] = {
    "lung": _snomed("39607008", "Lung"),
    "upper lung zone": _snomed("281392002", "Upper zone of lung"),
    "mid lung zone": _snomed("281393007", "Middle zone of lung"),
    "lower lung zone": _snomed("281394001", "Lower zone of lung"),
    "hilar structures": _snomed("46750007", "Hilum of lung"),
    "apical zone": _snomed("86598002", "Apex of Lung"),
    "costophrenic angle": _own("R01", "Costophrenic angle"),
    "hemidiaphragm": _snomed("5798000", "Diaphragm"),
    "clavicle": _snomed("51299004", "Clavicle"),
    "trachea": _snomed("44567001", "Trachea"),
    "spine": _snomed("421060004", "Spine"),
    "aortic arch": _snomed("57034009", "Aortic arch"),
    "mediastinum": _snomed("72410000", "Mediastinum"),
    "upper mediastinum": _own("R02", "Upper mediastinum"),
    "svc": _snomed("48345005", "Superior vena cava"),
    "cardiac silhouette": _snomed("80891009", "Heart"),
    "cavoatrial junction": _own("R03", "Cavoatrial junction"),
    "right atrium": _snomed("73829009", "Right atrium"),
    "carina": _snomed("28700002", "Carina"),
    "abdomen": _snomed("818981001", "Abdomen"),
}

CHEST = _snomed("816094009", "Chest")

FINDINGS: Mapping[Finding, Code] = {
    Finding.NODULE: _snomed("27925004", "Nodule"),
    Finding.MASS: _snomed("4147007", "Mass"),
    Finding.CALCIFIED_GRANULOMA: _own("F01", "Calcified granuloma"),
    Finding.CONSOLIDATION: _snomed("95436008", "Lung consolidation"),
    Finding.OPACITY: Code("112001", DICOM, "Opacity"),
    Finding.ATELECTASIS: _snomed("46621007", "Atelectasis"),
    Finding.INTERSTITIAL_OPACITY: Code("112004", DICOM, "Abnormal interstitial pattern"),
    Finding.PULMONARY_EDEMA: _snomed("19242006", "Pulmonary edema"),
    Finding.EMPHYSEMA: _snomed("87433001", "Pulmonary emphysema"),
    Finding.HYPERINFLATION: _own("F02", "Hyperinflation"),
    Finding.LOW_LUNG_VOLUMES: _own("F03", "Low lung volumes"),
    Finding.SCARRING: _snomed("12402003", "Scar tissue"),
    Finding.PLEURAL_EFFUSION: _snomed("60046008", "Pleural effusion"),
    Finding.PLEURAL_THICKENING: _own("F04", "Pleural thickening"),
    Finding.PNEUMOTHORAX: _snomed("36118008", "Pneumothorax"),
    Finding.ELEVATED_HEMIDIAPHRAGM: _own("F05", "Elevated hemidiaphragm"),
    Finding.CARDIOMEGALY: _snomed("8186001", "Cardiomegaly"),
    Finding.HILAR_ENLARGEMENT: _own("F06", "Hilar enlargement"),
    Finding.MEDIASTINAL_WIDENING: _own("F07", "Mediastinal widening"),
    Finding.AORTIC_ENLARGEMENT: _own("F08", "Aortic enlargement"),
    Finding.AORTIC_CALCIFICATION: _own("F09", "Aortic calcification"),
    Finding.HIATAL_HERNIA: _snomed("84089009", "Hiatal hernia"),
    Finding.RIB_FRACTURE: _snomed("33737001", "Fracture of rib"),
    Finding.CLAVICLE_FRACTURE: _snomed("58150001", "Fracture of clavicle"),
    Finding.SCOLIOSIS: _snomed("298382003", "Scoliosis deformity of spine"),
    Finding.DEGENERATIVE_SPINE: _own("F10", "Degenerative spine"),
    Finding.VERTEBRAL_DEFORMITY: _own("F11", "Vertebral deformity"),
    Finding.PACEMAKER: _snomed("14106009", "Cardiac pacemaker"),
    Finding.CENTRAL_LINE: Code("112174", DICOM, "Central line"),
    Finding.ENDOTRACHEAL_TUBE: _snomed("26412008", "Endotracheal tube"),
    Finding.ENTERIC_TUBE: _own("F12", "Enteric tube"),
    Finding.CHEST_TUBE: Code("112173", DICOM, "Chest tube"),
    Finding.STERNAL_WIRES: _own("F13", "Sternal wires"),
}

# What is asked and measured.
PLAIN_RADIOGRAPHY = _snomed("168537006", "Plain radiography")
SEARCH_OUTCOME = _own("E01", "Outcome of search for similar cases")
FOUND = _own("E02", "Similar cases found")
ABSTAINED = _own("E03", "No sufficiently similar case")
FINDING_OF_CASE = _own("E04", "Finding stated in similar case")
SHARED_FINDING = _own("E05", "Finding most often stated in similar cases")
CASES = _own("E06", "Number of similar cases")
CASES_WITH_FINDING = _own("E07", "Similar cases that state the finding")
SIMILARITY = _own("E08", "Similarity of case to query")
PROBABILITY = _own("E09", "Probability that case shares the finding")
DRAWN_BY = _own("E10", "Region outlined by")
BY_PERSON = _own("E11", "Person")
BY_MODEL = _own("E12", "Model")
SIMILAR_CASE = _own("E13", "Similar case of archive")


def site_of(region: Region) -> Code:
    """Return the code of a region without its side."""
    name = region.value
    side = region.laterality
    return _SITES[name if side is Laterality.MIDLINE else name.removeprefix(f"{side.value} ")]


def own_codes() -> tuple[Code, ...]:
    """Return every code of our own scheme, for its list in the documentation."""
    tables = (*_SITES.values(), *FINDINGS.values(), *(each for each in globals().values()))
    found = {each.value: each for each in tables if isinstance(each, Code) and each.scheme == OWN}
    return tuple(sorted(found.values(), key=lambda code: code.meaning))
