"""What the parser makes of sentences as radiologists write them."""

import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import Section, parse_report, parse_sentence, text_by_region


def stated(text: str, assertion: Assertion = Assertion.PRESENT) -> set[tuple[str, str]]:
    """Return (finding, region) pairs; the region is empty where the sentence names none."""
    return {
        (mention.finding.value, region)
        for mention in parse_sentence(text).mentions
        if mention.assertion is assertion
        for region in ([place.value for place in mention.regions] or [""])
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Right upper lobe nodule.", {("nodule", "right upper lung zone")}),
        ("RUL nodule", {("nodule", "right upper lung zone")}),
        ("There is a nodule in the lingula.", {("nodule", "left mid lung zone")}),
        ("Middle lobe pneumonia.", {("consolidation", "right mid lung zone")}),
        ("Opacity at the base of the left lung.", {("opacity", "left lower lung zone")}),
        ("Opacity in the mid lung on the left.", {("opacity", "left mid lung zone")}),
        ("In the left upper lobe, there is a nodule.", {("nodule", "left upper lung zone")}),
        (
            "Opacities in the right upper and left lower lobes.",
            {("opacity", "right upper lung zone"), ("opacity", "left lower lung zone")},
        ),
        (
            "Right upper, middle, and lower lobe consolidation.",
            {("consolidation", f"right {zone} lung zone") for zone in ("upper", "mid", "lower")},
        ),
        (
            "Right upper lobe nodule and left lower lobe consolidation.",
            {("nodule", "right upper lung zone"), ("consolidation", "left lower lung zone")},
        ),
        (
            "Nodule in the right upper lobe and consolidation in the left lower lobe.",
            {("nodule", "right upper lung zone"), ("consolidation", "left lower lung zone")},
        ),
        (
            "Left basilar atelectasis and effusion.",
            {("atelectasis", "left lower lung zone"), ("pleural effusion", "left costophrenic angle")},
        ),
        (
            "Bibasilar atelectasis.",
            {("atelectasis", "right lower lung zone"), ("atelectasis", "left lower lung zone")},
        ),
        (
            "Small effusions bilaterally.",
            {("pleural effusion", f"{side} costophrenic angle") for side in ("right", "left")},
        ),
        ("Left retrocardiac opacity.", {("opacity", "left lower lung zone")}),
        ("Right pneumothorax.", {("pneumothorax", "right apical zone"), ("pneumothorax", "right lung")}),
        ("Blunting of the right CP angle.", {("pleural effusion", "right costophrenic angle")}),
        ("The heart is enlarged.", {("cardiomegaly", "cardiac silhouette")}),
        ("Enlarged left hilum.", {("hilar enlargement", "left hilar structures")}),
        ("The right hemidiaphragm is elevated.", {("elevated hemidiaphragm", "right hemidiaphragm")}),
        ("Fracture of the left 5th rib.", {("rib fracture", "left lung")}),
        ("Right IJ catheter with the tip in the SVC.", {("central line", "svc")}),
        ("Endotracheal tube 3 cm above the carina.", {("endotracheal tube", "trachea")}),
        ("Left chest pacemaker, leads in the right atrium.", {("pacemaker", "left upper lung zone")}),
        ("No change in the small right effusion.", {("pleural effusion", "right costophrenic angle")}),
        ("Calcified granuloma.", {("calcified granuloma", "")}),
        (
            "Small effusion on the right and opacity in the left mid and lower lung zones.",
            {("pleural effusion", "right costophrenic angle")}
            | {("opacity", f"left {zone} lung zone") for zone in ("mid", "lower")},
        ),
        ("Left midlung scar.", {("scarring", "left mid lung zone")}),
        ("Compression deformity of T12.", {("vertebral deformity", "spine")}),
        ("The lungs are hypoinflated.", {("low lung volumes", f"{side} lung") for side in ("right", "left")}),
        ("Opacity in the left base, likely scarring.", {("opacity", "left lower lung zone")}),
        ("Pericardial effusion.", set()),
        ("Tortuous and calcified thoracic aorta.",
         {("aortic enlargement", "aortic arch"), ("aortic calcification", "aortic arch")}),
    ],
)  # fmt: skip
def test_findings_and_regions(text, expected):
    assert stated(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "No pleural effusion.",
        "No consolidation, pneumothorax, or pleural effusion.",
        "The lungs are clear without effusion.",
        "Negative for pneumothorax or effusion.",
        "The left effusion has resolved.",
        "Effusion is no longer seen.",
        "Lungs are free of infiltrate, nodule, or mass.",
        "The heart is not enlarged.",
        "No pneumothorax, focal consolidation or definite pleural effusion is seen.",
    ],
)
def test_denials_state_nothing(text):
    assert stated(text) == set()
    assert stated(text, Assertion.ABSENT)


