"""What a run trains: the model as its objective wants it, compiled where asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.backbone_tokenizer import load_backbone_tokenizer
from edge_retrieve.train.config import TrainConfig
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.towers import StoredBackbones
from edge_retrieve.train.objective import ONE_HEAD
from edge_retrieve.train.tokenizer import train_tokenizer


def build_tokenizer(config: TrainConfig, reports: Sequence[str]) -> Tokenizer:
    """Return the text backbone's own tokenizer, or one trained on reports where there is no backbone.

    Raises
    ------
    ConfigError
        The backbone's folder is missing or has no tokenizer that reads.
    """
    if config.model.text_backbone:
        return load_backbone_tokenizer(config.model.text_backbone)
    return train_tokenizer(reports, config.tokenizer.vocabulary)


def build_model(
    config: TrainConfig, vocabulary: int, device: torch.device, stored: StoredBackbones | None = None
) -> RraVl:
    """Return a new model on its device.

    An objective that trains one head only shares it between whole images and regions: the other one would
    stay as random as it was made, and a region asked for would be a fault of ours, not of the method.
    """
    model = RraVl(config.model, vocabulary, stored)
    if config.objective in ONE_HEAD:
        model.region_head = model.global_head
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def compile_towers(model: RraVl, backend: str) -> None:
    """Compile the towers in place; their weights keep their names.

    Raises
    ------
    ConfigError
        PyTorch knows no such compiler.
    """
    if not backend:
        return
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise ConfigError(
            f"PyTorch knows no compiler '{backend}'",
            where="config.compile",
            remedy=f"Known are: {', '.join(known)}",
        )
    model.image_tower.compile(backend=backend)
    model.text_tower.compile(backend=backend)
