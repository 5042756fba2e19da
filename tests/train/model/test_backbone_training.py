"""Training with pretrained towers: what moves, what stays, and a checkpoint that needs no folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_retrieve.runtime.errors import ConfigError, TrainingError
from edge_retrieve.train.checkpoint import load_trained
from edge_retrieve.train.config import OptimiserKind, TrainConfig, parse_config
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.loop import Trainer
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.optimiser import build_optimiser
from edge_retrieve.train.tokenizer import tokenize

Folders = Callable[[str], Any]
PAIRS = {"vit": "bert", "dinov2": "cxr-bert", "convnext": "roberta", "resnet": "bert", "swin": "roberta"}
TUNED = {"image_backbone_frozen": False, "text_backbone_frozen": False}


def with_backbones(config: TrainConfig, vision: Any, text: Any, **changes: Any) -> TrainConfig:
    model = vision.config(text_backbone=str(text.path), **changes)
    stages = (replace(config.stages[-1], epochs=1, predicted_boxes=0.5),)
    return replace(config, model=model, stages=stages, warmup_steps=1)


def fit(corpus: Corpus, size: int) -> Corpus:
    return replace(corpus, pixels=corpus.pixels[:, :size, :size].copy())


@pytest.mark.parametrize(
    ("kind", "tuned"),
    [("vit", True), ("dinov2", False), ("convnext", True), ("resnet", True), ("swin", False)],
)
def test_an_epoch_moves_what_is_tuned_and_nothing_frozen(
    config: TrainConfig,
    corpus: Corpus,
    vision_folder: Folders,
    text_folder: Folders,
    kind: str,
    tuned: bool,
) -> None:
    vision, text = vision_folder(kind), text_folder(PAIRS[kind])
    config = with_backbones(config, vision, text, **(TUNED if tuned else {}))
    # Reduced precision on half of them: every backbone has to run in both.
    config = replace(config, bfloat16=kind in ("dinov2", "convnext"))
    trainer = Trainer(config, fit(corpus, vision.image_size), fit(corpus, vision.image_size))
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.run()
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    pretrained = ("image_tower.backbone.", "text_tower.encoder.")
    assert any(name.startswith("image_tower.neck.") for name in moved)
    assert any(name.startswith(pretrained[0]) for name in moved) == tuned
    assert any(name.startswith(pretrained[1]) for name in moved) == tuned


def test_a_checkpoint_needs_no_folder(
    config: TrainConfig, corpus: Corpus, vision_folder: Folders, text_folder: Folders, tmp_path: Path
) -> None:
    vision, text = vision_folder("dinov2"), text_folder("cxr-bert")
    folders = tmp_path / "folders"
    shutil.copytree(vision.path, folders / "vision")
    shutil.copytree(text.path, folders / "text")
    # 84 is not the size of the folder's position embeddings: the checkpoint holds the interpolated ones.
    config = with_backbones(config, vision, text, **TUNED)
    model = replace(
        config.model,
        image_size=84,
        image_backbone=str(folders / "vision"),
        text_backbone=str(folders / "text"),
    )
    config = replace(config, model=model)
    studies = fit(corpus, 64)
    studies = replace(studies, pixels=studies.pixels.repeat(2, axis=1).repeat(2, axis=2)[:, :84, :84].copy())
    trainer = Trainer(config, studies, studies)
    result = trainer.run()
    shutil.rmtree(folders)
    trained = load_trained(result.checkpoint)
    seen = torch.rand(2, 1, 84, 84, generator=torch.Generator().manual_seed(0))
    ids, mask = map(torch.from_numpy, tokenize(trained.tokenizer, ["small nodule", "no effusion"], 48))
    own, loaded = trainer.ema.state_dict(), trained.model.state_dict()
    assert own.keys() == loaded.keys()
    assert all(torch.equal(own[name], loaded[name]) for name in own)
    with torch.no_grad():
        for found, expected in zip(
            trained.model.encode_image(seen), trainer.ema.encode_image(seen), strict=True
        ):
            # Weights are equal; a convolution in another layout of memory may round the last bit otherwise.
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(trained.model.encode_text(ids, mask).text, trainer.ema.encode_text(ids, mask).text)
    resumed = Trainer(config, studies, studies, resume=True)
    state = trainer.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.model.state_dict().items())
    with pytest.raises(ConfigError, match="is not a folder on this machine"):
        RraVl(config.model, trained.tokenizer.get_vocab_size())


def test_weights_of_another_backbone_are_refused(vision_folder: Folders) -> None:
    first = RraVl(vision_folder("vit").config(), 50)
    second = RraVl(vision_folder("convnext").config(), 50)
    with pytest.raises(TrainingError, match="another model"):
        second.load_state_dict(first.state_dict())


@pytest.mark.parametrize("kind", list(OptimiserKind))
def test_backbones_have_a_learning_rate_of_their_own(
    vision_folder: Folders, text_folder: Folders, kind: OptimiserKind
) -> None:
    settings = {**TUNED, "image_backbone_rate": 0.05, "text_backbone_frozen": True}
    text = str(text_folder("bert").path)
    model = RraVl(vision_folder("vit").config(text_backbone=text, **settings), 100)
    names = {id(value): name for name, value in model.named_parameters()}
    rates = {
        names[id(value)]: group.get("rate", 1.0)
        for group in build_optimiser(model, kind, 0.02).param_groups
        for value in group["params"]
    }
    assert {rate for name, rate in rates.items() if name.startswith("image_tower.backbone.")} == {0.05}
    assert {rate for name, rate in rates.items() if "backbone" not in name} == {1.0}
    assert not any(name.startswith("text_tower.encoder.") for name in rates)
    assert set(rates) == {name for name, value in model.named_parameters() if value.requires_grad}


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ({"feature_stride": 12}, "feature_stride: must be 8 or 16"),
        ({"feature_stride": 16}, "feature_stride: is 8 without an image backbone"),
        ({"image_backbone": "x", "image_backbone_rate": 0.0}, "image_backbone_rate: must be above 0"),
        ({"text_layers": -1}, "text_layers: must be at least 0"),
        ({"embedding_dim": 0}, "embedding_dim: must be at least 1"),
        ({"depths": [1, 0, 1, 1]}, "depths: must be at least 1"),
        ({"max_text_tokens": 1}, "2 tokens"),
    ],
)
def test_sizes_that_cannot_work_are_named(model: dict[str, Any], word: str) -> None:
    stages = [{"name": "a", "epochs": 1, "learning_rate": 0.001}]
    with pytest.raises(ConfigError, match=word):
        parse_config({"out": "x", "stages": stages, "model": model})
