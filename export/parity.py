"""Proof that a form of the model computes what the model in PyTorch does, within its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_retrieve.export.models import FloatArray, ImageArrays, Model, TextArrays
from edge_retrieve.export.probes import Probes
from edge_retrieve.runtime.bundle import FormParity, Precision
from edge_retrieve.runtime.errors import ExportError

_BATCH = 8


@dataclass(frozen=True)
class Bounds:
    """What a form is held to.

    Parameters
    ----------
    cosine : float
        Smallest cosine of any embedding with the reference's.
    overlap : float
        Smallest mean share of the ten nearest cases that both find.
    box_iou : float
        Smallest intersection over union of any box found with the reference's.
    """

    cosine: float
    overlap: float
    box_iou: float


BOUNDS = {
    Precision.FP32: Bounds(0.99999, 0.99, 0.99),
    Precision.FP16: Bounds(0.9995, 0.98, 0.95),
    Precision.INT8: Bounds(0.99, 0.93, 0.9),
}
# float32 arithmetic on weights that are stored in one or two bytes: their rounding is all that differs.
SMALL_WEIGHTS = Bounds(0.9999, 0.98, 0.95)
_BOX_FIGURE = "box_iou_min"
# Of the square. Edges are found one by one: where there is little to see they may meet or cross, and such a
# box has no overlap to speak of. ``box_error`` counts it all the same.
_SMALLEST_BOX = 1 / 32


@dataclass(frozen=True)
class Reference:
    """What the reference makes of the probes, computed once for all forms.

    Parameters
    ----------
    probes : Probes
    image : ImageArrays
    boxes : float32 array of shape [N, 29 + R, 4]
        Those found in each image, and the odd ones.
    regions : float32 array of shape [N, 29 + R, D]
    text : TextArrays
    """

    probes: Probes
    image: ImageArrays
    boxes: FloatArray
    regions: FloatArray
    text: TextArrays


def make_reference(model: Model, probes: Probes) -> Reference:
    """Run the reference on the probes."""
    image = _images(model, probes.pixels)
    odd = np.broadcast_to(probes.boxes, (len(image.boxes), *probes.boxes.shape))
    boxes = np.concatenate([image.boxes, odd], axis=1)
    text = model.encode_text(probes.token_ids, probes.mask)
    return Reference(probes, image, boxes, model.encode_regions(image.features, boxes), text)


def compare(reference: Reference, form: Model) -> dict[str, float]:
    """Return how far a form is from the reference.

    Parameters
    ----------
    reference : Reference
    form : Model

    Returns
    -------
    dict of str to float
        ``cosine_*``: smallest cosine of the embeddings of each kind, over all probes; ``error_max`` and
        ``error_mean``: of their components; ``box_error``: largest difference of a box's edge, in sides of
        the square; ``box_iou_min``, ``box_iou_mean``: overlap of the boxes found in images that show
        something, where the reference's is at least a 32nd of the square wide and high.
    """
    probes = reference.probes
    image = _images(form, probes.pixels)
    # Its own feature map, the reference's boxes: a box that moved is told by the figures of boxes.
    regions = form.encode_regions(image.features, reference.boxes)
    text = form.encode_text(probes.token_ids, probes.mask)
    present = probes.mask.astype(bool)
    pairs = {
        "global": (image.whole, reference.image.whole),
        "region": (regions, reference.regions),
        "word": (text.words[present], reference.text.words[present]),
        "text": (text.text, reference.text.text),
    }
    errors = [np.abs(found - wanted).ravel() for found, wanted in pairs.values()]
    overlaps = _box_overlaps(image.boxes[: probes.showing], reference.image.boxes[: probes.showing])
    return {
        **{f"cosine_{name}": cosine_floor(*pair) for name, pair in pairs.items()},
        "error_max": max(float(error.max()) for error in errors),
        "error_mean": float(np.concatenate(errors).mean()),
        "box_error": float(np.abs(image.boxes - reference.image.boxes).max()),
        _BOX_FIGURE: float(overlaps.min(initial=1.0)),
        "box_iou_mean": float(overlaps.mean()) if overlaps.size else 1.0,
    }


def judge(precision: Precision, figures: Mapping[str, float], bounds: Bounds) -> FormParity:
    """Return whether a form's figures keep its bounds, with both."""
    asked = {name: bounds.cosine for name in figures if name.startswith("cosine_")}
    asked |= {name: bounds.overlap for name in figures if name.startswith("top10_overlap_")}
    asked |= {name: bounds.box_iou for name in figures if name == _BOX_FIGURE}
    # A figure that is no number keeps no bound.
    passed = all(figures[name] >= least for name, least in asked.items())
    return FormParity(precision, passed, dict(figures), asked)


def share_of_bounds(parity: FormParity) -> float:
    """Return how much of the room that its bounds leave a form uses up: above 1 where one is missed."""
    shares = [(1.0 - parity.figures[name]) / (1.0 - least) for name, least in parity.bounds.items()]
    return float("inf") if np.isnan(shares).any() else max(shares)


def missed(parity: FormParity) -> str:
    """Return which bounds were missed and by how much; empty where none was."""
    return ", ".join(
        f"{name} is {parity.figures[name]:.6f}, {least - parity.figures[name]:.2g} below {least}"
        for name, least in parity.bounds.items()
        if not parity.figures[name] >= least
    )


def require(parity: FormParity, where: str) -> None:
    """Raise `ExportError` where a form missed a bound; says by how much."""
    if not parity:
        raise ExportError(
            f"the {parity.precision.value} graphs do not compute what the model does: {missed(parity)}",
            where=where,
            remedy="Leave this form out with --forms; where only an overlap is missed, train further",
        )


def cosine_floor(first: FloatArray, second: FloatArray) -> float:
    """Return the smallest cosine similarity between matching rows of two arrays [..., D]."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return float(((one * other).sum(axis=-1) / np.maximum(norms, 1e-12)).min())


def box_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the intersection over union of matching boxes [..., 4]; two empty boxes are the same one."""
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    areas = [np.prod(np.maximum(box[..., 2:] - box[..., :2], 0.0), axis=-1) for box in (first, second)]
    union = areas[0] + areas[1] - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1e-12), 1.0), dtype=np.float32)


def _box_overlaps(found: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the overlap of each box with the reference's, of those that have an extent there."""
    sides = wanted[..., 2:] - wanted[..., :2]
    return box_iou(found, wanted)[(sides >= _SMALLEST_BOX).all(axis=-1)]


def _images(model: Model, pixels: FloatArray) -> ImageArrays:
    parts = [model.encode_image(pixels[n : n + _BATCH]) for n in range(0, len(pixels), _BATCH)]
    return ImageArrays(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
