"""The two towers a configuration asks for: this project's small ones, or pretrained backbones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model.image_backbone import (
    BackboneTower,
    ImageBackboneSpec,
    load_image_backbone,
    read_spec,
)
from edge_retrieve.train.model.image_tower import FEATURE_STRIDE, ImageTower
from edge_retrieve.train.model.text_backbone import (
    PretrainedTextTower,
    load_text_backbone,
    read_text_architecture,
)
from edge_retrieve.train.model.text_tower import TextTower, small_encoder

_IMAGE_STATE = "image_tower.backbone._extra_state"
_TEXT_STATE = "text_tower._extra_state"


@dataclass(frozen=True)
class StoredBackbones:
    """The backbones of a checkpoint, which is rebuilt without their folders.

    Parameters
    ----------
    image : ImageBackboneSpec or None
    text : str or None
        The text encoder's architecture.
    """

    image: ImageBackboneSpec | None = None
    text: str | None = None


def stored_backbones(state: Mapping[str, Any]) -> StoredBackbones:
    """Return what the state dict of an `RraVl` says of its backbones; nothing where it has none."""
    return StoredBackbones(
        read_spec(state[_IMAGE_STATE]) if _IMAGE_STATE in state else None,
        read_text_architecture(state[_TEXT_STATE]) if _TEXT_STATE in state else None,
    )


def build_image_tower(config: ModelConfig, stored: StoredBackbones | None = None) -> nn.Module:
    """Return the image tower: pixels [B, 1, S, S] in 0..1 to features [B, C, h, w].

    Parameters
    ----------
    config : ModelConfig
        `image_backbone` decides: the residual network where it is empty.
    stored : StoredBackbones, optional
        Builds the backbone of a checkpoint, whose weights follow by ``load_state_dict``; otherwise they are
        read from the folder.

    Raises
    ------
    ConfigError
        The folder is missing or incomplete, or its model does not fit the configuration.
    """
    if not config.image_backbone:
        return ImageTower(config)
    if stored is not None and stored.image is not None:
        return BackboneTower(stored.image, config)
    spec, weights = load_image_backbone(config)
    tower = BackboneTower(spec, config)
    tower.backbone.model.load_state_dict(weights)
    return tower


def build_text_tower(
    config: ModelConfig, vocabulary: int, stored: StoredBackbones | None = None
) -> TextTower:
    """Return the text tower: token ids and mask [B, T] to words [B, T, D] and text [B, D].

    Parameters
    ----------
    config : ModelConfig
        `text_backbone` decides: a small BERT of its own where it is empty.
    vocabulary : int
        Number of tokens of the tokenizer.
    stored : StoredBackbones, optional
        As for `build_image_tower`.

    Raises
    ------
    ConfigError
        As `build_image_tower`.
    """
    if not config.text_backbone:
        return TextTower(small_encoder(config, vocabulary), config.text_width, config)
    if stored is not None and stored.text is not None:
        return PretrainedTextTower(stored.text, config, vocabulary)
    architecture, weights = load_text_backbone(config)
    tower = PretrainedTextTower(architecture, config, vocabulary)
    tower.encoder.load_state_dict(weights)
    return tower


def feature_stride(tower: nn.Module) -> int:
    """Return how many pixels of the model's square one cell of a tower's features spans."""
    return tower.stride if isinstance(tower, BackboneTower) else FEATURE_STRIDE


def learning_rate_factor(config: ModelConfig, parameter: str) -> float:
    """Return what fraction of the learning rate a parameter of `RraVl`, by its name, is trained with."""
    if config.image_backbone and parameter.startswith("image_tower.backbone."):
        return config.image_backbone_rate
    if config.text_backbone and parameter.startswith("text_tower.encoder."):
        return config.text_backbone_rate
    return 1.0
