"""The kernels built for the processor, and ONNX Runtime's RoiAlign as the oracle."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_retrieve.export.plugins.build import SOURCE, build_host
from edge_retrieve.export.plugins.host import HostKernels

Oracle = Callable[[np.ndarray, np.ndarray], np.ndarray]


def need(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


@pytest.fixture(scope="session")
def host_kernels(tmp_path_factory: pytest.TempPathFactory) -> HostKernels:
    need("g++")
    return HostKernels(build_host(tmp_path_factory.mktemp("host") / "kernels.so"))


@pytest.fixture(scope="session")
def fake_cuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver's library whose launches run on the processor."""
    need("g++")
    library = tmp_path_factory.mktemp("fake") / "libcuda.so.1"
    source = Path(__file__).with_name("fake_cuda.cpp")
    command = ["g++", "-std=c++17", "-O2", "-shared", "-fPIC", f"-I{SOURCE.parent}", str(source)]
    subprocess.run([*command, "-o", str(library)], check=True)
    control = ctypes.CDLL(str(library))
    control.fake_reset.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_size_t]
    return library


@pytest.fixture(scope="session")
def roi_align_mean() -> Oracle:
    """Features [B, C, h, w] and boxes [B, R, 4] (fractions) to [B, R, C] by ONNX Runtime's operator."""
    cells = helper.make_node(
        "RoiAlign",
        ["features", "rois", "images"],
        ["cells"],
        coordinate_transformation_mode="half_pixel",
        mode="avg",
        output_height=7,
        output_width=7,
        sampling_ratio=2,
        spatial_scale=1.0,
    )
    graph = helper.make_graph(
        [cells],
        "roi_align",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [None] * 4),
            helper.make_tensor_value_info("rois", TensorProto.FLOAT, [None, 4]),
            helper.make_tensor_value_info("images", TensorProto.INT64, [None]),
        ],
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, [None, None, 7, 7])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        batch, channels, height, width = features.shape
        scale = np.array([width, height, width, height], dtype=np.float32)
        feeds = {
            "features": features.astype(np.float32),
            "rois": (boxes * scale).astype(np.float32).reshape(-1, 4),
            "images": np.repeat(np.arange(batch), boxes.shape[1]),
        }
        out = np.asarray(session.run(None, feeds)[0])
        return out.mean(axis=(-2, -1)).reshape(batch, boxes.shape[1], channels)

    return run
