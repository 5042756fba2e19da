"""Box figures against loops over `Box` objects."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.train.evaluate.boxes import RegionBoxes, figures_by_region, mean_figures
from edge_retrieve.train.evaluate.boxes_report import boxes_json


def random_boxes(images: int = 30, regions: int = 29) -> RegionBoxes:
    generator = np.random.default_rng(0)
    corners = np.sort(generator.random((images, regions, 2, 2)), axis=2).reshape(images, regions, 4)
    found = corners + generator.normal(0, 0.08, corners.shape)
    true = corners.copy()
    true[generator.random((images, regions)) < 0.2] = np.nan
    true[:, 3] = np.nan  # a region nobody drew
    return RegionBoxes(found, true, generator.random((images, regions)).round(1))


def naive_ap(right: list[bool], scores: list[float]) -> float:
    """Area under the precision envelope, recall step by recall step."""
    order = sorted(range(len(right)), key=lambda n: -scores[n])
    hits, points = 0, []
    for rank, n in enumerate(order, start=1):
        hits += right[n]
        points.append((hits / len(right), hits / rank))
    area, reached = 0.0, 0.0
    for recall, _ in points:
        if recall > reached:
            area += (recall - reached) * max(p for r, p in points if r >= recall)
            reached = recall
    return area


def test_every_region_equals_a_naive_loop() -> None:
    boxes = random_boxes()
    figures = figures_by_region(boxes)
    assert figures[3] is None
    for region, found in enumerate(figures):
        if found is None:
            continue
        ious, shared, union, scores = [], 0.0, 0.0, []
        for image in range(len(boxes.found)):
            if np.isnan(boxes.true[image, region]).any():
                continue
            one, other = Box(*boxes.found[image, region]), Box(*boxes.true[image, region])
            overlap = one.intersect(other).area
            ious.append(one.iou(other))
            shared += overlap
            union += one.area + other.area - overlap
            scores.append(boxes.scores[image, region])
        assert found.iou == pytest.approx(np.mean(ious))
        assert found.pooled_iou == pytest.approx(shared / union)
        assert found.missed == pytest.approx(np.mean([iou < 0.5 for iou in ious]))
        assert found.ap50 == pytest.approx(naive_ap([iou >= 0.5 for iou in ious], scores))
        assert found.boxes == len(ious)


def test_means_count_every_box_once_and_pooled_figures_every_region_once() -> None:
    boxes = random_boxes()
    by_region = [each for each in figures_by_region(boxes) if each]
    mean = mean_figures(boxes)
    total = sum(each.boxes for each in by_region)
    assert mean.boxes == total
    assert mean.iou == pytest.approx(sum(each.iou * each.boxes for each in by_region) / total)
    assert mean.pooled_iou == pytest.approx(np.mean([each.pooled_iou for each in by_region]))
    assert mean.missed == pytest.approx(sum(each.missed * each.boxes for each in by_region) / total)


def test_the_report_averages_archives_and_names_regions() -> None:
    boxes = random_boxes()
    report = boxes_json([boxes, boxes])
    assert report["iou"] == pytest.approx(mean_figures(boxes).iou)
    assert report["boxes"] == 2 * mean_figures(boxes).boxes
    assert len(report["by_region"]) == 28
    assert report["by_region"][0]["region"] == "right lung"
