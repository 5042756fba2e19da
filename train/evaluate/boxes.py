"""Region boxes against the truth: pooled IoU, AP50, missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MATCHED_IOU = 0.5

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RegionBoxes:
    """Boxes found and true; row n of each array is image n.

    Parameters
    ----------
    found : float array of shape [N, R, 4]
        ``x1, y1, x2, y2`` in any one unit per image.
    true : float array of shape [N, R, 4]
        NaN where nobody drew the region.
    scores : float array of shape [N, R]
        How sure the model is of each box.
    """

    found: npt.NDArray[np.floating]
    true: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]


@dataclass(frozen=True)
class BoxFigures:
    """Figures of one region, or means over regions.

    Parameters
    ----------
    iou : float
        Mean over images of the box's IoU.
    pooled_iou : float
        Sum of intersections over sum of unions (as RGRG reports it): large boxes count more.
    ap50 : float
        Area under the precision-recall curve of boxes in the order of their scores, a box being right
        from an IoU of 0.5 on; all-point interpolation (PASCAL VOC 2010).
    missed : float
        Share of true boxes below an IoU of 0.5.
    boxes : int
    """

    iou: float
    pooled_iou: float
    ap50: float
    missed: float
    boxes: int


def intersections_and_unions(boxes: RegionBoxes) -> tuple[_Floats, _Floats]:
    """Return areas of intersection and union, both of shape [N, R]; NaN where no box was drawn."""
    found, true = np.asarray(boxes.found, np.float64), np.asarray(boxes.true, np.float64)
    low, high = np.maximum(found[..., :2], true[..., :2]), np.minimum(found[..., 2:], true[..., 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=-1)
    areas = [np.maximum(each[..., 2:] - each[..., :2], 0.0).prod(axis=-1) for each in (found, true)]
    return shared, areas[0] + areas[1] - shared


def figures_by_region(boxes: RegionBoxes) -> list[BoxFigures | None]:
    """Return the figures of each region, None where it has no true box."""
    shared, union = intersections_and_unions(boxes)
    result: list[BoxFigures | None] = []
    for region in range(shared.shape[1]):
        drawn = ~np.isnan(shared[:, region])
        if not drawn.any():
            result.append(None)
            continue
        overlap, area = shared[drawn, region], union[drawn, region]
        iou = np.divide(overlap, area, out=np.zeros_like(overlap), where=area > 0)
        result.append(
            BoxFigures(
                iou=float(iou.mean()),
                pooled_iou=float(overlap.sum() / area.sum()) if area.sum() > 0 else 0.0,
                ap50=_average_precision(iou >= MATCHED_IOU, np.asarray(boxes.scores)[drawn, region]),
                missed=float((iou < MATCHED_IOU).mean()),
                boxes=int(drawn.sum()),
            )
        )
    return result


def mean_figures(boxes: RegionBoxes) -> BoxFigures:
    """Return the means over regions; each region counts alike."""
    by_region = [each for each in figures_by_region(boxes) if each is not None]
    shared, union = intersections_and_unions(boxes)
    drawn = ~np.isnan(shared)
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=drawn & (union > 0))[drawn]
    return BoxFigures(
        iou=float(iou.mean()),
        pooled_iou=float(np.mean([each.pooled_iou for each in by_region])),
        ap50=float(np.mean([each.ap50 for each in by_region])),
        missed=float((iou < MATCHED_IOU).mean()),
        boxes=int(drawn.sum()),
    )


def _average_precision(right: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]) -> float:
    """Return AP where every image has one true box and one found box."""
    ordered = right[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(ordered)
    precision = hits / np.arange(1, len(ordered) + 1)
    # Precision at a recall is the best one reached at that recall or a higher.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * ordered).sum() / len(ordered))
