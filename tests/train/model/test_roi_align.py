"""The matmul lowering of RoI-align against ONNX Runtime's standard operator."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from edge_retrieve.train.model.roi_align import roi_align, roi_mean

BOUND = 1e-4


@pytest.fixture(scope="module")
def standard() -> onnxruntime.InferenceSession:
    node = helper.make_node(
        "RoiAlign",
        ["features", "rois", "images"],
        ["out"],
        coordinate_transformation_mode="half_pixel",
        mode="avg",
        output_height=7,
        output_width=7,
        sampling_ratio=2,
        spatial_scale=1.0,
    )
    graph = helper.make_graph(
        [node],
        "roi_align",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, None, None, None]),
            helper.make_tensor_value_info("rois", TensorProto.FLOAT, [None, 4]),
            helper.make_tensor_value_info("images", TensorProto.INT64, [None]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, None, 7, 7])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run_standard(
    session: onnxruntime.InferenceSession, features: np.ndarray, boxes: np.ndarray
) -> np.ndarray:
    batch, count, _ = boxes.shape
    height, width = features.shape[-2:]
    scale = np.array([width, height, width, height], dtype=np.float32)
    images = np.repeat(np.arange(batch), count)
    feeds = {"features": features, "rois": (boxes * scale).reshape(-1, 4), "images": images}
    out = session.run(None, feeds)[0]
    return np.asarray(out).reshape(batch, count, features.shape[1], 7, 7)


def named_boxes() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    corners = np.sort(generator.random((40, 2, 2)), axis=1).reshape(40, 4)
    return {
        "random": corners,
        "whole image": np.array([[0, 0, 1, 1]]),
        "degenerate": np.array([[0.4, 0.4, 0.4, 0.4], [0.1, 0.2, 0.1, 0.9], [0, 0, 0, 0], [1, 1, 1, 1]]),
        "out of image": np.array(
            [[-0.5, -0.5, 1.5, 1.5], [1.2, 0.1, 1.9, 0.6], [-3, -3, -2, -2], [0.9, 0.9, 1.1, 1.4]]
        ),
        "smaller than a cell": np.array([[0.501, 0.502, 0.509, 0.507], [0.0, 0.0, 0.01, 0.01]]),
        "swapped edges": np.array([[0.8, 0.7, 0.2, 0.1]]),
    }


@pytest.mark.parametrize("name", list(named_boxes()))
@pytest.mark.parametrize("shape", [(3, 5, 16, 16), (2, 3, 9, 23), (1, 2, 1, 4)])
def test_matmul_equals_the_standard_operator(
    standard: onnxruntime.InferenceSession, name: str, shape: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(7)
    features = generator.standard_normal(shape).astype(np.float32)
    boxes = np.broadcast_to(
        named_boxes()[name].astype(np.float32), (shape[0], *named_boxes()[name].shape)
    ).copy()
    boxes += 0.01 * np.arange(shape[0], dtype=np.float32)[:, None, None]
    expected = run_standard(standard, features, boxes)
    cells = roi_align(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
    assert np.abs(cells - expected).max() <= BOUND
    mean = roi_mean(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
    assert np.abs(mean - expected.mean(axis=(-1, -2))).max() <= BOUND


def test_gradient_flows_to_features_and_boxes() -> None:
    features = torch.rand(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[[0.13, 0.22, 0.71, 0.84]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(roi_mean, (features, boxes), eps=1e-7, atol=1e-4)
