from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.as_text import draft_text
from edge_retrieve.runtime.explain.checks import check_sentence
from edge_retrieve.runtime.explain.draft import PRELIMINARY
from edge_retrieve.runtime.explain.template import TemplateWriter
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.reports.types import Section


def texts(draft, section):
    return [sentence.text for sentence in draft.section(section)]


def test_what_is_voted_for_is_stated_and_cited(nodule_and_more):
    draft = TemplateWriter().write(nodule_and_more)
    assert texts(draft, Section.FINDINGS) == [
        "Nodule in the right upper lung zone.",
        "Possible left pleural effusion.",
        "No finding is supported in the cardiac silhouette.",
    ]
    assert texts(draft, Section.IMPRESSION) == ["Nodule in the right upper lung zone."]
    nodule = draft.sentences[0]
    assert nodule.cases == ("n1", "n2", "n3")
    assert nodule.boxes == (Region.RIGHT_UPPER_LUNG_ZONE,)
    assert draft == TemplateWriter().write(nodule_and_more)


def test_every_sentence_passes_the_checks_of_a_language_model(nodule_and_more):
    draft = TemplateWriter().write(nodule_and_more)
    assert [check_sentence(sentence, nodule_and_more) for sentence in draft.sentences] == [()] * 4


def test_one_finding_in_two_regions_is_said_once(make):
    regions = (Region.RIGHT_LUNG, Region.RIGHT_APICAL_ZONE)
    near = [make.neighbour(n, Finding.PNEUMOTHORAX) for n in range(1, 11)]
    draft = TemplateWriter().write(make.evidence(*(make.place(region, near) for region in regions)))
    assert texts(draft, Section.FINDINGS) == ["Right pneumothorax."]


def test_a_survey_says_in_one_sentence_where_nothing_is(make):
    clear = [make.neighbour(n, probability=0.1) for n in range(1, 11)]
    nodule = [make.neighbour(n, Finding.NODULE) for n in range(1, 11)]
    quiet = [make.place(region, clear) for region in (Region.LEFT_LUNG, Region.SPINE)]
    nothing = TemplateWriter().write(make.evidence(*quiet, survey=True))
    assert texts(nothing, Section.FINDINGS) == ["No finding is supported in any region."]
    assert texts(nothing, Section.IMPRESSION) == ["No finding is supported by similar cases."]
    some = make.evidence(make.place(Region.RIGHT_MID_LUNG_ZONE, nodule), *quiet, survey=True)
    found = TemplateWriter().write(some)
    assert texts(found, Section.FINDINGS)[-1] == "No finding is supported in the other regions."
    assert found.sentences[1].boxes == (Region.LEFT_LUNG, Region.SPINE)
    assert not any(check_sentence(sentence, some) for sentence in found.sentences)


def test_nothing_is_said_of_a_place_without_neighbours(make):
    draft = TemplateWriter().write(make.evidence(make.place(Region.LEFT_LUNG, [], box=None)))
    assert draft.sentences == ()


def test_a_draft_is_marked_before_and_after(nodule_and_more):
    lines = draft_text(TemplateWriter().write(nodule_and_more)).splitlines()
    assert lines[0] == lines[-1] == PRELIMINARY
    assert "  Nodule in the right upper lung zone. [1, 2, 3] [box: right upper lung zone]" in lines
    assert "[1] n1" in lines


def test_where_similar_cases_disagree_it_does_not_say_that_nothing_is_there(make):
    findings = [Finding.NODULE, Finding.MASS, Finding.CONSOLIDATION, Finding.OPACITY, Finding.SCARRING] * 2
    torn = make.place(Region.SPINE, [make.neighbour(n, each) for n, each in enumerate(findings, 1)])
    clear = make.place(Region.LEFT_LUNG, [make.neighbour(n, probability=0.1) for n in range(1, 11)])
    draft = TemplateWriter().write(make.evidence(torn, clear, survey=True))
    assert texts(draft, Section.FINDINGS) == ["No finding is supported in the other regions."]
    assert draft.sentences[0].boxes == (Region.LEFT_LUNG,)
    assert draft.notes == ("Similar cases do not agree on any finding: spine",)
