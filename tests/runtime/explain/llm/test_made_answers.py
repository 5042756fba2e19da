"""A hundred good answers and more bad ones: no good sentence is lost, no bad one stays."""

import csv
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import LanguageModelError
from edge_retrieve.runtime.explain.checks import check_sentence
from edge_retrieve.runtime.explain.draft import CaseCitation, DraftSentence
from edge_retrieve.runtime.explain.llm.answer import read_answer
from edge_retrieve.runtime.explain.llm.writer import checked
from edge_retrieve.runtime.reports.sentences import split_sentences
from edge_retrieve.runtime.reports.types import Section

HERE = Path(__file__).parent
REAL = HERE.parents[4] / "shared" / "data" / "reports" / "iu_reports_dev.csv"
CASES = tuple(f"{prefix}{n}" for prefix in "nphe" for n in (1, 2, 3))
ANSWERS = json.loads((HERE / "made_answers.json").read_text())


def test_the_file_is_what_its_script_writes():
    spec = importlib.util.spec_from_file_location("made_answers", HERE / "made_answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.made() == ANSWERS
    assert len(ANSWERS["good"]) >= 100
    assert len(ANSWERS["bad"]) >= 100
    assert len({each["answer"] for each in (*ANSWERS["good"], *ANSWERS["bad"])}) > 200
    assert len(Counter(each["kind"] for each in ANSWERS["bad"])) >= 10


@pytest.mark.parametrize("made", ANSWERS["good"], ids=lambda each: "")
def test_no_good_sentence_is_lost(found, made):
    sentences = read_answer(made["answer"], CASES, found)
    kept, dropped = checked(sentences, found)
    assert dropped == ()
    assert len(kept) >= 3
    assert any(sentence.probability for sentence in kept)


@pytest.mark.parametrize("made", ANSWERS["bad"], ids=lambda each: each["kind"])
def test_no_bad_sentence_stays(found, made):
    if made["bad"] is None:
        with pytest.raises(LanguageModelError, match="template"):
            read_answer(made["answer"], CASES, found)
        return
    sentences = read_answer(made["answer"], CASES, found)
    kept, dropped = checked(sentences, found)
    assert made["bad"] in [each.text for each in dropped]
    # Only the good one beside it may stay.
    assert {sentence.text for sentence in kept} <= {"Nodule in the right upper lung zone."}
    if made["bad"] == "Nodule in the right upper lung zone.":
        assert kept == ()


@pytest.mark.skipif(not REAL.is_file(), reason="the real reports are not there")
def test_of_the_sentences_of_real_reports_only_those_that_happen_to_be_true_pass(found):
    """Thousands of things that radiologists write, all of other patients: as answers of a model."""
    with REAL.open(encoding="utf-8", newline="") as stream:
        said = {
            sentence
            for row in csv.DictReader(stream)
            for section in ("findings", "impression")
            for sentence in split_sentences(row[section] or "")
        }
    assert len(said) > 4000
    passed = [
        sentence
        for sentence in sorted(said)
        for study in ("n1", "p1", "h1", "e1")
        if not check_sentence(DraftSentence(Section.FINDINGS, sentence, (CaseCitation(study, None),)), found)
    ]
    # Of the evidence's findings these reports state the large heart alone, in words that say no more.
    assert len(passed) == 9
    assert all(re.search(r"heart|cardi", sentence.lower()) for sentence in passed)
