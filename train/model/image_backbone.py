"""Image tower on a pretrained vision model: ViT, DINOv2, ConvNeXt, ResNet, Swin and others of their kind."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge_retrieve.runtime.errors import ConfigError, TrainingError
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model.backbone_folder import (
    Pretrained,
    backbone_folder,
    build_backbone,
    load_backbone,
)
from edge_retrieve.train.model.neck import FeatureNeck
from edge_retrieve.train.model.pixel_scaling import PixelScaling, read_scaling

WHERE = "model.image_backbone"
# A plain transformer has one resolution: these many of its depths are merged (as in Ranftl et al. 2021, DPT).
_DEPTHS = 4


@dataclass(frozen=True)
class ImageBackboneSpec:
    """All that rebuilds the backbone of a checkpoint where its folder is not.

    Parameters
    ----------
    architecture : str
        JSON text of the model's configuration.
    scaling : PixelScaling
    image_size : int
        Pixels a side that its position embeddings are for.
    """

    architecture: str
    scaling: PixelScaling
    image_size: int

    def to_json(self) -> str:
        """Return the specification as JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ImageBackboneSpec:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        scaling = raw["scaling"]
        return cls(
            raw["architecture"],
            PixelScaling(tuple(scaling["mean"]), tuple(scaling["std"]), scaling["scale"]),
            raw["image_size"],
        )


class ImageBackbone(nn.Module):
    """Pixels to the maps of a vision model, the finest first.

    Parameters
    ----------
    spec : ImageBackboneSpec
    frozen : bool
        Its weights take no gradient, and it computes as in evaluation also while the rest trains.

    Raises
    ------
    ConfigError
        The model cannot be made, or does not take images of this size.
    """

    def __init__(self, spec: ImageBackboneSpec, *, frozen: bool) -> None:
        super().__init__()
        self.spec, self.frozen = spec, frozen
        self.model = build_backbone(spec.architecture, attention="sdpa", where=WHERE)
        self.channels, self.sides, used = _examine(spec)
        for name, parameter in self.model.named_parameters():
            # A head or mask token that no feature depends on would wait for a gradient for ever.
            parameter.requires_grad_(name in used and not frozen)
        shape = (1, len(spec.scaling.mean), 1, 1)
        mean, std = torch.tensor(spec.scaling.mean), torch.tensor(spec.scaling.std)
        self.register_buffer("mean", mean.reshape(shape), persistent=False)
        self.register_buffer("std", std.reshape(shape), persistent=False)
        self.train(self.training)

    def train(self, mode: bool = True) -> ImageBackbone:
        """Switch between training and evaluation; a frozen model stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.model.eval()
        return self

    def normalise(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 1, S, S] in 0..1 to what the model was trained on, [B, channels, S, S]."""
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (pixels * self.spec.scaling.scale - mean) / std

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Map pixels [B, 1, S, S] in 0..1 to maps [B, C_i, h_i, w_i]."""
        return _levels(self.model, self.normalise(pixels), self.spec)

    def get_extra_state(self) -> Tensor:
        """Return the specification as bytes, so that a checkpoint holds all that it needs."""
        return torch.from_numpy(np.frombuffer(self.spec.to_json().encode(), dtype=np.uint8).copy())

    def set_extra_state(self, state: Tensor) -> None:
        """Take the weights of a checkpoint only where they are of the same model.

        Raises
        ------
        TrainingError
            They are of another one.
        """
        if read_spec(state) != self.spec:
            raise TrainingError(
                "the image backbone of the checkpoint is another model",
                where="config.model.image_backbone",
                remedy="Name the folder that the checkpoint was trained from",
            )


def read_spec(state: Tensor) -> ImageBackboneSpec:
    """Return the specification that `ImageBackbone.get_extra_state` wrote."""
    return ImageBackboneSpec.from_json(state.cpu().numpy().tobytes().decode())


class BackboneTower(nn.Module):
    """Pixels to one feature map, by a vision model and a neck.

    Parameters
    ----------
    spec : ImageBackboneSpec
    config : ModelConfig
        `feature_stride`, `feature_channels`, `image_backbone_frozen`.

    Raises
    ------
    ConfigError
        As `ImageBackbone`.
    """

    def __init__(self, spec: ImageBackboneSpec, config: ModelConfig) -> None:
        super().__init__()
        self.backbone = ImageBackbone(spec, frozen=config.image_backbone_frozen)
        channels, sides = list(self.backbone.channels), list(self.backbone.sides)
        while len(sides) > 1 and sides[0] > sides[-1] and spec.image_size / sides[0] < config.feature_stride:
            del channels[0], sides[0]  # finer than wanted
        self.used = len(sides)
        stride = spec.image_size / sides[0]
        doublings = max(0, math.ceil(math.log2(stride / config.feature_stride)))
        self.stride = spec.image_size // (sides[0] * 2**doublings)
        self.neck = FeatureNeck(channels, config.feature_channels, doublings)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 1, S, S] in 0..1 to features [B, C, S/stride, S/stride]."""
        return torch.as_tensor(self.neck(self.backbone(pixels)[-self.used :]))


