"""Training runs: what is kept, exact resume after a stop, refusals."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.errors import ConfigError, TrainingError
from edge_retrieve.train.checkpoint import load_trained, read_checkpoint
from edge_retrieve.train.config import Device, LossWeights, Objective, TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.log import EPOCHS, STEPS
from edge_retrieve.train.loop import TOKENIZER, Trainer


def losses(folder: Path) -> list[dict[str, float]]:
    lines = (folder / EPOCHS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


class StopError(Exception):
    pass


def test_a_resumed_run_repeats_an_uninterrupted_one(
    config: TrainConfig, corpus: Corpus, tmp_path: Path
) -> None:
    whole = Trainer(config, corpus, corpus).run()
    broken = replace(config, out=str(tmp_path / "broken"))
    Path(broken.out).mkdir()
    shutil.copy(Path(config.out) / TOKENIZER, broken.out)

    def stop_in_epoch_two(phase: str, done: int, total: int) -> None:
        if phase.endswith("epoch 2") and done == 2:
            raise StopError

    with pytest.raises(StopError):
        Trainer(broken, corpus, corpus).run(stop_in_epoch_two)
    resumed = Trainer(broken, corpus, corpus, resume=True).run()
    assert resumed.epochs == whole.epochs == 3
    assert losses(Path(broken.out)) == losses(Path(config.out))
    first, second = (read_checkpoint(result.checkpoint)["ema"] for result in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_begins_with_the_weights_and_tokenizer_of_another(
    config: TrainConfig, corpus: Corpus, tmp_path: Path
) -> None:
    first = Trainer(config, corpus, corpus).run()
    # A rate of nothing: what the second run ends with is what it began with.
    still = tuple(replace(stage, learning_rate=0.0) for stage in config.stages)
    second = replace(config, out=str(tmp_path / "second"), start=str(first.checkpoint), stages=still, seed=5)
    Trainer(second, corpus, corpus).run()
    begun, ended = (read_checkpoint(Path(run.out)) for run in (config, second))
    assert ended["tokenizer"] == begun["tokenizer"]
    weights = {name for name in begun["ema"] if "running_" not in name and "num_batches" not in name}
    assert all(torch.equal(begun["ema"][name], ended["ema"][name]) for name in weights)
    # Parts younger than the checkpoint begin as they are made, those there are no more are left out, parts of
    # another size are refused.
    older = {name: value for name, value in begun["ema"].items() if "lung" not in name}
    older["localizer.lungs.weight"] = torch.zeros(2, 8)
    torch.save({**begun, "ema": older}, tmp_path / "older.pt")
    Trainer(replace(second, out=str(tmp_path / "third"), start=str(tmp_path / "older.pt")), corpus, corpus)
    wider = replace(second, out=str(tmp_path / "wider"), model=replace(config.model, embedding_dim=32))
    with pytest.raises(TrainingError, match="not that of the checkpoint it begins with"):
        Trainer(wider, corpus, corpus)


def test_stages_compute_the_losses_they_name(config: TrainConfig, corpus: Corpus) -> None:
    Trainer(config, corpus, corpus).run()
    align, *locate = losses(Path(config.out))
    assert set(align) == {"box", "box_score", "semantic_global", "region_word"}
    assert set(locate[0]) == set(align) | {
        "location_image_image",
        "location_image_text",
        "location_text_text",
        "finding_map",
        "lung_map",
        "region_finding",
    }


def test_where_lungs_alone_are_learnt_nothing_else_moves(config: TrainConfig, corpus: Corpus) -> None:
    lungs = LossWeights(semantic_global=0, region_word=0, box=0, box_score=0, lung_map=1.0)
    stage = replace(config.stages[0], name="lungs", epochs=2, learning_rate=0.005, weights=lungs)
    trainer = Trainer(replace(config, stages=(stage,)), corpus, corpus)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run()
    assert {tuple(entry) for entry in losses(Path(config.out))} == {("lung_map",)}
    moved = {
        name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {name for name in before if name.startswith("lungs.")}


def test_a_stage_that_learns_lungs_alone_needs_their_masks(config: TrainConfig, corpus: Corpus) -> None:
    lungs = LossWeights(semantic_global=0, region_word=0, box=0, box_score=0, lung_map=1.0)
    stage = replace(config.stages[0], name="lungs", weights=lungs)
    bare = replace(corpus, lungs=None)
    with pytest.raises(ConfigError, match="lung masks alone"):
        Trainer(replace(config, stages=(stage,)), bare, bare)


def test_without_lung_masks_the_localizer_finds_the_lungs(config: TrainConfig, corpus: Corpus) -> None:
    corpus = replace(corpus, lungs=None)
    trained = load_trained(Trainer(config, corpus, corpus).run().checkpoint)
    with torch.no_grad():
        pixels = torch.rand(2, 1, 64, 64)
        found, localized = trained.model.encode_image(pixels), trained.model.see(pixels)
    torch.testing.assert_close(found.boxes, localized.boxes)


def test_training_lowers_the_loss(config: TrainConfig, corpus: Corpus) -> None:
    corpus = replace(corpus, boxes=np.broadcast_to(corpus.boxes[:1], corpus.boxes.shape))
    longer = replace(config, stages=(replace(config.stages[0], epochs=14, learning_rate=0.005),))
    Trainer(longer, corpus, corpus).run()
    boxes = [entry["box"] for entry in losses(Path(config.out))]
    assert boxes[-1] < 0.7 * boxes[0]


def test_the_averaged_model_loads_for_inference(config: TrainConfig, corpus: Corpus) -> None:
    result = Trainer(config, corpus, corpus).run()
    trained = load_trained(result.checkpoint.parent)
    assert trained.epochs_done == 3
    assert trained.config == config
    with torch.no_grad():
        image = trained.model.encode_image(torch.rand(2, 1, 64, 64))
        regions = trained.model.encode_regions(image.features, image.boxes)
    assert regions.shape == (2, 29, 16)
    torch.testing.assert_close(regions.norm(dim=-1), torch.ones(2, 29))
    assert ((image.boxes >= 0) & (image.boxes <= 1)).all()


def test_a_folder_with_a_run_is_not_overwritten(config: TrainConfig, corpus: Corpus) -> None:
    Trainer(config, corpus, corpus).run()
    with pytest.raises(TrainingError, match="holds a run already"):
        Trainer(config, corpus, corpus)
    with pytest.raises(TrainingError, match="another configuration"):
        Trainer(replace(config, seed=9), corpus, corpus, resume=True)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        load_trained(path)
    with pytest.raises(TrainingError, match="no such checkpoint"):
        load_trained(tmp_path / "elsewhere")


def test_a_diverged_loss_stops_the_run(config: TrainConfig, corpus: Corpus) -> None:
    trainer = Trainer(config, corpus, corpus)
    with torch.no_grad():
        trainer.model.logit_scale.fill_(float("nan"))
    with pytest.raises(TrainingError, match="no longer finite"):
        trainer.run()


def test_weights_of_another_architecture_are_named(config: TrainConfig, corpus: Corpus) -> None:
    path = Trainer(config, corpus, corpus).run().checkpoint
    content = read_checkpoint(path)
    del content["ema"]["finding_head.weight"]
    torch.save(content, path)
    with pytest.raises(TrainingError, match="another architecture"):
        load_trained(path)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from edge_retrieve.train.loop import Trainer

config, corpus = torch.load(sys.argv[1], weights_only=False)

def kill(phase, done, total):
    if phase.endswith("epoch 2") and done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer(config, corpus, corpus).run(kill)
"""


