"""edge-retrieve explain and eval report: what they answer, and what they refuse."""

import json

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.notice import DISCLAIMER
from edge_retrieve.runtime.explain.draft import PRELIMINARY
from edge_retrieve.runtime.explain.vote_curves import SHIPPED

ZONE = "right upper lung zone"


@pytest.fixture
def explain(run, toy, store_path):
    def call(*arguments):
        bundle = ("--bundle", toy.bundle.path, "--allow-unsigned")
        return run("explain", *arguments, "--store", store_path, *bundle)

    return call


def test_an_image_is_explained_where_it_is_asked_about(explain, run, toy, store_path, query_image):
    told = json.loads(explain(query_image, "--region", ZONE, "--json").stdout)
    (place,) = told["evidence"]["places"]
    assert place["region"] == ZONE
    (vote,) = place["votes"]
    assert vote["finding"] == "nodule"
    assert len(vote["for"]) == 4
    assert vote["base_rate"] == pytest.approx(4 / 6, abs=1e-6)
    hits = json.loads(
        run(
            "query", query_image, "--store", store_path, "--region", ZONE, "--json",
            "--bundle", toy.bundle.path, "--allow-unsigned",
        ).stdout
    )["hits"]  # fmt: skip
    assert [each["study"] for each in place["neighbours"]] == [hit["study"] for hit in hits]
    assert told["evidence"]["result"]["hits"] == hits
    assert place["sides"]["compared"] > 0
    assert told["draft"]["status"] == PRELIMINARY
    assert told["draft"]["writer"] == "template"
    for sentence in told["draft"]["sentences"]:
        assert sentence["citations"]


def test_people_read_the_evidence_and_a_marked_draft(explain, query_image):
    result = explain(query_image, "--region", ZONE)
    assert result.exit_code == 0
    assert "RIGHT UPPER LUNG ZONE" in result.stdout
    assert "nearest without" in result.stdout
    assert result.stdout.count(PRELIMINARY) == 2


def test_a_study_of_the_store_is_explained(explain, run, toy, store_path):
    listed = json.loads(
        run("query", "--text", "nodule", "--store", store_path, "--json", "--bundle", toy.bundle.path,
            "--allow-unsigned").stdout
    )["hits"]  # fmt: skip
    study = listed[0]["study"]
    told = json.loads(explain(study, "--json").stdout)["evidence"]
    assert told["study"] == study
    assert told["survey"] is True
    assert len(told["places"]) == 29
    assert all(each["study"] != study for place in told["places"] for each in place["neighbours"])


def test_the_page_shows_pictures_with_boxes_and_needs_nothing_else(explain, query_image, tmp_path):
    page = tmp_path / "page.html"
    assert explain(query_image, "--region", ZONE, "--counterfactual", "--html", page).exit_code == 0
    text = page.read_text()
    assert PRELIMINARY in text
    assert text.count("data:image/png;base64,") >= 2
    assert "<rect" in text
    assert "blanked" in text
    for sentence in (DISCLAIMER, "Model toy 1", "Archive "):
        assert sentence in text
    assert "http" not in text.replace("<!doctype html>", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody",), "the store has no study 'nobody'"),
        (("nobody", "--region", "right lnug"), "Did you mean"),
    ],
)
def test_wrong_use_is_told(explain, arguments, says):
    result = explain(*arguments)
    assert result.exit_code in (1, 2)
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_a_study_is_altered_as_its_file_is(explain, archive, workspace):
    """The toy's pictures are stored whole; of the file, the study that holds it is set apart."""
    asked = ("--region", ZONE, "--counterfactual", "--json")
    by_file = json.loads(explain(archive / "case0.png", *asked).stdout)
    others = {each["study"] for each in by_file["evidence"]["places"][0]["neighbours"]}
    (study,) = {each.study for each in workspace.store.studies(limit=10)} - others
    told = json.loads(explain(study, *asked).stdout)
    assert told["counterfactuals"] == by_file["counterfactuals"]
    blank, mirrored = told["counterfactuals"]
    assert (blank["alteration"], mirrored["alteration"]) == ("blanked", "mirrored")
    assert blank["finding"] == "nodule"
    assert blank["place"]["neighbours"] != told["evidence"]["places"][0]["neighbours"]


def test_a_page_that_cannot_be_written_is_told(explain, query_image, tmp_path):
    result = explain(query_image, "--region", ZONE, "--html", tmp_path / "no" / "page.html")
    assert result.exit_code in (1, 2)
    assert "Name a file that can be written to" in result.stderr


@pytest.fixture(scope="module")
def scored(toy, tmp_path_factory):
    """The whole path at the smallest size, with the toy bundle; its figures mean nothing."""
    folder = tmp_path_factory.mktemp("scored")
    votes = folder / "votes.json"
    arguments = [
        *("eval", "report", "--studies", "20", "--seed", "5", "--encoded", str(folder / "kept"), "--json"),
        *("--bundle", str(toy.bundle.path), "--allow-unsigned"),
    ]
    result = CliRunner().invoke(main, [*arguments, "--fit", str(votes)])
    assert result.exit_code == 0, result.output
    return arguments, votes, json.loads(result.stdout)


def test_drafts_are_scored_on_a_few_phantoms(run, scored):
    arguments, votes, report = scored
    assert report["synthetic"] is True
    for scope in ("drafts", "drafts_of_suspected_regions"):
        template = report[scope]["template"]
        assert 0 <= template["finding_region_f1"] <= 1
        assert template["unsupported"] <= 1
        assert set(report[scope]) > {"template", "nearest_report", "archive_majority"}
    assert report["risk_coverage_of_suspected_regions"]["places"] > 0
    again = run(*arguments, "--votes", votes)
    assert json.loads(again.stdout)["drafts"] == report["drafts"]


def test_votes_of_another_bundle_are_refused(run, toy, tmp_path):
    result = run("eval", "report", "--bundle", toy.bundle.path, "--allow-unsigned", "--studies", 4)
    assert result.exit_code == 1
    assert "Fit it: edge-retrieve eval report --fit FILE" in result.stderr


def test_votes_have_to_be_the_bundles(explain, scored, query_image):
    _, votes, _ = scored
    fitted = explain(query_image, "--region", ZONE, "--votes", votes)
    assert fitted.exit_code == 0
    # The toy's scores are not calibrated, so its votes have no probability either.
    assert "Votes are not calibrated" in fitted.stdout
    shipped = explain(query_image, "--region", ZONE, "--votes", SHIPPED)
    assert shipped.exit_code == 1
    assert "is not known for this bundle" in shipped.stderr


def test_a_language_model_that_is_not_there_leaves_the_template(explain, query_image):
    llm = ("--llm", "http://127.0.0.1:9/v1", "--llm-model", "none", "--llm-timeout-s", 2)
    told = json.loads(explain(query_image, "--region", ZONE, *llm, "--json").stdout)["draft"]
    assert told["writer"] == "template"
    # Nothing is put into words where nothing is stated; else the reason is told.
    stated = any("supported" not in each["text"] for each in told["sentences"])
    assert any("cannot be reached" in note for note in told["notes"]) == stated


@pytest.mark.parametrize(
    ("llm", "says"),
    [
        (("--llm", "http://127.0.0.1:9/v1"), "no model is named"),
        (("--llm", "127.0.0.1:9", "--llm-model", "m"), "Give it as in http://127.0.0.1:8080/v1"),
    ],
)
def test_a_language_model_is_named_whole(explain, query_image, llm, says):
    result = explain(query_image, *llm)
    assert result.exit_code == 2 or result.exit_code == 1
    assert says in result.stderr
