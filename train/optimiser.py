"""The optimiser: orthogonalised momentum for hidden matrices and kernels, AdamW for all else.

docs/model.md has what it is worth against AdamW alone: after three epochs, more than twice the P@5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edge_retrieve.train.config import OptimiserKind
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.towers import learning_rate_factor

# Coefficients of the quintic Newton-Schulz iteration of Muon (Jordan et al. 2024): they maximise the
# slope at zero, so five rounds bring every singular value near 1.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
# With this factor an update is about as large as one of AdamW, and both can share a learning rate
# (Liu et al. 2025, "Muon is scalable for LLM training", eq. 4).
_RMS = 0.2
# Layers that read out single numbers: their rows are unrelated, and orthogonalising would relate them.
_READ_OUTS = frozenset(
    {"finding_head", "region_findings", "localizer.edges", "localizer.score", "lungs.output"}
)


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return about ``U V^t`` of a matrix ``U S V^t``, in bfloat16 (Jordan et al. 2024).

    Parameters
    ----------
    matrix : Tensor of shape [m, n]

    Returns
    -------
    bfloat16 Tensor of shape [m, n]
        Singular values between about 0.7 and 1.2.
    """
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.t()
    x = x / (x.norm() + 1e-7)
    for _ in range(_ROUNDS):
        gram = x @ x.t()
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return torch.as_tensor(x.t() if tall else x)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, for matrices and convolution kernels (Jordan et al. 2024).

    Parameters
    ----------
    parameters : iterable
        Tensors of two or more dimensions, or groups of them; kernels count as [outputs, everything else].
    lr : float
        Learning rate.
    weight_decay : float
        Decoupled, as in AdamW.
    momentum : float
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; `closure` is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average = state["momentum"]
        average.lerp_(parameter.grad, 1.0 - group["momentum"])
        direction = parameter.grad.lerp(average, group["momentum"])  # type: ignore[union-attr]
        flat = direction.reshape(direction.shape[0], -1)
        update = orthogonalise(flat).to(parameter.dtype) * (_RMS * max(flat.shape) ** 0.5)
        parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
        parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"])


class Optimisers:
    """Several optimisers of disjoint parameters, used as one.

    Parameters
    ----------
    parts : sequence of torch.optim.Optimizer
    """

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self._parts = tuple(parts)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move all parameters."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of each part."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what `state_dict` returned."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def build_optimiser(model: RraVl, kind: OptimiserKind, weight_decay: float) -> Optimisers:
    """Return the optimiser of a model's trainable parameters.

    Each group's ``rate`` is the fraction of a stage's learning rate that it is trained with: a pretrained
    backbone moves slower than what is new. What is frozen is in no group. Matrices and kernels decay;
    biases, norms and scales do not.

    Parameters
    ----------
    model : RraVl
    kind : OptimiserKind
        With `MUON`, AdamW still moves embeddings, read-outs, vectors, and pretrained backbones.
    weight_decay : float
    """
    hidden = _hidden_weights(model) if kind is OptimiserKind.MUON else set()
    orthogonal: list[Tensor] = []
    groups: dict[tuple[float, float], list[Tensor]] = {(1.0, weight_decay): [], (1.0, 0.0): []}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = learning_rate_factor(model.config, name)
        if name in hidden:
            orthogonal.append(parameter)
        else:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    adamw = torch.optim.AdamW(
        [
            {"params": parameters, "rate": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        lr=0.0,
        fused=True,
    )
    return Optimisers([adamw, Muon(orthogonal, lr=0.0, weight_decay=weight_decay)] if orthogonal else [adamw])


def _hidden_weights(model: RraVl) -> set[str]:
    pretrained = tuple(
        prefix
        for folder, prefix in (
            (model.config.image_backbone, "image_tower.backbone."),
            (model.config.text_backbone, "text_tower.encoder."),
        )
        if folder
    )
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
        and name not in _READ_OUTS
        and not name.startswith(pretrained)
    }
