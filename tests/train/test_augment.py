"""Augmentation moves pixels and boxes together and never mirrors."""

from __future__ import annotations

import numpy as np

from edge_retrieve.train.augment import Pose, Stretch, draw_pose, process

SIZE = 128


def test_a_bright_square_stays_inside_its_box() -> None:
    pixels = np.zeros((SIZE, SIZE), dtype=np.uint8)
    pixels[40:70, 24:60] = 255
    boxes = np.array([[24, 40, 60, 70]], dtype=np.float32) / SIZE
    overlaps = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        pose = draw_pose(generator)
        image, placed = process(pose.move_image(pixels), generator), pose.move_boxes(boxes)
        assert image.dtype == np.float32
        assert image.min() >= 0.0
        assert image.max() <= 1.0
        inner = image[6:-6, 6:-6]  # a covered border may be white
        ys, xs = np.nonzero(inner > 0.5 * (inner.min() + inner.max()))
        found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) + 6
        x1, y1, x2, y2 = placed[0] * SIZE
        low, high = np.maximum(found[:2], [x1, y1]), np.minimum(found[2:], [x2, y2])
        shared = np.prod(np.maximum(high - low, 0))
        union = np.prod(found[2:] - found[:2]) + (x2 - x1) * (y2 - y1) - shared
        overlaps.append(shared / union)
        assert x1 + x2 < SIZE + 40, "the square was on the left: it must not have been mirrored"
    assert np.median(overlaps) > 0.75


def test_a_pose_moves_fine_and_coarse_grids_alike() -> None:
    fine = np.zeros((SIZE, SIZE), dtype=np.uint8)
    fine[32:80, 48:96] = 255
    coarse = fine.reshape(SIZE // 4, 4, SIZE // 4, 4).max(axis=(1, 3))
    for seed in range(20):
        pose = draw_pose(np.random.default_rng(seed))
        reduced = pose.move_image(fine).reshape(SIZE // 4, 4, SIZE // 4, 4).mean(axis=(1, 3))
        assert np.abs(reduced - pose.move_image(coarse)).mean() < 3.0, "grey levels of 255"


def test_equal_seeds_give_equal_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    images = [process(pixels, np.random.default_rng(seed)) for seed in (4, 4, 5)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
    poses = [draw_pose(np.random.default_rng(seed)) for seed in (4, 4, 5)]
    assert np.array_equal(poses[0].linear, poses[1].linear)
    assert not np.array_equal(poses[0].offset, poses[2].offset)


def test_a_stretch_is_undone() -> None:
    places = np.linspace(-0.3, 1.3, 50)
    for strength, phase in ((0.25, 0.1), (-0.25, 0.8), (0.0, 0.5)):
        stretch = Stretch(strength, phase)
        assert np.all(np.diff(stretch.apply(places)) > 0), "it must not fold"
        assert np.allclose(stretch.apply(stretch.undo(places)), places, atol=2e-5)


def test_a_stretch_moves_an_upright_box_exactly() -> None:
    pixels = np.zeros((512, 512), dtype=np.uint8)
    pixels[180:400, 150:300] = 255
    boxes = np.array([[150, 180, 300, 400]], dtype=np.float32) / 512
    pose = Pose(np.eye(2), np.zeros(2), Stretch(0.25, 0.3), Stretch(-0.2, 0.6))
    ys, xs = np.nonzero(pose.move_image(pixels) > 127)
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    assert np.abs(found - pose.move_boxes(boxes)[0] * 512).max() <= 1.0
    assert np.abs(found - boxes[0] * 512).max() > 4.0, "the stretch must have moved it"
