"""The kernels' source, compiled for the processor, against ONNX Runtime's RoiAlign and its mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.export.plugins.build import build_host
from edge_retrieve.export.plugins.host import HostKernels
from edge_retrieve.runtime.backends.plugins.launch import FeatureMap, Layout, Precision, Tactic, plan_launch
from edge_retrieve.runtime.errors import BackendError, ExportError

BOUND = {np.float32: 1e-5, np.float16: 1e-3}
SHAPES = {
    "several images": (3, 5, 16, 16),
    "two tiles of channels": (2, 264, 9, 23),
    "flat": (1, 16, 1, 4),
    "larger than the samples reach": (1, 8, 45, 70),
}
BOXES = {
    "random": np.sort(np.random.default_rng(3).random((30, 2, 2)), axis=1).reshape(30, 4),
    "whole image": np.array([[0, 0, 1, 1]]),
    "degenerate": np.array([[0.4, 0.4, 0.4, 0.4], [0.1, 0.2, 0.1, 0.9], [0, 0, 0, 0], [1, 1, 1, 1]]),
    "out of image": np.array(
        [[-0.5, -0.5, 1.5, 1.5], [1.3, 0.1, 1.9, 0.6], [-3, -3, -2, -2], [0.9, 0.9, 1.1, 1.4]]
    ),
    "smaller than a cell": np.array([[0.501, 0.502, 0.509, 0.507], [0.0, 0.0, 0.01, 0.01]]),
    "swapped edges": np.array([[0.83, 0.71, 0.22, 0.13], [0.83, 0.13, 0.22, 0.71]]),
}


def made(shape, boxes, dtype):
    generator = np.random.default_rng(7)
    # Within -1 to 1, so that the bounds are relative to the features too.
    features = generator.uniform(-1, 1, shape).astype(dtype)
    placed = np.broadcast_to(boxes.astype(np.float32), (shape[0], *boxes.shape)).copy()
    return features, placed + 0.01 * np.arange(shape[0], dtype=np.float32)[:, None, None]


@pytest.mark.parametrize("dtype", list(BOUND), ids=["float32", "float16"])
@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: layout.value)
@pytest.mark.parametrize("boxes", list(BOXES))
@pytest.mark.parametrize("shape", list(SHAPES))
def test_kernels_compute_the_onnx_definition(host_kernels, roi_align_mean, shape, boxes, layout, dtype):
    features, placed = made(SHAPES[shape], BOXES[boxes], dtype)
    expected = roi_align_mean(features, placed)
    assert np.abs(expected).max() > 0.01
    for tactic in Tactic:
        pooled = host_kernels.pool(features, placed, layout=layout, tactic=tactic)
        assert pooled.dtype == dtype
        assert np.abs(pooled - expected).max() <= BOUND[dtype], tactic


@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: layout.value)
def test_channels_that_fill_no_vector_are_pooled_one_by_one(host_kernels, roi_align_mean, layout):
    """Cells of 7 floats are not aligned; what pads cells of 7 halves is never part of a result."""
    for dtype, bound in BOUND.items():
        features, boxes = made((2, 7, 6, 5), BOXES["random"], dtype)
        pooled = host_kernels.pool(features, boxes, layout=layout)
        assert np.abs(pooled - roi_align_mean(features, boxes)).max() <= bound


@pytest.mark.parametrize("layout", list(Layout), ids=lambda layout: layout.value)
@pytest.mark.parametrize("edge", [np.nan, np.inf, -np.inf, 3e38])
def test_a_box_that_is_no_box_gives_zeros_and_harms_no_other(host_kernels, roi_align_mean, layout, edge):
    features, boxes = made((1, 8, 6, 6), BOXES["random"][:3], np.float32)
    expected = roi_align_mean(features, boxes)
    boxes[0, 1] = (0.1, edge, 0.5, 0.6)
    pooled = host_kernels.pool(features, boxes, layout=layout)
    assert not pooled[0, 1].any()
    np.testing.assert_allclose(pooled[0, ::2], expected[0, ::2], atol=1e-5)


def test_a_box_outside_the_map_gives_zeros(host_kernels):
    features = np.ones((1, 8, 6, 6), dtype=np.float32)
    pooled = host_kernels.pool(features, np.array([[[2.0, 2.0, 3.0, 3.0]]], dtype=np.float32))
    assert not pooled.any()


def test_no_boxes_and_no_images_make_no_launch(host_kernels):
    features = np.ones((2, 8, 6, 6), dtype=np.float32)
    assert host_kernels.pool(features, np.empty((2, 0, 4), dtype=np.float32)).shape == (2, 0, 8)
    assert host_kernels.pool(features[:0], np.empty((0, 3, 4), dtype=np.float32)).shape == (0, 3, 8)


def test_equal_input_gives_equal_bits(host_kernels):
    """Sums are in a fixed order: a case is encoded today as it was a year ago."""
    features, boxes = made((2, 40, 12, 12), BOXES["random"], np.float16)
    first = host_kernels.pool(features, boxes, layout=Layout.NHWC)
    assert first.tobytes() == host_kernels.pool(features, boxes, layout=Layout.NHWC).tobytes()


def test_one_launch_serves_all_boxes_of_a_batch():
    features = FeatureMap(64, 264, 28, 28, Layout.NHWC, Precision.FP16, 264)
    launch = plan_launch(features, 29, Tactic.LANES_16)
    assert launch is not None
    assert launch.kernel == "roi_mean_nhwc_f16x8"
    assert launch.grid == (64 * 29, 3)  # 3 tiles of 16 lanes x 8 channels
    assert launch.sizes == (29, 264, 264, 28, 28, 4)


@pytest.mark.parametrize(
    ("layout", "precision", "stride", "kernel"),
    [
        (Layout.NHWC, Precision.FP16, 24, "roi_mean_nhwc_f16x8"),
        (Layout.NHWC, Precision.FP16, 20, "roi_mean_nhwc_f16"),
        (Layout.NHWC, Precision.FP32, 20, "roi_mean_nhwc_f32x4"),
        (Layout.NHWC, Precision.FP32, 21, "roi_mean_nhwc_f32"),
        (Layout.NCHW, Precision.FP16, 20, "roi_mean_nchw_f16"),
        (Layout.NCHW, Precision.FP32, 20, "roi_mean_nchw_f32"),
    ],
)
def test_vector_loads_only_where_every_cell_is_aligned(layout, precision, stride, kernel):
    assert FeatureMap(1, 20, 4, 4, layout, precision, stride).kernel == kernel


@pytest.mark.parametrize(
    ("features", "regions"),
    [
        (FeatureMap(1, 0, 4, 4, Layout.NCHW, Precision.FP32, 0), 1),
        (FeatureMap(1, 8, 4, 4, Layout.NHWC, Precision.FP16, 4), 1),
        (FeatureMap(2**20, 8, 4, 4, Layout.NCHW, Precision.FP32, 8), 2**12),
        (FeatureMap(1, 2**26, 1, 1, Layout.NHWC, Precision.FP32, 2**26), 1),
    ],
)
def test_what_one_launch_cannot_address_is_refused(features, regions):
    with pytest.raises(BackendError, match="RoiAlignMean"):
        plan_launch(features, regions, Tactic.LANES_8)


def test_a_missing_or_failing_compiler_is_named(tmp_path: Path):
    with pytest.raises(ExportError, match="no-such-compiler"):
        build_host(tmp_path / "out.so", compiler="no-such-compiler")
    with pytest.raises(ExportError, match="the compiler failed"):
        build_host(tmp_path / "out.so", compiler="false")


def test_an_unknown_kernel_is_refused(host_kernels: HostKernels):
    launch = plan_launch(FeatureMap(1, 8, 4, 4, Layout.NCHW, Precision.FP32, 8), 1, Tactic.LANES_8)
    assert launch is not None
    with pytest.raises(BackendError, match="no kernel"):
        host_kernels.launch(replace(launch, kernel="roi_mean_nothing"), (0, 0, 0))
