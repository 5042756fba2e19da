"""A bundle calibrated on the command line, measured, and used: on the command line and over HTTP."""

import json
import shutil

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust, generate_keys, inspect_bundle

ZONE = "right upper lung zone"


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    return tmp_path_factory.mktemp("encoded")


@pytest.fixture(scope="module")
def calibrated(toy, encoded, tmp_path_factory):
    """The toy bundle with curves fitted on a few phantoms, and what the command said."""
    folder = shutil.copytree(toy.bundle.path, tmp_path_factory.mktemp("calibrated") / "model")
    result = run("bundle", "calibrate", folder, "--studies", 16, "--seed", 5, "--encoded", encoded, "--json")
    return folder, json.loads(result.stdout)


def test_calibrating_leaves_the_bundle_what_it_was(toy, calibrated):
    folder, told = calibrated
    found = inspect_bundle(folder)
    curves = found.manifest.score_calibration
    assert told == {
        "path": str(folder),
        "bundle_id": toy.bundle.bundle_id,
        "synthetic": True,
        "data": "16 held-out synthetic phantoms, seed 5",
        "curves": len(curves.curves),
        "key": None,
    }
    assert curves.curves
    assert found.bundle_id == toy.bundle.bundle_id


def test_it_is_signed_where_a_key_is_given(toy, encoded, tmp_path):
    folder = shutil.copytree(toy.bundle.path, tmp_path / "model")
    keys = generate_keys(tmp_path / "keys", "st-anna")
    arguments = ("bundle", "calibrate", folder, "--studies", 16, "--seed", 5, "--encoded", encoded)
    told = run(*arguments, "--key", keys.private).stdout
    assert f"signed with {keys.fingerprint}" in told
    assert "synthetic phantoms" in told
    verified = json.loads(run("bundle", "verify", folder, "--trusted-keys", keys.public, "--json").stdout)
    assert verified["signed_by"] == "st-anna"
    assert "not signed" in run(*arguments).stdout
    assert inspect_bundle(folder).manifest.signature is None


def test_it_is_measured_with_charts(calibrated, encoded, tmp_path):
    folder, _ = calibrated
    out = tmp_path / "out"
    arguments = ("eval", "calibration", "--bundle", folder, "--allow-unsigned", "--studies", 16, "--seed", 5)
    result = run(*arguments, "--encoded", encoded, "--out", out, "--abstain-below", 0.25, "--json")
    report = json.loads(result.stdout)
    assert report == json.loads((out / "calibration.json").read_text())
    assert report["synthetic"] is True
    assert report["abstain_below"] == 0.25
    assert report["ece_max"] == max(row["ece"] for row in report["calibration"])
    for row in report["calibration"]:
        low, high = row["ece_interval"]
        assert 0 <= low <= high <= 1
        assert sum(each["share"] for each in row["bins"]) == pytest.approx(1)
        assert row["risk_coverage"][-1] == [1.0, row["risk_at"]["1.0"]]
    assert (
        "Probabilities of hits, and abstaining below 0.25 (synthetic)" in (out / "calibration.md").read_text()
    )
    assert "<svg" in (out / "calibration.html").read_text()
    printed = run(*arguments, "--encoded", encoded).stdout
    assert "| image → image + text | conditioned | 16 |" in printed


def test_a_bundle_that_is_not_calibrated_has_nothing_to_measure(toy):
    result = run("eval", "calibration", "--bundle", toy.bundle.path, "--allow-unsigned", code=1)
    assert "not calibrated" in result.stderr
    assert "edge-retrieve bundle calibrate" in result.stderr


def test_too_few_phantoms_and_archives_are_refused(toy, tmp_path):
    folder = shutil.copytree(toy.bundle.path, tmp_path / "model")
    result = run("bundle", "calibrate", folder, "--studies", 2, code=2)
    assert "too few hits to calibrate on" in result.stderr
    assert inspect_bundle(folder).manifest == toy.bundle.manifest
    run("bundle", "pack", folder)
    result = run("bundle", "calibrate", tmp_path / "model.tar", code=1)
    assert "not calibrated in place" in result.stderr


def test_a_query_says_how_sure_it_is_in_a_store_from_before(calibrated, store_path, query_image):
    folder, _ = calibrated
    arguments = ("query", query_image, "--store", store_path, "--bundle", folder, "--allow-unsigned")
    answer = json.loads(run(*arguments, "--region", ZONE, "--json").stdout)
    assert answer["calibrated"] is True
    assert answer["abstain_below"] == 0.5
    for hit in answer["hits"]:
        assert 0 <= hit["probability"] <= 1
        assert hit["regions"][0]["probability"] == hit["probability"]
    assert answer["abstained"] is (max(hit["probability"] for hit in answer["hits"]) < 0.5)
    shown = run(*arguments, "--region", ZONE).stdout
    assert f"{answer['hits'][0]['probability']:.0%}" in shown
    assert "not calibrated" not in shown
    silent = run(*arguments, "--region", ZONE, "--abstain-below", 1).stdout
    assert "No sufficiently similar case" in silent
    every = json.loads(run(*arguments, "--region", ZONE, "--abstain-below", 0, "--json").stdout)
    assert every["abstained"] is False
    assert every["hits"] == answer["hits"]


def test_a_query_says_where_scores_are_not_calibrated(toy, store_path, query_image):
    arguments = ("query", query_image, "--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned")
    assert "not calibrated" in run(*arguments).stdout
    answer = json.loads(run(*arguments, "--abstain-below", 1, "--json").stdout)
    assert (answer["calibrated"], answer["abstain_below"], answer["abstained"]) == (False, None, False)
    assert {hit["probability"] for hit in answer["hits"]} == {None}


@pytest.mark.parametrize("level", ["1.5", "-0.1", "half"])
def test_a_level_that_is_no_probability_is_wrong_use(toy, store_path, level):
    arguments = ("query", "--text", "nodule", "--store", store_path, "--bundle", toy.bundle.path)
    result = run(*arguments, "--allow-unsigned", f"--abstain-below={level}", code=2)
    assert "--abstain-below" in result.stderr


def test_the_server_abstains_below_its_setting(calibrated, store_path):
    folder, _ = calibrated
    trust = Trust(allow_unsigned=True)
    for level, abstained in ((1.0, True), (0.0, False)):
        settings = ServerSettings(abstain_below=level)
        with (
            Workspace(store_path, folder, trust=trust, abstain_below=settings.abstain_below) as workspace,
            TestClient(create_app(workspace, settings), base_url="http://localhost") as client,
        ):
            answer = client.post("/api/query", json={"text": "nodule", "regions": [ZONE]}).json()
        assert (answer["calibrated"], answer["abstained"]) == (True, abstained)
        assert answer["abstain_below"] == level
        assert answer["hits"][0]["probability"] <= 1
