"""`eval` on the command line: a store, a table, files written, tables printed."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.cli.evaluate import DATASETS
from edge_retrieve.train.config import Source


@pytest.fixture
def run():
    def call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def model(toy):
    return "--bundle", toy.bundle.path, "--allow-unsigned"


def test_the_data_sets_offered_are_those_that_are_read():
    assert set(DATASETS) == {source.value for source in Source} - {"phantom"}


def test_a_stores_cases_find_each_other(run, store_path, tmp_path):
    out = tmp_path / "out"
    result = run("eval", "retrieval", store_path, "--min-relevant", 3, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["cases"] == 6
    assert report["queries"] == 4  # the four with a nodule
    figures = report["retrieval"]["image_text"]["conditioned"]
    assert figures["r_at_5"] == 1.0
    assert json.loads((out / "retrieval.json").read_text()) == report
    assert f"{figures['p_at_5']:.3f}" in (out / "retrieval.md").read_text()


def test_tables_are_printed_for_people(run, store_path):
    result = run("eval", "retrieval", store_path, "--min-relevant", 3)
    assert result.exit_code == 0, result.output
    assert "queries: 4\n" in result.stdout
    assert "| image → image | conditioned |" in result.stdout
    assert "synthetic" not in result.stdout


def test_grounding_of_a_table(run, toy, model, tmp_path):
    toy.save(tmp_path / "a.png", seed=1)
    with (tmp_path / "cases.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("file", "phrase", "x1", "y1", "x2", "y2"), ("a.png", "right nodule", 0, 0, 20, 20)]
        )
    result = run("eval", "grounding", tmp_path / "cases.csv", *model, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["synthetic"] is False
    assert report["grounding"]["phrases"] == 1
    assert "bounding_box" not in report["grounding"]


def test_phantoms_are_called_synthetic_in_every_table(run, model, tmp_path):
    arguments = ("eval", "grounding", "--studies", 6, "--seed", 1, *model)
    result = run(*arguments, "--encoded", tmp_path / "kept", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    headings = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert headings
    assert all("synthetic" in heading for heading in headings)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    again = run(*arguments, "--encoded", tmp_path / "kept", "--json")
    assert json.loads(again.stdout) == json.loads((tmp_path / "out" / "grounding.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "clue"),
    [
        (("retrieval", "none.csv"), 1, "none.csv"),
        (("grounding", "none.csv"), 1, "none.csv"),
        (("grounding", "x", "--dataset", "ms_cxr"), 1, "MS-CXR"),
        (("retrieval", "x", "--dataset", "imagenet"), 2, "--dataset"),
    ],
)
def test_what_is_not_there_is_named(run, model, arguments, code, clue):
    result = run("eval", *arguments, *model)
    assert result.exit_code == code, result.output
    assert clue in result.stderr
    assert "Traceback" not in result.output
