import pytest

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.anatomy.places import Place, PlacePhrase
from edge_retrieve.runtime.explain.phrases import phrase_for, sentence, statement_regions
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.findings.siting import regions_for
from edge_retrieve.runtime.reports import parse_report

SIDES = ((), (Laterality.RIGHT,), (Laterality.LEFT,))
# Wherever a report can put a finding.
PAIRS = sorted(
    {
        (finding, region)
        for finding in Finding
        for place in Place
        for sides in SIDES
        for region in regions_for(finding, Assertion.PRESENT, [PlacePhrase(0, 1, place, sides)])
    },
    key=lambda pair: (pair[0].value, pair[1].value),
)


@pytest.mark.parametrize(
    ("before", "assertion"),
    [("", Assertion.PRESENT), ("possible ", Assertion.UNCERTAIN), ("no ", Assertion.ABSENT)],
)
def test_every_phrase_is_read_back_as_what_it_says(before, assertion):
    assert len(PAIRS) > 150
    for finding, region in PAIRS:
        text = sentence(before + phrase_for(finding, region))
        mentions = [each for one in parse_report(text).sentences for each in one.mentions]
        assert [(each.finding, each.assertion) for each in mentions] == [(finding, assertion)], text
        assert region in mentions[0].regions, text
        sides = {where.laterality for where in mentions[0].regions} - {Laterality.MIDLINE}
        assert sides <= {region.laterality}, text


def test_a_pneumothorax_of_an_apex_is_one_of_its_lung():
    assert statement_regions(Finding.PNEUMOTHORAX, Region.LEFT_APICAL_ZONE) == {
        Region.LEFT_APICAL_ZONE,
        Region.LEFT_LUNG,
    }
    assert statement_regions(Finding.NODULE, Region.LEFT_APICAL_ZONE) == {Region.LEFT_APICAL_ZONE}
