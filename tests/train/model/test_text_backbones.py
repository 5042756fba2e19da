"""Pretrained BERT models as text towers: tokens, embeddings, freezing, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.backbone_tokenizer import load_backbone_tokenizer
from edge_retrieve.train.model.text_backbone import PretrainedTextTower
from edge_retrieve.train.model.towers import build_text_tower
from edge_retrieve.train.tokenizer import tokenize

Folders = Callable[[str], Any]
KINDS = ("bert", "cxr-bert", "roberta")
TEXTS = ["Small NODULE, right upper zone.", "No pleural effusion; the heart is enlarged in size today."]


def tower_of(folder: Any, **changes: Any) -> PretrainedTextTower:
    config = replace(folder.config(image_backbone=""), text_backbone=str(folder.path), **changes)
    tower = build_text_tower(config, load_backbone_tokenizer(str(folder.path)).get_vocab_size())
    assert isinstance(tower, PretrainedTextTower)
    return tower


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_the_library_models_projected(text_folder: Folders, kind: str) -> None:
    folder = text_folder(kind)
    tower = tower_of(folder).eval()
    ids, mask = map(torch.from_numpy, tokenize(load_backbone_tokenizer(str(folder.path)), TEXTS, 48))
    assert mask.min() == 0
    padding = 1 if kind == "roberta" else 0
    with torch.no_grad():
        words, text = tower(ids, mask)
        library = folder.model(
            input_ids=torch.where(mask > 0, ids, padding), attention_mask=mask
        ).last_hidden_state
        projected = tower.project(library)
        means = torch.stack(
            [row[: int(n)].mean(dim=0) for row, n in zip(projected, mask.sum(1), strict=True)]
        )
    present = mask.bool()
    torch.testing.assert_close(words[present], F.normalize(projected, dim=-1)[present], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(text, F.normalize(means, dim=-1), rtol=1e-4, atol=1e-5)


def test_an_old_vocabulary_file_tokenizes_as_the_library_does(text_folder: Folders) -> None:
    path = text_folder("cxr-bert").path
    ours = load_backbone_tokenizer(str(path))
    library = transformers.BertTokenizer(str(path / "vocab.txt"))
    for text in (*TEXTS, "A 3-cm Läsion?"):
        assert ours.encode(text).ids == library(text)["input_ids"]


def test_byte_pairs_tokenize_as_the_library_does(text_folder: Folders) -> None:
    path = text_folder("roberta").path
    ours = load_backbone_tokenizer(str(path))
    library = transformers.RobertaTokenizer(str(path / "vocab.json"), str(path / "merges.txt"))
    for text in (*TEXTS, " A 3-cm Läsion?"):
        assert ours.encode(text).ids == library(text)["input_ids"]


def test_case_is_kept_where_the_model_wants_it(text_folder: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(text_folder("cxr-bert").path, folder)
    small = load_backbone_tokenizer(str(folder)).encode("HEART").ids
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert load_backbone_tokenizer(str(folder)).encode("heart").ids == small
    assert load_backbone_tokenizer(str(folder)).encode("HEART").ids != small


def test_padding_and_truncation_of_the_file_are_left_aside(text_folder: Folders, tmp_path: Path) -> None:
    shutil.copytree(text_folder("bert").path, tmp_path / "model")
    path = tmp_path / "model" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {
        **{"strategy": {"Fixed": 90}, "direction": "Right", "pad_to_multiple_of": None},
        **{"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    }
    path.write_text(json.dumps(content))
    _, mask = tokenize(load_backbone_tokenizer(str(path.parent)), TEXTS, 48)
    assert mask.sum(axis=1).tolist() == [
        len(load_backbone_tokenizer(str(text_folder("bert").path)).encode(text).ids) for text in TEXTS
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_or_tuned(text_folder: Folders, kind: str) -> None:
    ids, mask = torch.full((2, 6), 7), torch.ones(2, 6)
    weights = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    frozen = tower_of(text_folder(kind)).train()
    (frozen(ids, mask)[1] * weights).sum().backward()
    assert all(value.grad is None for value in frozen.encoder.parameters())
    assert not any(module.training for module in frozen.encoder.modules())
    assert frozen.project.weight.grad is not None
    tuned = tower_of(text_folder(kind), text_backbone_frozen=False).train()
    (tuned(ids, mask)[1] * weights).sum().backward()
    assert all(value.grad is not None for value in tuned.parameters())
    assert torch.equal(tuned(ids, mask)[1], tuned(ids, mask)[1])


def test_what_does_not_fit_is_said(text_folder: Folders, vision_folder: Folders, tmp_path: Path) -> None:
    bert, roberta = text_folder("bert"), text_folder("roberta")
    with pytest.raises(ConfigError, match=r"max_text_tokens: the text backbone reads 48 tokens at most"):
        tower_of(bert, max_text_tokens=49)
    with pytest.raises(ConfigError, match="reads 48 tokens at most"):  # two of its 50 positions are reserved
        tower_of(roberta, max_text_tokens=49)
    with pytest.raises(ConfigError, match="the tokenizer has 5000 tokens"):
        build_text_tower(replace(bert.config(), text_backbone=str(bert.path)), 5000)
    with pytest.raises(ConfigError, match="reads pixel_values, not input_ids"):
        build_text_tower(replace(bert.config(), text_backbone=str(vision_folder("vit").path)), 10)
    with pytest.raises(ConfigError, match="emilyalsentzer/Bio_ClinicalBERT is not a folder"):
        load_backbone_tokenizer("emilyalsentzer/Bio_ClinicalBERT")
    folder = tmp_path / "model"
    shutil.copytree(bert.path, folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_backbone_tokenizer(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"has no tokenizer.*vocab\.txt"):
        load_backbone_tokenizer(str(folder))
    (folder / "vocab.txt").write_text("[UNK]\nheart\n")
    with pytest.raises(ConfigError, match=r"has no \[CLS\]"):
        load_backbone_tokenizer(str(folder))


def test_a_model_whose_masks_may_differ_is_refused(text_folder: Folders, tmp_path: Path) -> None:
    sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "vocab_size": 200}
    transformers.DistilBertModel(transformers.DistilBertConfig(**sizes)).save_pretrained(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"of type 'distilbert'.*bert, camembert, roberta"):
        build_text_tower(replace(text_folder("bert").config(), text_backbone=str(tmp_path / "model")), 100)


def test_a_text_tower_without_layers_works(text_folder: Folders) -> None:
    config = replace(text_folder("bert").config(), text_layers=0)
    words, text = build_text_tower(config, 50)(torch.full((2, 6), 7), torch.ones(2, 6))
    assert words.shape == (2, 6, 16)
    torch.testing.assert_close(text.norm(dim=-1), torch.ones(2))
