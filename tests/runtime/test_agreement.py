import pytest

from edge_retrieve.runtime.agreement import agreement
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Mismatch, MismatchKind
from edge_retrieve.runtime.reports import ParsedReport, parse_report

ZONE = Region.RIGHT_UPPER_LUNG_ZONE
NODULE_THERE = "There is a small nodule in the right upper lung zone."
OTHER_SIDE = Mismatch(MismatchKind.OTHER_SIDE, Finding.NODULE, Region.LEFT_UPPER_LUNG_ZONE)
OTHER_REGION = Mismatch(MismatchKind.OTHER_REGION, Finding.NODULE, Region.RIGHT_LOWER_LUNG_ZONE)
MASS_THERE = Mismatch(MismatchKind.OTHER_FINDING, Finding.MASS, ZONE)


@pytest.mark.parametrize(
    ("report", "asked", "finding", "mismatch"),
    [
        # What was asked for is there.
        (NODULE_THERE, "Nodule.", Finding.NODULE, None),
        (NODULE_THERE, NODULE_THERE, Finding.NODULE, None),
        # An image alone asks for no finding by name: whatever the report states there will do.
        (NODULE_THERE, "", Finding.NODULE, None),
        ("The lungs are clear.", "", None, None),
        # Elsewhere.
        ("Nodule in the left upper lung zone.", "Nodule.", None, OTHER_SIDE),
        ("Nodule in the left upper lung zone.", "", None, OTHER_SIDE),
        ("Nodule in the right lower lung zone.", "Nodule.", None, OTHER_REGION),
        ("Nodule in the right lower lung zone.", "", None, OTHER_REGION),
        # The other side says more than some other region, whatever the order written.
        (
            "Nodule in the right lower lung zone. Nodule in the left upper lung zone.",
            "Nodule.",
            None,
            OTHER_SIDE,
        ),
        # Another finding there; the one asked for elsewhere goes before it.
        ("Mass in the right upper lung zone.", "Nodule.", Finding.MASS, MASS_THERE),
        (
            "Mass in the right upper lung zone. Nodule in the left upper lung zone.",
            "Nodule.",
            Finding.MASS,
            OTHER_SIDE,
        ),
        # Of two findings there, the one asked for is named.
        (
            "Mass in the right upper lung zone. Nodule in the right upper lung zone.",
            "Nodule.",
            Finding.NODULE,
            None,
        ),
        # On both sides is also here.
        (
            "Nodules in both upper lung zones.",
            "Nodule.",
            Finding.NODULE,
            None,
        ),
        # What is denied, or asked for elsewhere only, counts for nothing.
        ("No nodule in the left upper lung zone.", "Nodule.", None, None),
        (NODULE_THERE, "Mass in the left lower lung zone.", Finding.NODULE, None),
        (NODULE_THERE, "No mass.", Finding.NODULE, None),
    ],
)
def test_a_report_is_held_against_the_question(report, asked, finding, mismatch):
    found = agreement(parse_report(report), ZONE, parse_report(asked))
    assert (found.finding, found.mismatch) == (finding, mismatch)


def test_a_part_of_the_region_is_in_it_and_the_whole_is_no_other_region():
    asked = parse_report("Nodule.")
    found = agreement(parse_report(NODULE_THERE), Region.RIGHT_LUNG, asked)
    assert (found.finding, found.regions, found.mismatch) == (Finding.NODULE, (ZONE,), None)
    vague = agreement(parse_report("Nodule in the right lung."), ZONE, asked)
    assert vague.finding is None
    assert vague.mismatch is None


def test_without_a_region_the_text_may_still_have_said_where():
    asked = parse_report(NODULE_THERE)
    right = agreement(parse_report(NODULE_THERE), None, asked)
    assert (right.finding, right.mismatch) == (Finding.NODULE, None)
    left = agreement(parse_report("Nodule in the left upper lung zone."), None, asked)
    assert (left.finding, left.mismatch) == (Finding.NODULE, OTHER_SIDE)
    lower = agreement(parse_report("Nodule in the right lower lung zone."), None, asked)
    assert lower.mismatch == OTHER_REGION
    other = agreement(parse_report("Cardiomegaly."), None, asked)
    assert (other.finding, other.mismatch.kind) == (Finding.CARDIOMEGALY, MismatchKind.OTHER_FINDING)
    anywhere = agreement(parse_report("Nodule in the left upper lung zone."), None, parse_report("Nodule."))
    assert anywhere.mismatch is None


def test_no_report_states_nothing():
    silent = ParsedReport(())
    assert agreement(silent, ZONE, parse_report("Nodule.")).mismatch is None
    assert agreement(silent, None, silent).finding is None
