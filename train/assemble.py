"""What a run trains: the model as its objective wants it, compiled where asked for, and its optimiser."""

from __future__ import annotations

import torch
from torch import Tensor

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.config import TrainConfig
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.objective import ONE_HEAD


def build_model(config: TrainConfig, vocabulary: int, device: torch.device) -> RraVl:
    """Return a new model on its device.

    An objective that trains one head only shares it between whole images and regions: the other one would
    stay as random as it was made, and a region asked for would be a fault of ours, not of the method.
    """
    model = RraVl(config.model, vocabulary)
    if config.objective in ONE_HEAD:
        model.region_head = model.global_head
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def build_optimiser(model: RraVl, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW: matrices and kernels decay, biases, norms and scales do not."""
    decayed: list[Tensor] = []
    kept: list[Tensor] = []
    for parameter in model.parameters():
        (decayed if parameter.ndim > 1 else kept).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


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
