"""Identifiers leave reports, findings and measures stay."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from edge_retrieve.runtime.deid.text import REMOVED, scrub
from edge_retrieve.runtime.reports import parse_report

IU = Path(__file__).parents[4] / "shared" / "data" / "reports" / "iu_reports_dev.csv"


def stated(text):
    return Counter(
        (mention.finding, mention.assertion, mention.regions)
        for sentence in parse_report(text).sentences
        for mention in sentence.mentions
    )


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Patient Name: DOE, JANE\nMRN: 4471902\nFINDINGS: Clear lungs.", ("DOE", "JANE", "4471902")),
        ("Discussed with Dr. Smith at 3:45 PM on 03/14/2021.", ("Smith", "3:45", "03/14/2021")),
        ("DISCUSSED WITH DR SMITH AT 1545 HOURS", ("SMITH", "1545")),
        ("Mr. van der Berg was informed.", ("Berg",)),
        ("Findings were called to Maria Gonzalez, RN in the ED.", ("Maria", "Gonzalez")),
        ("Comparison: chest radiograph of January 5, 2020.", ("January", "2020")),
        ("Compared to the study from 5 Jan 2020 and 2019-12-24.", ("Jan", "2020", "2019-12-24")),
        ("Compared with the film of 14.03.2021.", ("14.03.2021",)),
        ("Compared to 3/14, unchanged.", ("3/14",)),
        ("Prior study in 2018 showed a nodule.", ("2018",)),
        ("Call 555-123-4567 or (555) 123-4567, pager 8812.", ("555", "4567", "8812")),
        ("Accession number A-2021-00817 reviewed.", ("00817",)),
        ("Seen at St. Mary Hospital, 12 Elm Street.", ("Mary", "Elm")),
        ("A 97-year-old woman with cough.", ("97",)),
        ("Electronically signed by John Q. Public, M.D.\nThe end.", ("John", "Public")),
        ("Dictated by: Peter Jones MD", ("Peter", "Jones")),
        ("Interpreted and approved by Anna Lee.", ("Anna", "Lee")),
        ("DOB: 11 April 1962", ("April", "1962")),
        ("Contact jane.doe@example.org", ("jane", "doe@")),
        ("Study 1.2.840.113619.2.55.3.17 was used.", ("113619",)),
        ("Paged Thompson with the result.", ("Thompson",)),
        ("Case of patient Jane Doe with fever.", ("Jane", "Doe")),
    ],
)
def test_what_tells_of_somebody_goes(text, gone):
    scrubbed = scrub(text)
    assert scrubbed.removed
    assert REMOVED in scrubbed.text
    for word in gone:
        assert word not in scrubbed.text, scrubbed.text


@pytest.mark.parametrize(
    "text",
    [
        "There is a 2.6 x 3.0 cm mass in the right upper lobe.",
        "Old fractures of ribs 7-8-9 on the left.",
        "Kerley B lines and a Morgagni hernia. Swan-Ganz catheter tip in the right pulmonary artery.",
        "May represent pneumonia. Follow-up in 3 months.",
        "A 5 mm nodule, 1/2 of the lung, grade 2/3, T7-8 disc space.",
        "ET tube tip 4 cm above the carina at T4. Port-A-Cath. PICC line.",
        "The patient is rotated. A 72-year-old man.",
        "Findings communicated to the emergency department.",
        "No pneumothorax. Heart size is normal. Stable since the prior examination.",
        "FINDINGS: Small left effusion.\nIMPRESSION: Mild edema, 3 of 10.",
    ],
)
def test_what_tells_of_the_chest_stays(text):
    assert scrub(text).text == text


def test_names_of_the_header_are_found_wherever_they_stand():
    text = "Ms Doering-Smith has a nodule. DOERING was seen; Jane's film, number 81-22."
    scrubbed = scrub(text, ["Doering-Smith^Jane", "81-22", "Doering^Jane"]).text
    for word in ("oering", "OERING", "Jane", "81-22"):
        assert word not in scrubbed
    assert "has a nodule" in scrubbed


def test_a_name_that_is_a_word_goes_only_as_a_whole_name():
    text = "Small effusion. Jane Small, seen today. SMALL, JANE."
    assert scrub(text, ["Small^Jane"]).text == f"Small effusion. {REMOVED}, seen today. {REMOVED}."


def test_scrubbing_twice_changes_nothing_more():
    text = "Dr. Smith on 1/2/2020: MRN 1234567.\nDictated by: A. Jones\nSigned by Bob Day MD on 3 May 2020."
    once = scrub(text).text
    assert scrub(once).text == once
    assert scrub(once).removed == 0


@pytest.mark.skipif(not IU.is_file(), reason="the real reports of ../shared are not here")
def test_real_reports_keep_what_they_state():
    with IU.open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::2]
    same = stating = 0
    for row in rows:
        text = f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}"
        before = stated(text)
        stating += bool(before)
        same += stated(scrub(text).text) == before
    assert stating > 500
    assert same / len(rows) >= 0.995
