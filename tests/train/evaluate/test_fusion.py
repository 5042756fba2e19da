"""Weights of fused scores, tuned on made-up archives in which it is known what helps."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.bundle import (
    Fusion,
    FusionWeights,
    Sides,
    inspect_bundle,
    tune_bundle,
    write_bundle,
)
from edge_retrieve.runtime.errors import BundleError, ConfigError
from edge_retrieve.runtime.probe import suspicion
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate import phantom
from edge_retrieve.train.evaluate.archive import EncodedPhantoms
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.encoded import EncodedArchive, sample_queries
from edge_retrieve.train.evaluate.fusion import GRID, one_standard_error, tune_fusion
from edge_retrieve.train.evaluate.fusion_check import compare_weights
from edge_retrieve.train.evaluate.grounding import collect
from edge_retrieve.train.evaluate.ranking import Direction, Form, score

DIM, STUDIES, PLACE = 16, 240, 3


def archive(image_noise, text_noise, seed=0):
    """Cases with one of four findings in one region, each with a direction of its own, buried in noise."""
    random = np.random.default_rng(seed)
    findings = random.integers(0, 4, STUDIES)
    truth = np.zeros((STUDIES, len(REGIONS), len(FINDINGS)), bool)
    truth[np.arange(STUDIES), PLACE, findings] = True

    def rows(noise):
        made = np.eye(DIM)[findings] + noise * random.normal(size=(STUDIES, DIM)) / np.sqrt(DIM)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def placed(noise):
        made = np.zeros((STUDIES, len(REGIONS), DIM), np.float32)
        made[:, PLACE] = rows(noise)
        return made

    patients = np.arange(STUDIES)
    has_text = np.zeros((STUDIES, len(REGIONS)), bool)
    has_text[:, PLACE] = True
    nowhere = np.zeros((STUDIES, len(FINDINGS)), bool)
    return EncodedArchive(
        patients=patients,
        truth=truth,
        anywhere=truth.any(axis=1),
        aside=np.zeros_like(truth),
        queries=sample_queries(truth, nowhere, patients, 5),
        has_image=np.ones(STUDIES, bool),
        regions=placed(image_noise),
        whole=rows(image_noise),
        has_text=has_text,
        region_texts=placed(text_noise),
        has_report=np.ones(STUDIES, bool),
        reports=rows(text_noise),
        prior_regions=np.zeros((0, len(REGIONS), DIM), np.float32),
        said=(),
        written=(),
    )


@pytest.mark.parametrize(("image_noise", "text_noise"), [(0.8, 4.0), (4.0, 0.8)])
def test_what_tells_more_counts_more(image_noise, text_noise):
    tuning = tune_fusion(archive(image_noise, text_noise), data="made up")
    assert tuning.fusion.data == "made up"
    for weights in (tuning.fusion.conditioned, tuning.fusion.unconditioned):
        assert sum(asdict(weights).values()) == pytest.approx(1, abs=1e-5)
        assert min(asdict(weights).values()) >= round(min(GRID) ** 2, 6)
        image = weights.image_to_image + weights.text_to_image
        text = weights.image_to_text + weights.text_to_text
        assert (image > 0.55) if image_noise < text_noise else (text > 0.55)


def test_what_makes_no_difference_stays_equal():
    weights = tune_fusion(archive(0.05, 0.05), data="made up").fusion.conditioned
    assert asdict(weights) == dict.fromkeys(asdict(weights), 0.25)


def test_of_shares_that_do_about_as_well_the_one_nearest_to_a_half_is_taken():
    random = np.random.default_rng(0)
    rows = np.array([0.2, 0.69, 0.7])[:, None] + 0.1 * random.normal(size=(3, 50))
    assert one_standard_error((0.5, 0.6, 0.8), rows) == 0.6
    sharp = np.repeat([[0.2], [0.69], [0.7]], 50, axis=1)
    assert one_standard_error((0.5, 0.6, 0.8), sharp) == 0.8


def test_an_archive_without_queries_is_refused():
    empty = replace(archive(1.0, 1.0), queries=np.zeros((0, 3), np.int64))
    with pytest.raises(ConfigError, match="no query to tune on"):
        tune_fusion(empty, data="made up")


def test_weights_are_compared_query_by_query():
    """Against loops over queries and cases; the archive is noisy, so that both kinds of hit occur."""
    cases = [archive(1.5, 2.5, seed) for seed in (1, 2)]
    after = FusionWeights(0.6, 0.1, 0.2, 0.1)
    rows = compare_weights(cases, None, Fusion(after, after, "made up"))
    row = next(row for row in rows if row.asked is Sides.BOTH and not row.conditioned)
    assert [(each.asked, each.conditioned) for each in rows] == [
        (asked, conditioned) for conditioned in (True, False) for asked in Sides
    ]
    for weights, told in ((FusionWeights(1, 1, 1, 1), row.before), (after, row.after)):
        means = []
        for each in cases:
            found = []
            for study, place, finding in each.queries:
                image, text = each.whole[study], each.region_texts[study, place]
                scores = (
                    weights.image_to_image * (each.whole @ image)
                    + weights.image_to_text * (each.reports @ image)
                    + weights.text_to_image * (each.whole @ text)
                    + weights.text_to_text * (each.reports @ text)
                )
                best = [n for n in np.argsort(-scores) if n != study][:5]
                found.append(each.truth[best, place, finding].mean())
            means.append(np.mean(found))
        assert told == pytest.approx(np.mean(means), abs=1e-9)
        assert 0.2 < told < 0.99
    assert row.interval.low < row.difference < row.interval.high
    assert row.interval.high - row.interval.low < 0.1


def test_a_tuned_bundle_keeps_its_identifier_and_loses_its_calibration(toy, tmp_path):

    folder = shutil.copytree(toy.bundle.path, tmp_path / "bundle")
    before = write_bundle(folder, replace(toy.bundle.manifest, score_calibration=None))
    fusion = Fusion(FusionWeights(0.3, 0.2, 0.3, 0.2), FusionWeights(0.1, 0.2, 0.3, 0.4), "made up")
    tuned = tune_bundle(folder, fusion)
    assert tuned.bundle_id == before.bundle_id
    assert inspect_bundle(folder).manifest == replace(before.manifest, fusion=fusion)
    assert json.loads((folder / "manifest.json").read_text())["fusion"]["data"] == "made up"


@pytest.mark.parametrize("four", [(1, 1, 1, -0.5), (0, 0, 1, 1), (1, 1, 0, 0)])
def test_a_bundle_whose_weights_make_no_mean_is_refused(toy, tmp_path, four):

    folder = shutil.copytree(toy.bundle.path, tmp_path / "bundle")
    sound = FusionWeights(1, 1, 1, 1)
    with pytest.raises(BundleError, match="make no mean"):
        tune_bundle(folder, Fusion(sound, FusionWeights(*map(float, four)), "made up"))


@pytest.mark.parametrize("form", list(Form))
def test_evaluation_weighs_the_four_cosines(form):
    cases = archive(1.0, 1.0)
    weights = FusionWeights(0.4, 0.3, 0.1, 0.2), FusionWeights(0.1, 0.5, 0.4, 0.0)
    scores = score(cases, Direction.IMAGE_TEXT, form, np.arange(20), PLACE, Fusion(*weights, "made up"))
    study = cases.queries[:20, 0]
    if form is Form.CONDITIONED:
        images, texts, four = cases.regions[:, PLACE], cases.region_texts[:, PLACE], weights[0]
        usual = images.mean(axis=0)
        asking = [suspicion(rows, usual, STUDIES) for rows in (images[study], texts[study])]
    else:
        images, texts, four = cases.whole, cases.reports, weights[1]
        # The words are those about the region.
        asking = [images[study], cases.region_texts[study, PLACE]]
    wanted = (
        four.image_to_image * (asking[0] @ images.T)
        + four.image_to_text * (asking[0] @ texts.T)
        + four.text_to_image * (asking[1] @ images.T)
        + four.text_to_text * (asking[1] @ texts.T)
    )
    np.testing.assert_allclose(scores, wanted / sum(asdict(four).values()), atol=1e-5)


def test_one_command_tunes_a_bundle_and_compares_on_other_phantoms(toy, tmp_path, monkeypatch):
    made = []

    def rendered(encoders, studies, seed, workers, progress):
        made.append(seed)
        cases = archive(1.5, 2.5, seed)
        corners = np.zeros((STUDIES, len(REGIONS), 4))
        boxes = RegionBoxes(corners, corners, corners[..., 0])
        return [EncodedPhantoms(cases, cases.truth, boxes, collect([], [], [])) for _ in encoders]

    monkeypatch.setattr(phantom, "encode_archives", rendered)
    folder = shutil.copytree(toy.bundle.path, tmp_path / "bundle")
    tune = ["bundle", "tune", str(folder), "--encoded", str(tmp_path / "encoded"), "--check-seed", "5"]
    result = CliRunner().invoke(main, [*tune, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    tuned = inspect_bundle(folder).manifest
    assert told["synthetic"] is True
    assert told["bundle_id"] == toy.bundle.bundle_id
    assert told["fusion"] == asdict(tuned.fusion)
    assert tuned.fusion.data == "2000 held-out synthetic phantoms, seed 302"
    assert (told["checked"]["seeds"], told["checked"]["metric"]) == ([5], "p_at_5")
    for row in told["checked"]["queries"]:
        assert row["difference"] == pytest.approx(row["after"] - row["before"])
        assert row["interval"][0] <= row["difference"] <= row["interval"][1]
    assert any(row["difference"] for row in told["checked"]["queries"])
    # The bundle has these weights now: tuned again on what was kept, nothing is gained.
    again = CliRunner().invoke(main, tune)
    assert again.exit_code == 0, again.output
    assert again.stdout.count("+0.0000 (+0.0000 to +0.0000)") == 6
    assert made == [302, 5]


def test_phantoms_that_are_tuned_on_cannot_check(toy, tmp_path):
    folder = shutil.copytree(toy.bundle.path, tmp_path / "bundle")
    refused = CliRunner().invoke(main, ["bundle", "tune", str(folder), "--check-seed", "302"])
    assert refused.exit_code == 2
    assert "seed 302 is tuned on" in refused.stderr
    assert inspect_bundle(folder).manifest == toy.bundle.manifest
