"""The words of a draft: a phrase for each finding in a region, which the report parser reads back as that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.reports import parse_report

# {side} is "right" or "left", {region} the region's name; a finding of one structure names neither.
_PHRASES: Mapping[Finding, str] = {
    Finding.CARDIOMEGALY: "cardiomegaly",
    Finding.AORTIC_ENLARGEMENT: "enlargement of the aortic arch",
    Finding.AORTIC_CALCIFICATION: "calcification of the aortic arch",
    Finding.MEDIASTINAL_WIDENING: "widening of the mediastinum",
    Finding.HIATAL_HERNIA: "hiatal hernia",
    Finding.STERNAL_WIRES: "sternal wires",
    Finding.SCOLIOSIS: "scoliosis",
    Finding.DEGENERATIVE_SPINE: "degenerative spondylosis of the spine",
    Finding.VERTEBRAL_DEFORMITY: "vertebral compression deformity",
    Finding.ENDOTRACHEAL_TUBE: "endotracheal tube",
    Finding.ENTERIC_TUBE: "enteric tube",
    Finding.PLEURAL_EFFUSION: "{side} pleural effusion",
    Finding.PNEUMOTHORAX: "{side} pneumothorax",
    Finding.ELEVATED_HEMIDIAPHRAGM: "elevation of the {side} hemidiaphragm",
    Finding.HILAR_ENLARGEMENT: "{side} hilar enlargement",
    Finding.RIB_FRACTURE: "{side} rib fracture",
    Finding.CLAVICLE_FRACTURE: "{side} clavicle fracture",
    Finding.PACEMAKER: "pacemaker over the {side} upper lung zone",
    Finding.CHEST_TUBE: "{side} chest tube",
    Finding.CENTRAL_LINE: "central line with its tip in the {region}",
}
_IN_REGION = "{finding} in the {region}"
_FLATTENED = "flattening of the {side} hemidiaphragm"


def phrase_for(finding: Finding, region: Region | None) -> str:
    """Return a phrase, in lower case and without a full stop.

    Parameters
    ----------
    finding : Finding
    region : Region or None
        Where; the finding's name alone for None.
    """
    if region is None:
        return finding.value
    side = region.laterality
    pattern = _PHRASES.get(finding, _IN_REGION)
    if finding is Finding.HYPERINFLATION and region.value.endswith("hemidiaphragm"):
        pattern = _FLATTENED
    if "{side}" in pattern and side is Laterality.MIDLINE:
        pattern = _IN_REGION
    return pattern.format(finding=finding.value, side=side.value, region=region.value)


def sentence(phrase: str) -> str:
    """Return a phrase as a sentence."""
    return phrase[0].upper() + phrase[1:] + "."


PATTERNS = (*_PHRASES.values(), _IN_REGION, _FLATTENED)
"""The phrases before finding, side and region are filled in."""


@lru_cache(maxsize=2000)
def statement_regions(finding: Finding, region: Region | None) -> frozenset[Region]:
    """Return the regions that the phrase for a finding in a region speaks of.

    They are more than one where a finding shows in several: a pneumothorax of an apex is one of its lung.
    """
    said = parse_report(sentence(phrase_for(finding, region)))
    return frozenset(r for one in said.sentences for mention in one.mentions for r in mention.regions)
