"""Phantom reports say what the study shows, in words that never repeat between training and test."""

import pytest

from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.train.phantom.grammar import bank_of
from edge_retrieve.train.phantom.grammar.normals import CLEAN_IMPRESSIONS, DENIALS, FILLERS, NORMALS, RESOLVED
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import sample_archive
from edge_retrieve.train.phantom.spec import PLACEMENTS, implied_regions


def truth_of(spec):
    return {(x.finding, place) for x in spec.lesions for place in implied_regions(x.finding, x.region)}


def read_back(report):
    return {
        (mention.finding, place)
        for sentence in parse_report(report).sentences
        for mention in sentence.mentions
        if mention.assertion is Assertion.PRESENT
        for place in (mention.regions or (None,))
    }


@pytest.mark.parametrize("held_out", [False, True])
def test_the_parser_recovers_findings_and_regions(held_out):
    plan = sample_archive(4000, seed=11)
    exact = sum(
        read_back(write_report(planned.spec, rng_seed=number, held_out=held_out)) == truth_of(planned.spec)
        for number, planned in enumerate(plan)
    )
    assert exact / len(plan) >= 0.995


@pytest.mark.parametrize("finding", PLACEMENTS, ids=lambda finding: finding.value)
def test_every_finding_has_many_paraphrases_and_a_share_held_out(finding):
    templates = bank_of(finding).statements
    total = len(templates.seen) + len(templates.held_out)
    assert total >= 8
    assert len(templates.held_out) / total >= 0.25


def test_no_paraphrase_is_both_seen_and_held_out():
    banks = [bank_of(finding) for finding in PLACEMENTS]
    everything = [bank.statements for bank in banks] + [bank.short for bank in banks]
    everything += [*NORMALS.values(), DENIALS, RESOLVED, FILLERS, CLEAN_IMPRESSIONS]
    seen = {text for templates in everything for text in templates.seen}
    held_out = {text for templates in everything for text in templates.held_out}
    assert not seen & held_out


def test_equal_seeds_write_equal_reports_and_others_differ():
    spec = next(planned.spec for planned in sample_archive(50, 3) if len(planned.spec.lesions) == 3)
    reports = {write_report(spec, rng_seed=seed, held_out=False) for seed in range(50)}
    assert len(reports) == 50
    assert write_report(spec, rng_seed=7, held_out=False) == write_report(spec, rng_seed=7, held_out=False)


def test_reports_of_clean_studies_state_no_finding():
    clean = [planned.spec for planned in sample_archive(600, 5) if not planned.spec.lesions]
    for number, spec in enumerate(clean):
        report = write_report(spec, rng_seed=number, held_out=False)
        assert parse_report(report).present_findings() == frozenset(), report


def test_slots_are_filled_and_articles_agree():
    for number, planned in enumerate(sample_archive(800, 6)):
        report = write_report(planned.spec, rng_seed=number, held_out=number % 2 == 0)
        assert "{" not in report
        assert " a 8" not in report
        assert " a extensive" not in report
        assert not report.startswith(" ")


def test_the_vocabulary_of_phantoms_is_within_the_parsers():
    assert set(PLACEMENTS) <= set(Finding)
