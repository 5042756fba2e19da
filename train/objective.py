"""The objective of one step: which losses, of what, with which weights."""

from __future__ import annotations

import torch
from torch import Tensor

from edge_retrieve.train import losses
from edge_retrieve.train.batches import Batch
from edge_retrieve.train.config import LossWeights
from edge_retrieve.train.datasets.corpus import mirror_positions
from edge_retrieve.train.model import RraVl

# The region-word scores grow with the square of the batch; this many studies of it take part.
_REGION_WORD_STUDIES = 16
_MAX_SCALE = 100.0


def study_similarity(labels: Tensor) -> Tensor:
    """Return the label similarity of studies, 0 to 1, from their region findings [B, 29, L], shape [B, B].

    Jaccard overlap of (region, finding) pairs, averaged with that of findings wherever they stand.
    """
    pairs = losses.label_overlap(labels.flatten(1), labels.flatten(1))
    anywhere = labels.amax(dim=1)
    return 0.5 * (pairs + losses.label_overlap(anywhere, anywhere))


def compute_losses(
    model: RraVl, batch: Batch, weights: LossWeights, predicted: Tensor | None, *, bfloat16: bool
) -> dict[str, Tensor]:
    """Run the model on a batch and return each weighted loss by name.

    Parameters
    ----------
    model : RraVl
    batch : Batch
    weights : LossWeights
        Parts of weight 0 are not computed.
    predicted : bool Tensor of shape [B] or None
        Studies whose regions are pooled from the predicted boxes, as at query time.
    bfloat16 : bool
        Run the towers in bfloat16; regions and losses stay in float32.
    """
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    reduced = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)
    with reduced:
        image = model.encode_image(pixels)
        report = model.encode_text(batch.token_ids, batch.mask)
    boxes = batch.boxes
    if predicted is not None:
        boxes = torch.where(predicted[:, None, None], image.boxes.detach(), boxes)
    regions = model.encode_regions(image.features.float(), boxes)
    scale = model.logit_scale.exp().clamp_max(_MAX_SCALE)
    mirror = torch.from_numpy(mirror_positions())
    parts: dict[str, Tensor] = {}
    if weights.box:
        parts["box"] = weights.box * losses.box_regression(image.boxes, batch.boxes)
    if weights.box_score:
        reached = losses.box_iou(image.boxes.detach(), batch.boxes)
        score = torch.nn.functional.binary_cross_entropy_with_logits(image.box_logits, reached)
        parts["box_score"] = weights.box_score * score
    if weights.finding_map and batch.finding_map is not None:
        side = image.finding_logits.shape[-2:]
        share = torch.nn.functional.interpolate(batch.finding_map, size=side, mode="area")
        value = losses.finding_map(image.finding_logits, share)
        parts["finding_map"] = weights.finding_map * value
    if weights.semantic_global:
        similarity = study_similarity(batch.labels)
        value = losses.semantic_global(image.global_embedding.float(), report.text, similarity, scale[0])
        parts["semantic_global"] = weights.semantic_global * value
    if weights.region_word:
        few = slice(0, _REGION_WORD_STUDIES)
        value = losses.region_word(regions[few], report.words[few], batch.mask[few])
        parts["region_word"] = weights.region_word * value
    if weights.location_image_image:
        value = losses.location_image_image(regions, batch.labels, batch.patients, mirror, scale[1])
        parts["location_image_image"] = weights.location_image_image * value
    if weights.location_image_text or weights.location_text_text:
        with reduced:
            texts = model.encode_text(batch.region_token_ids, batch.region_mask).text
        if weights.location_image_text:
            value = losses.location_image_text(
                regions, batch.labels, texts, batch.text_labels, batch.text_regions, mirror, scale[2]
            )
            parts["location_image_text"] = weights.location_image_text * value
        if weights.location_text_text:
            value = losses.location_text_text(
                texts, batch.text_labels, batch.text_regions, batch.text_patients, mirror, scale[2]
            )
            parts["location_text_text"] = weights.location_text_text * value
    return parts
