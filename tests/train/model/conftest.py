"""Tiny pretrained models with random weights, as folders on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.tokenizer import train_tokenizer

MODEL = ModelConfig(
    image_size=64,
    feature_channels=16,
    salience_heads=4,
    projection_width=16,
    embedding_dim=16,
    widths=(8, 8, 16, 16),
    depths=(1, 1, 1, 1),
    text_width=16,
    text_layers=1,
    text_heads=2,
    max_text_tokens=48,
)
TRANSFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    # A checkpoint as published has dropout; ours has to leave it out.
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
STAGES = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
VISION: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViT", {**TRANSFORMER, "image_size": 64, "patch_size": 8}),
    "dinov2": ("Dinov2", {**TRANSFORMER, "mlp_ratio": 2, "image_size": 56, "patch_size": 14}),
    "convnext": ("ConvNext", {**STAGES, "drop_path_rate": 0.1}),
    "resnet": ("ResNet", {**STAGES, "embedding_size": 8, "layer_type": "basic"}),
    "swin": (
        "Swin",
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 8,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "window_size": 2,
        },
    ),
}
TEXT = ("bert", "cxr-bert", "roberta")
REPORTS = (
    "There is a small nodule in the right upper lung zone. No pleural effusion.",
    "The heart is enlarged. Left pleural effusion; no pneumothorax.",
)
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.25]


@dataclass(frozen=True)
class Folder:
    """A model as a site would have it on disk, the library's own object of it, and a size it takes."""

    path: Path
    model: torch.nn.Module
    image_size: int = 64

    def config(self, **changes: Any) -> ModelConfig:
        """Return a configuration with this folder as its image backbone."""
        return replace(MODEL, **{"image_size": self.image_size, "image_backbone": str(self.path), **changes})


@pytest.fixture(scope="session")
def vision_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Folder]:
    made: dict[str, Folder] = {}

    def make(kind: str) -> Folder:
        if kind not in made:
            name, sizes = VISION[kind]
            torch.manual_seed(3)
            config = getattr(transformers, f"{name}Config")(**sizes)
            model = getattr(transformers, f"{name}Model")(config).eval()
            path = tmp_path_factory.mktemp(kind) / "model"
            model.save_pretrained(path)
            processor = {"do_normalize": True, "image_mean": MEAN, "image_std": STD, "size": 9}
            (path / "preprocessor_config.json").write_text(json.dumps(processor))
            made[kind] = Folder(path, model, sizes.get("image_size", 64))
        return made[kind]

    return make


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Folder]:
    made: dict[str, Folder] = {}

    def make(kind: str) -> Folder:
        if kind not in made:
            path = tmp_path_factory.mktemp(kind) / "model"
            made[kind] = Folder(path, roberta(path) if kind == "roberta" else bert(path, kind))
        return made[kind]

    return make


def bert(path: Path, kind: str) -> torch.nn.Module:
    """BERT with its tokenizer; or CXR-BERT as published: a class of its own, and an old vocabulary file."""
    tokenizer = train_tokenizer(REPORTS, 120)
    config = transformers.BertConfig(
        **TRANSFORMER, vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=48
    )
    torch.manual_seed(3)
    model = transformers.BertForMaskedLM(config).eval()
    model.save_pretrained(path)
    if kind == "bert":
        tokenizer.save(str(path / "tokenizer.json"))
    else:
        content = json.loads((path / "config.json").read_text())
        content |= {"model_type": "cxr-bert", "auto_map": {"AutoModel": "modeling_cxrbert.CXRBertModel"}}
        (path / "config.json").write_text(json.dumps(content))
        words = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        (path / "vocab.txt").write_text("\n".join(word for word, _ in words) + "\n")
    encoder = model.bert
    assert isinstance(encoder, torch.nn.Module)
    return encoder


def roberta(path: Path) -> torch.nn.Module:
    """RoBERTa with the two files of byte pairs."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(REPORTS, trainer)
    config = transformers.RobertaConfig(
        **TRANSFORMER, vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=50
    )
    torch.manual_seed(3)
    model = transformers.RobertaModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(path)
    tokenizer.model.save(str(path))
    assert isinstance(model, torch.nn.Module)
    return model
