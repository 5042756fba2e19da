"""Text tower on a pretrained BERT or RoBERTa model, such as CXR-BERT."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_retrieve.runtime.errors import ConfigError, TrainingError
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model.backbone_folder import backbone_folder, build_backbone, load_backbone
from edge_retrieve.train.model.text_tower import TextTower

WHERE = "model.text_backbone"
# Others may read an attention mask of this project's form otherwise, or not at all.
_KINDS = ("bert", "camembert", "roberta", "xlm-roberta")


class PretrainedTextTower(TextTower):
    """Token ids to unit word and text embeddings, by a pretrained encoder and a projection of our own.

    Parameters
    ----------
    architecture : str
        JSON text of the encoder's configuration.
    config : ModelConfig
        `embedding_dim`, `max_text_tokens`, `text_backbone_frozen`.
    vocabulary : int
        Number of tokens of the tokenizer.

    Raises
    ------
    ConfigError
        The encoder cannot be made, or is too small for the tokenizer or the text.
    """

    def __init__(self, architecture: str, config: ModelConfig, vocabulary: int) -> None:
        sizes = _check(architecture, config, vocabulary)
        encoder = build_backbone(architecture, attention="eager", where=WHERE)
        super().__init__(encoder, sizes["hidden_size"], config)
        self.architecture, self.frozen = architecture, config.text_backbone_frozen
        encoder.requires_grad_(not self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> PretrainedTextTower:
        """Switch between training and evaluation; a frozen encoder stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def get_extra_state(self) -> Tensor:
        """Return the encoder's architecture as bytes, so that a checkpoint holds all that it needs."""
        return torch.from_numpy(np.frombuffer(self.architecture.encode(), dtype=np.uint8).copy())

    def set_extra_state(self, state: Tensor) -> None:
        """Take the weights of a checkpoint only where they are of the same encoder.

        Raises
        ------
        TrainingError
            They are of another one.
        """
        if read_text_architecture(state) != self.architecture:
            raise TrainingError(
                "the text backbone of the checkpoint is another model",
                where="config.model.text_backbone",
                remedy="Name the folder that the checkpoint was trained from",
            )


def read_text_architecture(state: Tensor) -> str:
    """Return the architecture that `PretrainedTextTower.get_extra_state` wrote."""
    return state.cpu().numpy().tobytes().decode()


def load_text_backbone(config: ModelConfig) -> tuple[str, Mapping[str, Tensor]]:
    """Read the configured folder.

    Returns
    -------
    str
        The encoder's architecture.
    mapping of str to Tensor
        Weights of `TextTower.encoder`.

    Raises
    ------
    ConfigError
        The folder is missing or incomplete, or holds no BERT-like model.
    """
    folder = backbone_folder(config.text_backbone, WHERE)
    pretrained = load_backbone(folder, WHERE, reads="input_ids")
    if pretrained.missing:
        raise ConfigError(
            f"{folder} lacks {len(pretrained.missing)} of the model's weights, "
            f"{min(pretrained.missing)} for one",
            where=WHERE,
            remedy="Copy the folder again; its weights are of another model than its config.json",
        )
    return pretrained.architecture, pretrained.weights


def _check(architecture: str, config: ModelConfig, vocabulary: int) -> dict[str, Any]:
    sizes: dict[str, Any] = json.loads(architecture)
    kind = sizes["model_type"]
    if kind not in _KINDS:
        raise ConfigError(
            f"the folder holds a model of type {kind!r}",
            where=WHERE,
            remedy=f"Use one of {', '.join(_KINDS)} (CXR-BERT counts as bert)",
        )
    empty: Any = build_backbone(architecture, attention="eager", where=WHERE, device="meta").config
    if vocabulary > empty.vocab_size:
        raise ConfigError(
            f"the tokenizer has {vocabulary} tokens, the model knows {empty.vocab_size}",
            where=WHERE,
            remedy="Use the tokenizer files that belong to the model",
        )
    # RoBERTa counts positions from behind its padding token's number.
    reserved = 0 if kind == "bert" else empty.pad_token_id + 1
    if config.max_text_tokens > empty.max_position_embeddings - reserved:
        raise ConfigError(
            f"the text backbone reads {empty.max_position_embeddings - reserved} tokens at most",
            where="model.max_text_tokens",
        )
    return {"hidden_size": int(empty.hidden_size)}