def load_image_backbone(config: ModelConfig) -> tuple[ImageBackboneSpec, Mapping[str, Tensor]]:
    """Read the configured folder, its position embeddings interpolated to the configured image size.

    Returns
    -------
    ImageBackboneSpec
    mapping of str to Tensor
        Weights of `ImageBackbone.model`.

    Raises
    ------
    ConfigError
        The folder is missing or incomplete, holds no vision model, or one that does not take this size.
    """
    folder = backbone_folder(config.image_backbone, WHERE)
    pretrained = load_backbone(folder, WHERE, reads="pixel_values")
    architecture = json.loads(pretrained.architecture)
    channels = int(architecture.get("num_channels", 3))
    scaling = read_scaling(folder, channels, WHERE)
    fitted = json.dumps({**architecture, "image_size": config.image_size}, sort_keys=True)
    spec = ImageBackboneSpec(fitted, scaling, config.image_size)
    used = _examine(spec)[2]
    lacking = sorted(pretrained.missing & used)
    if lacking:
        raise ConfigError(
            f"{folder} lacks {len(lacking)} of the model's weights, {lacking[0]} for one",
            where=WHERE,
            remedy="Copy the folder again; its weights are of another model than its config.json",
        )
    return spec, _fit_positions(pretrained, spec)


def _fit_positions(pretrained: Pretrained, spec: ImageBackboneSpec) -> Mapping[str, Tensor]:
    """Interpolate position embeddings once, here, by the model's own rule, rather than in every pass."""
    wanted = build_backbone(spec.architecture, attention="eager", where=WHERE, device="meta").state_dict()
    weights = dict(pretrained.weights)
    unfit = [name for name, value in weights.items() if value.shape != wanted[name].shape]
    if unfit and unfit != ["embeddings.position_embeddings"]:
        raise ConfigError(
            f"the model's {unfit[0]} is for another image size than {spec.image_size}",
            where=WHERE,
            remedy="Set model.image_size to the size it was trained at",
        )
    for name in unfit:
        model: Any = build_backbone(pretrained.architecture, attention="eager", where=WHERE)
        model.load_state_dict(weights)
        tokens = torch.zeros(1, wanted[name].shape[1], wanted[name].shape[2])
        with torch.no_grad():
            fitted = model.embeddings.interpolate_pos_encoding(tokens, spec.image_size, spec.image_size)
        weights[name] = fitted.clone()
    return weights


def _levels(model: nn.Module, pixels: Tensor, spec: ImageBackboneSpec) -> list[Tensor]:
    """Return the deepest map of every resolution, the finest first; of a single one, several depths."""
    outputs = model(pixel_values=pixels, output_hidden_states=True)
    states = getattr(outputs, "reshaped_hidden_states", None) or outputs.hidden_states
    if states[0].ndim == 3:
        blocks = [*states[1:-1], outputs.last_hidden_state]  # the last one after its layer norm
        depths = sorted({math.ceil(len(blocks) * (n + 1) / _DEPTHS) - 1 for n in range(_DEPTHS)})
        return [_grid(blocks[depth], spec) for depth in depths]
    deepest = {(state.shape[-2], state.shape[-1]): state for state in states}
    return [deepest[size] for size in sorted(deepest, reverse=True)]


def _grid(tokens: Tensor, spec: ImageBackboneSpec) -> Tensor:
    """Put patch tokens [B, n + h * w, C] on their grid, [B, C, h, w]; n class tokens stand before them."""
    side = spec.image_size // int(json.loads(spec.architecture).get("patch_size", 16))
    patches = tokens[:, tokens.shape[1] - side * side :].transpose(1, 2)
    return patches.reshape(-1, tokens.shape[2], side, side)


def _examine(spec: ImageBackboneSpec) -> tuple[Sequence[int], Sequence[int], frozenset[str]]:
    """Run the model on shapes alone: channels and sides of its maps, and the parameters they depend on.

    Raises
    ------
    ConfigError
        It does not take images of this size, or is of a kind that has no maps.
    """
    _check_size(spec)
    model = build_backbone(spec.architecture, attention="eager", where=WHERE, device="meta")
    size = spec.image_size
    try:
        levels = _levels(model, torch.zeros(1, len(spec.scaling.mean), size, size, device="meta"), spec)
        sum(level.sum() for level in levels).backward()  # type: ignore[union-attr]
    except Exception as error:  # whatever a model raises on a size it was not made for
        raise ConfigError(
            f"{type(model).__name__} does not take images of {size} x {size} pixels ({error})",
            where=WHERE,
            remedy="Set model.image_size to the size it was trained at, or a multiple of it. "
            "ViT, DINOv2, ConvNeXt, ResNet and Swin models are known to work",
        ) from None
    used = frozenset(name for name, value in model.named_parameters() if value.grad is not None)
    return [level.shape[1] for level in levels], [level.shape[-1] for level in levels], used


def _check_size(spec: ImageBackboneSpec) -> None:
    architecture = json.loads(spec.architecture)
    patch = architecture.get("patch_size", 1)
    # A hierarchy halves its maps down to a 32nd; a plain transformer keeps its patches.
    step = 32 if "depths" in architecture else patch
    if not isinstance(step, int) or step < 1 or spec.image_size % step:
        raise ConfigError(
            f"must be a multiple of {step} for this image backbone, found {spec.image_size}",
            where="model.image_size",
        )
