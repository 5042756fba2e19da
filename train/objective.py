"""The objective of one step: which losses, of what, with which weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from edge_retrieve.train import image_losses, losses, peers
from edge_retrieve.train.batches import Batch
from edge_retrieve.train.config import LossWeights, Objective
from edge_retrieve.train.datasets.corpus import mirror_positions
from edge_retrieve.train.encoding import Encoded, ImageSide, Needs, TextSide

# The region-word scores grow with the square of the batch; this many studies of it take part.
_REGION_WORD_STUDIES = 16
_MAX_SCALE = 100.0
# Losses of single images, which every objective is trained with; the others align, and are what differs.
SHARED = ("box", "box_score", "finding_map", "lung_map")
ALIGNMENT = tuple(f.name for f in dataclasses.fields(LossWeights) if f.name not in SHARED)
# Objectives that train one head only: a region is then a smaller image, and asked for as one.
ONE_HEAD = frozenset({Objective.GLOBAL_INFONCE, Objective.SEMANTIC_SOFT, Objective.REGION_CROPS})


def needs(objective: Objective, weights: LossWeights) -> Needs:
    """Return what the losses of an objective read."""
    lungs = bool(weights.lung_map)
    # The lung finder shares nothing with the rest: where it alone learns, it alone runs.
    image = any(getattr(weights, f.name) for f in dataclasses.fields(weights) if f.name != "lung_map")
    if objective is not Objective.RRA_VL:
        crops = objective is Objective.REGION_CROPS
        return Needs(image, lungs, report=image and not crops, region_text=False, other_view=image and crops)
    return Needs(
        image,
        lungs,
        report=bool(weights.semantic_global or weights.region_word),
        region_text=bool(weights.location_image_text or weights.location_text_text),
        other_view=False,
    )


def study_similarity(labels: Tensor) -> Tensor:
    """Return the label similarity of studies, 0 to 1, from their region findings [B, 29, L], shape [B, B].

    Jaccard overlap of (region, finding) pairs, averaged with that of findings wherever they stand.
    """
    pairs = losses.label_overlap(labels.flatten(1), labels.flatten(1))
    anywhere = labels.amax(dim=1)
    return 0.5 * (pairs + losses.label_overlap(anywhere, anywhere))


def compute_losses(
    encoded: Encoded, batch: Batch, objective: Objective, weights: LossWeights, logit_scale: Tensor
) -> dict[str, Tensor]:
    """Return each weighted loss of an encoded batch by name.

    Parameters
    ----------
    encoded : Encoded
        Holds what `needs` says for the same objective and weights.
    batch : Batch
    objective : Objective
    weights : LossWeights
        Parts of weight 0 are not computed. A peer's objective weighs as much as the alignment losses it
        stands in for, so that the share of the box losses is the same.
    logit_scale : Tensor of shape [3]
        Logarithms of the inverse temperatures: global, image-image, image-text.
    """
    scale = logit_scale.exp().clamp_max(_MAX_SCALE)
    parts = _of_lungs(encoded, batch, weights)
    if encoded.image is None:
        return parts
    parts |= _of_single_images(encoded, batch, weights)
    if objective is Objective.RRA_VL:
        return parts | _rra_vl(encoded, batch, weights, scale)
    weight = sum(float(getattr(weights, name)) for name in ALIGNMENT)
    return parts | {objective.value: weight * _PEERS[objective](encoded, batch, scale[0])}


def _of_lungs(encoded: Encoded, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
    if encoded.lungs is None or batch.lung_map is None:
        return {}
    return {"lung_map": weights.lung_map * image_losses.lung_map(encoded.lungs.logits, batch.lung_map)}


def _of_single_images(encoded: Encoded, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
    image = _image(encoded)
    parts: dict[str, Tensor] = {}
    predicted, logits, truth = image.boxes, image.box_logits, batch.boxes
    if batch.has_boxes is not None:
        predicted, logits, truth = (tensor[batch.has_boxes] for tensor in (predicted, logits, truth))
    if weights.box and len(truth):
        parts["box"] = weights.box * image_losses.box_regression(predicted, truth)
    if weights.box_score and len(truth):
        reached = image_losses.box_iou(predicted.detach(), truth)
        score = torch.nn.functional.binary_cross_entropy_with_logits(logits, reached)
        parts["box_score"] = weights.box_score * score
    if weights.finding_map and batch.finding_map is not None:
        side = image.finding_logits.shape[-2:]
        share = torch.nn.functional.interpolate(batch.finding_map, size=side, mode="area")
        value = image_losses.finding_map(image.finding_logits, share)
        parts["finding_map"] = weights.finding_map * value
    return parts


def _rra_vl(encoded: Encoded, batch: Batch, weights: LossWeights, scale: Tensor) -> dict[str, Tensor]:
    image = _image(encoded)
    mirror = torch.from_numpy(mirror_positions()).to(image.whole.device)
    parts: dict[str, Tensor] = {}
    if weights.region_finding:
        value = image_losses.region_finding(image.region_logits, batch.labels)
        parts["region_finding"] = weights.region_finding * value
    if weights.semantic_global:
        similarity = study_similarity(batch.labels)
        value = losses.semantic_global(image.whole, _present(encoded.report).text, similarity, scale[0])
        parts["semantic_global"] = weights.semantic_global * value
    if weights.region_word:
        few = slice(0, _REGION_WORD_STUDIES)
        words = _words(encoded.report)[few]
        value = losses.region_word(image.regions[few], words, batch.mask[few])
        parts["region_word"] = weights.region_word * value
    if weights.location_image_image:
        value = losses.location_image_image(
            image.regions, batch.labels, batch.patients, mirror, scale[1], weights=batch.label_weights
        )
        parts["location_image_image"] = weights.location_image_image * value
    if weights.location_image_text:
        texts = _present(encoded.region_text).text
        value = losses.location_image_text(
            image.regions,
            batch.labels,
            texts,
            batch.text_labels,
            batch.text_regions,
            mirror,
            scale[2],
            weights=batch.label_weights,
            text_weights=batch.text_weights,
        )
        parts["location_image_text"] = weights.location_image_text * value
    if weights.location_text_text:
        texts = _present(encoded.region_text).text
        value = losses.location_text_text(
            texts,
            batch.text_labels,
            batch.text_regions,
            batch.text_patients,
            mirror,
            scale[2],
            weights=batch.text_weights,
        )
        parts["location_text_text"] = weights.location_text_text * value
    return parts


def _global_infonce(encoded: Encoded, batch: Batch, scale: Tensor) -> Tensor:
    return peers.global_infonce(_image(encoded).whole, _present(encoded.report).text, scale)


def _semantic_soft(encoded: Encoded, batch: Batch, scale: Tensor) -> Tensor:
    findings = batch.labels.amax(dim=1)
    return peers.semantic_soft(_image(encoded).whole, _present(encoded.report).text, findings, scale)


def _word_region(encoded: Encoded, batch: Batch, scale: Tensor) -> Tensor:
    image, report, words = _image(encoded), _present(encoded.report), _words(encoded.report)
    return peers.word_region(image.whole, report.text, image.regions, words, batch.mask, scale)


def _region_crops(encoded: Encoded, batch: Batch, scale: Tensor) -> Tensor:
    image = _image(encoded)
    assert image.other_view is not None
    return peers.region_crops(image.regions, image.other_view, scale)


_PEERS: dict[Objective, Callable[[Encoded, Batch, Tensor], Tensor]] = {
    Objective.GLOBAL_INFONCE: _global_infonce,
    Objective.SEMANTIC_SOFT: _semantic_soft,
    Objective.WORD_REGION: _word_region,
    Objective.REGION_CROPS: _region_crops,
}


def _image(encoded: Encoded) -> ImageSide:
    assert encoded.image is not None, "`needs` names every side that a loss reads"
    return encoded.image


def _words(side: TextSide | None) -> Tensor:
    words = _present(side).words
    assert words is not None
    return words


def _present(side: TextSide | None) -> TextSide:
    assert side is not None, "`needs` names every side that a loss reads"
    return side
