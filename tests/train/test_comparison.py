"""Objectives trained alike: equal data and steps, scored on the same archive, differences by query."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train import comparison
from edge_retrieve.train.checkpoint import load_trained
from edge_retrieve.train.comparison import plan_variants, run_comparison, used_losses
from edge_retrieve.train.config import LossWeights, Objective, Source, TrainConfig, config_to_json
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.evaluate import archive


class StopError(Exception):
    pass


def stop_here(*arguments: object, **options: object) -> None:
    raise StopError


def test_variants_differ_in_their_loss_alone(config: TrainConfig) -> None:
    reference, peer, ablated = plan_variants(
        config, [Objective.RRA_VL, Objective.WORD_REGION], ["location_image_text"]
    )
    assert [v.name for v in (reference, peer, ablated)] == [
        "rra_vl",
        "word_region",
        "without location_image_text",
    ]
    out = reference.config.out
    assert replace(peer.config, objective=Objective.RRA_VL, out=out) == reference.config
    for stage, whole in zip(ablated.config.stages, reference.config.stages, strict=True):
        assert stage.weights == replace(whole.weights, location_image_text=0.0)
        assert replace(stage, weights=whole.weights) == whole
    assert len({variant.config.out for variant in (reference, peer, ablated)}) == 3
    unplaced = plan_variants(config, [], ["location"])[1]
    assert unplaced.name == "without location"
    assert used_losses(unplaced.config) == tuple(
        loss for loss in used_losses(config) if not loss.startswith("location_")
    )
    assert set(used_losses(config)) >= {"semantic_global", "location_image_image", "box"}


def test_stages_that_align_nothing_are_trained_once_for_all(
    config: TrainConfig, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "load_corpora", lambda config, progress: (corpus, corpus))
    monkeypatch.setattr(comparison, "evaluate_phantoms", stop_here)
    looking = replace(
        config.stages[0],
        name="look",
        weights=LossWeights(semantic_global=0.0, region_word=0.0, box_score=0.0),
    )
    # A rate of nothing: what a variant ends with is what it began with.
    still = replace(config.stages[1], learning_rate=0.0)
    config = replace(config, stages=(looking, still))
    with pytest.raises(StopError):
        run_comparison(config, [Objective.GLOBAL_INFONCE], [])
    out = Path(config.out)
    shared = load_trained(out / "shared_start")
    assert shared.config.stages == (looking,)
    assert shared.epochs_done == looking.epochs
    for name in ("rra_vl", "global_infonce"):
        variant = load_trained(out / name)
        assert variant.config.stages == (still,)
        for key, value in shared.model.localizer.state_dict().items():
            if "running" not in key and "tracked" not in key:
                assert torch.equal(value, variant.model.localizer.state_dict()[key]), key
        assert variant.tokenizer.to_str() == shared.tokenizer.to_str()
    with pytest.raises(ConfigError, match="no stage aligns images with reports"):
        run_comparison(replace(config, stages=(looking,)), [], [])


def test_a_loss_that_no_stage_uses_cannot_be_left_out(config: TrainConfig) -> None:
    one_stage = replace(config, stages=config.stages[:1])
    with pytest.raises(ConfigError, match="no stage uses the loss 'location_text_text'"):
        plan_variants(one_stage, [], ["location_text_text"])
    real = replace(config, data=replace(config.data, source=Source.IU_XRAY))
    with pytest.raises(ConfigError, match="held-out phantoms"):
        run_comparison(real, [], [])


def test_one_command_trains_scores_and_writes_the_tables(
    config: TrainConfig, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "load_corpora", lambda config, progress: (corpus, corpus))
    monkeypatch.setattr(archive, "MIN_RELEVANT", 1)
    config = replace(config, stages=config.stages[1:], data=replace(config.data, workers=1))
    path = tmp_path / "config.json"
    path.write_text(config_to_json(config))
    kept = tmp_path / "encoded"
    options = ["--objectives", "region_crops", "--without", "location_image_image", "--encoded", str(kept)]
    arguments = ["compare", str(path), *options, "--studies", "24", "--seed", "2"]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["synthetic"] is True
    assert set(document["variants"]) == {"rra_vl", "region_crops", "without location_image_image"}
    for variant in document["variants"].values():
        assert variant["steps"] == 6
        assert 0 <= variant["retrieval"]["image_to_image"]["conditioned"]["p_at_5"] <= 1
    row = next(
        row
        for row in document["differences"]
        if (row["model"], row["direction"], row["form"]) == ("region_crops", "image_to_text", "conditioned")
    )
    ours, theirs = (
        document["variants"][name]["retrieval"]["image_to_text"]["conditioned"]["p_at_5"]
        for name in ("rra_vl", "region_crops")
    )
    assert row["reference_minus"]["p_at_5"]["difference"] == pytest.approx(ours - theirs, abs=1e-9)
    low, high = row["reference_minus"]["p_at_5"]["interval"]
    assert low <= row["reference_minus"]["p_at_5"]["difference"] <= high
    assert json.loads((Path(config.out) / "compare.json").read_text()) == document
    tables = (Path(config.out) / "compare.md").read_text()
    assert "(synthetic)" in tables
    assert f"| region_crops | 6 | {document['variants']['region_crops']['seconds']:.0f} |" in tables
    # An ablation is no peer.
    line = next(line for line in tables.splitlines() if line.startswith("| image_to_text | conditioned | "))
    assert line.startswith(f"| image_to_text | conditioned | region_crops | {ours - theirs:+.3f} | ")
    # All share one tokenizer, and a second call trains nothing again.
    tokenizers = [path.read_bytes() for path in Path(config.out).glob("*/tokenizer.json")]
    assert len(tokenizers) == 3
    assert len(set(tokenizers)) == 1
    before = {path: path.stat().st_mtime_ns for path in Path(config.out).glob("*/checkpoint.pt")}
    assert len(list(kept.glob("*.npz"))) == 3
    with monkeypatch.context() as nothing_rendered:
        nothing_rendered.setattr(archive, "render", stop_here)
        again = CliRunner().invoke(main, [*arguments, "--json"])
        assert again.exit_code == 0, again.output
        assert json.loads(again.stdout) == document
    # Another size is scored with what is trained.
    larger = CliRunner().invoke(main, [*arguments[:-4], "--studies", "30", "--seed", "2", "--json"])
    assert larger.exit_code == 0, larger.output
    assert json.loads(larger.stdout)["variants"]["rra_vl"]["studies_per_seed"] == 30
    assert before == {path: path.stat().st_mtime_ns for path in Path(config.out).glob("*/checkpoint.pt")}
    # Other weights under the same name are another model: what is kept of the first ones is not theirs.
    checkpoint = Path(config.out) / "region_crops" / "checkpoint.pt"
    content = torch.load(checkpoint, weights_only=True)
    next(weight for weight in content["ema"].values() if weight.is_floating_point()).add_(1.0)
    torch.save(content, checkpoint)
    monkeypatch.setattr(archive, "render", stop_here)
    asked = [Objective.REGION_CROPS], ["location_image_image"]
    with pytest.raises(StopError):
        run_comparison(config, *asked, studies=24, seeds=[2], workers=1, encoded=kept)


def test_an_unknown_objective_is_wrong_use(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(config_to_json(config))
    result = CliRunner().invoke(main, ["compare", str(path), "--objectives", "clip"])
    assert result.exit_code == 2
    assert "Known are: rra_vl, global_infonce" in result.stderr