def steps(folder: Path) -> list[dict[str, object]]:
    entries = [json.loads(line) for line in (folder / STEPS).read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in entries]


def test_a_killed_run_goes_on_in_the_middle_of_an_epoch(
    config: TrainConfig, corpus: Corpus, tmp_path: Path
) -> None:
    config = replace(config, checkpoint_steps=1, stages=config.stages[1:])
    Trainer(config, corpus, corpus).run()
    broken = replace(config, out=str(tmp_path / "broken"))
    Path(broken.out).mkdir()
    shutil.copy(Path(config.out) / TOKENIZER, broken.out)
    torch.save((broken, corpus), tmp_path / "given.pt")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "given.pt")], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    saved = read_checkpoint(Path(broken.out))
    assert (saved["epochs_done"], saved["steps_done"]) == (1, 2)
    with (Path(broken.out) / STEPS).open("a") as file:
        file.write('{"step": 6, "epoch": 2, "loss": {}}\n{"step": 7, "epo')  # after the checkpoint, and torn
    Trainer(broken, corpus, corpus, resume=True).run()
    assert steps(Path(broken.out)) == steps(Path(config.out))
    assert losses(Path(broken.out)) == losses(Path(config.out))
    first, second = (read_checkpoint(Path(each.out))["ema"] for each in (config, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_move_after_the_accumulated_batches(config: TrainConfig, corpus: Corpus) -> None:
    config = replace(config, accumulate=2, checkpoint_steps=1, stages=config.stages[:1])
    Trainer(config, corpus, corpus).run()
    assert ["gradient_norm" in entry for entry in steps(Path(config.out))] == [False, True, True]


@pytest.mark.parametrize("objective", list(Objective))
def test_every_objective_trains_and_reads_back(
    config: TrainConfig, corpus: Corpus, objective: Objective
) -> None:
    config = replace(config, objective=objective, chunk=3, stages=config.stages[1:])
    result = Trainer(config, corpus, corpus).run()
    shared, (first, _) = {"box", "box_score", "finding_map", "lung_map"}, losses(Path(config.out))
    if objective is not Objective.RRA_VL:
        assert set(first) == shared | {objective.value}
        # As heavy as the five alignment losses it stands in for.
        assert first[objective.value] > 4.0 * 0.5
    model = load_trained(result.checkpoint).model
    one_head = objective in {
        Objective.GLOBAL_INFONCE,
        Objective.SEMANTIC_SOFT,
        Objective.REGION_CROPS,
    }
    heads = model.region_head.state_dict(), model.global_head.state_dict()
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0]) == one_head


def test_compiled_towers_keep_their_weights_names(config: TrainConfig, corpus: Corpus) -> None:
    config = replace(config, compile="eager", stages=config.stages[:1])
    result = Trainer(config, corpus, corpus).run()
    assert load_trained(result.checkpoint).epochs_done == 1
    with pytest.raises(ConfigError, match="no compiler 'gcc'"):
        Trainer(replace(config, compile="gcc", out=config.out + "2"), corpus, corpus)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_named(config: TrainConfig, corpus: Corpus) -> None:
    with pytest.raises(TrainingError, match="no CUDA device"):
        Trainer(replace(config, device=Device.CUDA), corpus, corpus)
