"""Training runs: what is kept, exact resume after a stop, refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.checkpoint import load_trained, read_checkpoint
from edge_retrieve.train.config import TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.log import EPOCHS
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


def test_stages_compute_the_losses_they_name(config: TrainConfig, corpus: Corpus) -> None:
    Trainer(config, corpus, corpus).run()
    align, *locate = losses(Path(config.out))
    assert set(align) == {"box", "box_score", "semantic_global", "region_word"}
    assert set(locate[0]) == set(align) | {
        "location_image_image",
        "location_image_text",
        "location_text_text",
        "finding_map",
    }


def test_training_lowers_the_loss(config: TrainConfig, corpus: Corpus) -> None:
    corpus = replace(corpus, boxes=np.broadcast_to(corpus.boxes[:1], corpus.boxes.shape))
    longer = replace(config, stages=(replace(config.stages[0], epochs=10, learning_rate=0.005),))
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
