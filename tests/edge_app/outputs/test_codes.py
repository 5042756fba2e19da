"""Every region and finding has a code, and the codes are those of their dictionaries."""

import re
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts

from edge_retrieve.edge_app.outputs import codes
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.findings import Finding

DOCS = Path(__file__).parents[3] / "docs" / "outputs.md"
# SNOMED CT concepts that DICOM has no use for so far, and pydicom's dictionary does not list.
BEYOND_DICOM = {
    "95436008": "Lung consolidation",
    "46621007": "Atelectasis",
    "87433001": "Pulmonary emphysema",
    "8186001": "Cardiomegaly",
    "84089009": "Hiatal hernia",
    "33737001": "Fracture of rib",
    "58150001": "Fracture of clavicle",
    "298382003": "Scoliosis deformity of spine",
}
USED = {
    *codes.FINDINGS.values(),
    *(codes.site_of(region) for region in REGIONS),
    *codes.SIDES.values(),
    codes.CHEST,
    codes.PLAIN_RADIOGRAPHY,
}


def test_every_region_and_finding_has_a_code():
    assert set(codes.FINDINGS) == set(Finding)
    sites = {region: (codes.site_of(region), codes.SIDES.get(region.laterality)) for region in REGIONS}
    assert len(set(sites.values())) == len(REGIONS)
    assert len(set(codes.FINDINGS.values())) == len(Finding)


@pytest.mark.parametrize("code", sorted(USED - set(codes.own_codes()), key=lambda code: code.meaning))
def test_a_public_code_means_what_its_dictionary_says(code):
    entries = [entry[code.value] for entry in concepts[code.scheme].values() if code.value in entry]
    meanings = {meaning for meaning, _ in entries} or {BEYOND_DICOM.get(code.value)}
    assert code.meaning in meanings


def test_our_own_codes_fit_and_are_listed():
    own = codes.own_codes()
    assert len({code.value for code in own}) == len(own)
    assert len({code.meaning for code in own}) == len(own)
    for code in own:
        assert re.fullmatch(r"[RFE]\d\d", code.value)
        assert len(code.meaning) <= 64
    assert len(codes.OWN) <= 16
    listed = dict(re.findall(r"^\| `([RFE]\d\d)` \| (.+?) \|$", DOCS.read_text(), re.MULTILINE))
    assert listed == {code.value: code.meaning for code in own}
