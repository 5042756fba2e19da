"""RRA-VL: two towers that meet in one space, for whole studies and for any box.

The paper (arXiv 2503.07456) gives no architecture in full; this is an informed reconstruction of its
semantic global-level and region-/word-level alignment.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.model.localizer import RegionLocalizer
from edge_retrieve.train.model.lungs import LungFinder, with_lungs
from edge_retrieve.train.model.roi_align import roi_mean
from edge_retrieve.train.model.towers import (
    StoredBackbones,
    build_image_tower,
    build_text_tower,
    feature_stride,
)

# exp(+-3): one salient cell can outweigh four hundred others, and float16 still holds the sums.
_SALIENCE_RANGE = 3.0
# The same bound for findings: beyond exp(+-4) more certainty changes no pooled value.
_EVIDENCE_RANGE = 4.0


class ImageOutputs(NamedTuple):
    """What `RraVl.encode_image` returns.

    Parameters
    ----------
    features : Tensor of shape [B, 2C + heads + L, h, w]
        Values, salience-weighted values, the saliences themselves, and the evidence of each finding.
    global_embedding : Tensor of shape [B, D]
        Unit vectors.
    boxes : Tensor of shape [B, 29, 4]
        Fractions of the model's square.
    box_logits : Tensor of shape [B, 29]
    """

    features: Tensor
    global_embedding: Tensor
    boxes: Tensor
    box_logits: Tensor


class Sight(NamedTuple):
    """What `RraVl.see` returns: as `ImageOutputs`, with logits of findings, [B, L, h, w].

    The lungs' boxes are those of the localizer.
    """

    features: Tensor
    boxes: Tensor
    box_logits: Tensor
    finding_logits: Tensor


class Reading(NamedTuple):
    """What `RraVl.read` returns: unit vectors [B, D] and [B, R, D], finding logits [B, R, L]."""

    global_embedding: Tensor
    regions: Tensor
    finding_logits: Tensor


class TextOutputs(NamedTuple):
    """Unit word embeddings [B, T, D] and unit text embeddings [B, D]."""

    words: Tensor
    text: Tensor


class RegionHead(nn.Module):
    """Any box of an encoded image to a unit embedding.

    The feature map holds, per attention head, values multiplied by ``exp(s)`` and ``exp(s)`` itself. The
    quotient of their RoI means is attention pooling inside the box, so a nodule of three cells is not
    drowned by the hundred normal ones around it, while RoI-align keeps its one definition.

    Parameters
    ----------
    config : ModelConfig
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.channels, self.heads = config.feature_channels, config.salience_heads
        self.hidden = nn.Linear(2 * self.channels + len(Finding) + 6, config.projection_width)
        self.norm = nn.LayerNorm(config.projection_width)
        self.deeper = nn.Linear(config.projection_width, config.projection_width)
        self.output = nn.Linear(config.projection_width, config.embedding_dim)

    def read(self, pooled: Tensor, boxes: Tensor) -> Tensor:
        """Map RoI means [B, R, 2C + heads + L] of boxes [B, R, 4] (fractions) to [B, R, width]."""
        plain, weighted, salience, evidence = torch.split(
            pooled, [self.channels, self.channels, self.heads, len(Finding)], dim=-1
        )
        salience = salience.clamp_min(1e-6).repeat_interleave(self.channels // self.heads, dim=-1)
        # The log of a mean of exponentials: near the largest evidence in the box, near the mean of many.
        evidence = evidence.clamp_min(1e-6).log()
        centre = (boxes[..., :2] + boxes[..., 2:]) - 1.0
        size = boxes[..., 2:] - boxes[..., :2]
        place = torch.cat([centre, size, centre.square()], dim=-1)
        hidden = self.hidden(torch.cat([plain, weighted / salience, evidence, place], dim=-1))
        hidden = F.gelu(self.norm(hidden))
        return torch.as_tensor(hidden + F.gelu(self.deeper(hidden)))

    def project(self, hidden: Tensor) -> Tensor:
        """Map [B, R, width] to unit vectors [B, R, D]."""
        return F.normalize(self.output(hidden), dim=-1, eps=1e-6)

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Map features [B, 2C + heads + L, h, w] and boxes [B, R, 4] to unit vectors [B, R, D]."""
        return self.project(self.read(roi_mean(features, boxes), boxes))


class RraVl(nn.Module):
    """The whole model; its three encoders become the three exported graphs.

    Parameters
    ----------
    config : ModelConfig
    vocabulary : int
        Number of tokens of the tokenizer.
    stored : StoredBackbones, optional
        Of the checkpoint whose weights follow; pretrained backbones are then not read from their folders.

    Raises
    ------
    ConfigError
        A pretrained backbone's folder is missing or incomplete, or its model does not fit.
    """

    def __init__(self, config: ModelConfig, vocabulary: int, stored: StoredBackbones | None = None) -> None:
        super().__init__()
        self.config = config
        self.image_tower = build_image_tower(config, stored)
        self.localizer = RegionLocalizer(config.feature_channels)
        self.lungs = LungFinder(config.lung_widths)
        self.value = nn.Conv2d(config.feature_channels, config.feature_channels, 1)
        self.salience = nn.Conv2d(config.feature_channels, config.salience_heads, 1)
        self.finding_head = nn.Conv2d(config.feature_channels, len(Finding), 1)
        # Findings are rare: at the start every cell says "1 in 100", not "1 in 2" (Lin et al. 2017).
        nn.init.constant_(self.finding_head.bias, -4.6)  # type: ignore[arg-type]
        self.region_head = RegionHead(config)
        self.region_findings = nn.Linear(config.projection_width, len(Finding))
        nn.init.constant_(self.region_findings.bias, -4.6)
        self.global_head = RegionHead(config)
        self.text_tower = build_text_tower(config, vocabulary, stored)
        self.logit_scale = nn.Parameter(torch.full((3,), 2.3))

    @property
    def feature_stride(self) -> int:
        """Pixels of the square that one feature cell spans."""
        return feature_stride(self.image_tower)

    def encode_image(self, pixels: Tensor) -> ImageOutputs:
        """Encode pixels [B, 1, S, S] in 0..1."""
        seen = self.see(pixels)
        whole = _whole_image(pixels)
        boxes, box_logits = with_lungs(seen.boxes, seen.box_logits, self.lungs(pixels))
        return ImageOutputs(seen.features, self.global_head(seen.features, whole)[:, 0], boxes, box_logits)

    def see(self, pixels: Tensor) -> Sight:
        """Return what is seen in pixels [B, 1, S, S] before any box is read."""
        shared = self.image_tower(pixels)
        found = self.localizer(shared)
        value = F.relu(self.value(shared))
        salience = torch.exp(_SALIENCE_RANGE * torch.tanh(self.salience(shared)))
        weights = salience.repeat_interleave(
            self.config.feature_channels // self.config.salience_heads, dim=1
        )
        finding_logits = self.finding_head(shared)
        evidence = torch.exp(_EVIDENCE_RANGE * torch.tanh(finding_logits / _EVIDENCE_RANGE))
        features = torch.cat([value, value * weights, salience, evidence], dim=1)
        return Sight(features, found.boxes, found.logits, finding_logits)

    def read(self, features: Tensor, boxes: Tensor) -> Reading:
        """Read the whole image and boxes [B, R, 4] of it in one pooling."""
        whole = _whole_image(features)
        pooled = roi_mean(features, torch.cat([whole, boxes], dim=1))
        hidden = self.region_head.read(pooled[:, 1:], boxes)
        everything = self.global_head.project(self.global_head.read(pooled[:, :1], whole))[:, 0]
        return Reading(everything, self.region_head.project(hidden), self.region_findings(hidden))

    def encode_regions(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Encode boxes [B, R, 4] on `ImageOutputs.features` to unit vectors [B, R, D]."""
        return torch.as_tensor(self.region_head(features, boxes))

    def encode_text(self, token_ids: Tensor, mask: Tensor) -> TextOutputs:
        """Encode token ids [B, T] with their mask [B, T]."""
        return TextOutputs(*self.text_tower(token_ids, mask))


def _whole_image(like: Tensor) -> Tensor:
    box = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float32, device=like.device)
    return box.expand(like.shape[0], 1, 4)