def test_a_denial_ends_where_a_statement_begins():
    text = "No pneumothorax, but there is a small left effusion."
    assert stated(text) == {("pleural effusion", "left costophrenic angle")}
    assert {finding for finding, _ in stated(text, Assertion.ABSENT)} == {"pneumothorax"}
    assert stated("Cardiomegaly without edema.") == {("cardiomegaly", "cardiac silhouette")}


@pytest.mark.parametrize(
    "text",
    ["Possible left lower lobe pneumonia.", "Left lower lobe pneumonia cannot be excluded.",
     "This may represent left lower lobe pneumonia."],
)  # fmt: skip
def test_doubt(text):
    assert stated(text) == set()
    assert stated(text, Assertion.UNCERTAIN) == {("consolidation", "left lower lung zone")}


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("The heart is normal in size.", {Region.CARDIAC_SILHOUETTE}),
        ("Lungs are clear.", {Region.RIGHT_LUNG, Region.LEFT_LUNG}),
        ("The left lung is clear.", {Region.LEFT_LUNG}),
        ("Cardiomediastinal silhouette is unremarkable.", {Region.CARDIAC_SILHOUETTE, Region.MEDIASTINUM}),
        ("Costophrenic angles are sharp.", {Region.RIGHT_COSTOPHRENIC_ANGLE, Region.LEFT_COSTOPHRENIC_ANGLE}),
        ("The trachea is midline.", {Region.TRACHEA}),
        ("PA and left lateral views.", set()),
    ],
)
def test_normal_statements_speak_of_their_regions(text, regions):
    sentence = parse_sentence(text)
    assert set(sentence.regions) == regions
    assert not sentence.mentions


def test_sections():
    report = parse_report(
        "INDICATION: Rule out pneumonia in the left lower lobe.\n\n"
        "FINDINGS: Heart size is normal. There is a 1.5 cm nodule in the right\nupper lobe.\n"
        "IMPRESSION: 1. Right upper lobe nodule. 2. No effusion."
    )
    by_section = [(sentence.section, sentence.text) for sentence in report.sentences]
    assert by_section == [
        (Section.OTHER, "Rule out pneumonia in the left lower lobe."),
        (Section.FINDINGS, "Heart size is normal."),
        (Section.FINDINGS, "There is a 1.5 cm nodule in the right upper lobe."),
        (Section.IMPRESSION, "Right upper lobe nodule."),
        (Section.IMPRESSION, "No effusion."),
    ]
    assert report.present_findings() == {Finding.NODULE}


def test_text_by_region_prefers_what_is_abnormal():
    report = parse_report("Lungs are clear. No effusion. Small left pneumothorax. No right pneumothorax.")
    texts = text_by_region(report)
    assert texts[Region.LEFT_LUNG] == "Small left pneumothorax."
    assert texts[Region.RIGHT_LUNG] == "Lungs are clear. No right pneumothorax."
    assert texts[Region.LEFT_COSTOPHRENIC_ANGLE] == "No effusion."
    assert Region.SPINE not in texts


@pytest.mark.parametrize(
    "text", ["", "   \n", "XXXX", ".", "1.", "%%% \x00 ;;; ,,,", "é" * 5000, "no " * 2000]
)
def test_odd_text_is_read_without_a_finding(text):
    report = parse_report(text)
    assert report.present_findings() == frozenset()
    assert isinstance(text_by_region(report), dict)
