"""A hundred good answers and more bad ones: no good sentence is lost, no bad one stays."""

import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import LanguageModelError
from edge_retrieve.runtime.explain.llm.answer import read_answer
from edge_retrieve.runtime.explain.llm.writer import checked

HERE = Path(__file__).parent
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
