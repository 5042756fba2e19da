"""Kernels and a driver built for the processor, ONNX Runtime's RoiAlign as oracle, a made TensorRT module."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_retrieve.export.plugins.build import SOURCE, build_host
from edge_retrieve.export.plugins.host import HostKernels

Oracle = Callable[[np.ndarray, np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Skip where a compiler is missing."""

    def check(tool: str) -> None:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")

    return check


@pytest.fixture(scope="session")
def host_kernels(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> HostKernels:
    need("g++")
    return HostKernels(build_host(tmp_path_factory.mktemp("host") / "kernels.so"))


@pytest.fixture(scope="session")
def fake_cuda(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Path:
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


class DataType(Enum):
    FLOAT = 0
    HALF = 1
    INT32 = 2


class TensorFormat(Enum):
    LINEAR = 0
    HWC8 = 1
    HWC = 2
    CHW32 = 3


class Field(SimpleNamespace):
    def __init__(self, name, data, kind):
        super().__init__(name=name, data=data, type=kind)


class Registry:
    def __init__(self):
        self.creators = {}

    def register_creator(self, creator, namespace):
        key = (creator.name, creator.plugin_version, namespace)
        return self.creators.setdefault(key, creator) is creator


@pytest.fixture
def trt():
    """A TensorRT module of plain objects, and helpers that describe tensors to a plugin."""
    registry = Registry()
    interfaces = {
        name: type(name, (), {})
        for name in (
            *("IPluginV3", "IPluginV3OneCore", "IPluginV3OneBuild", "IPluginV3OneRuntime"),
            "IPluginCreatorV3One",
        )
    }

    class Module(SimpleNamespace):
        __hash__ = object.__hash__

    return Module(
        __name__="made_tensorrt",
        DataType=DataType,
        TensorFormat=TensorFormat,
        DimsExprs=list,
        PluginField=Field,
        PluginFieldCollection=list,
        PluginFieldType=SimpleNamespace(INT32="int32"),
        get_plugin_registry=lambda: registry,
        registry=registry,
        described=described,
        dynamic=dynamic,
        laid_out=laid_out,
        **interfaces,
    )


def described(kind, form, dims):
    """As TensorRT hands it to ``enqueue``."""
    return SimpleNamespace(type=kind, format=form, dims=tuple(dims))


def dynamic(kind, form, dims=(-1, 8, 4, 4)):
    """As TensorRT hands it to ``supports_format_combination`` and ``configure_plugin``."""
    return SimpleNamespace(desc=described(kind, form, dims), min=dims, opt=dims, max=dims)


def laid_out(features, form):
    """Return features [B, C, h, w] as they lie in memory in a format; padding is poisoned."""
    if form is TensorFormat.LINEAR:
        return np.ascontiguousarray(features)
    batch, channels, height, width = features.shape
    stride = -(-channels // 8) * 8 if form is TensorFormat.HWC8 else channels
    data = np.full((batch, height, width, stride), np.nan, features.dtype)
    data[..., :channels] = features.transpose(0, 2, 3, 1)
    return data
