"""A made TensorRT and a made pycuda over a stand-in driver: engines that compute with ONNX Runtime."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from edge_retrieve.runtime.backends.engine_files import EngineFile, EngineRecord, engines_folder, write_engine
from edge_retrieve.runtime.backends.plugins import driver
from edge_retrieve.runtime.bundle import Bundle, Engine, Graph, Precision, load_bundle

VERSION = "10.3.0"
TASK = ctypes.CFUNCTYPE(None)


@dataclass(frozen=True)
class Control:
    """The stand-in driver's library, for tests to look into."""

    path: Path
    library: ctypes.CDLL

    @property
    def live(self) -> int:
        """Buffers, streams, graphs and contexts that nobody has freed."""
        return int(self.library.fake_live())

    @property
    def replays(self) -> int:
        return int(self.library.fake_replays())

    def reset(self, *, devices: int = 1, capability: tuple[int, int] = (8, 9), most: int = 1 << 30) -> None:
        self.library.fake_reset(devices, *capability, ctypes.c_size_t(most))


@pytest.fixture(scope="session")
def built_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library = tmp_path_factory.mktemp("stand-in") / "libcuda.so.1"
    source = Path(__file__).with_name("stand_in_cuda.cpp")
    subprocess.run(["g++", "-std=c++17", "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    return library


@pytest.fixture
def cuda(built_stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> Control:
    """A machine with one GPU of compute capability 8.9."""
    monkeypatch.setattr(driver, "LIBRARY", str(built_stand_in))
    control = Control(built_stand_in, ctypes.CDLL(str(built_stand_in)))
    control.library.fake_enqueue.argtypes = [ctypes.c_void_p, TASK]
    control.reset()
    return control


class Logged:
    """As ``trt.ILogger``."""

    Severity = Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO")


class Context:
    """An execution context that computes with ONNX Runtime when its stream is waited for."""

    def __init__(self, engine, cuda):
        self.engine, self.cuda = engine, cuda
        self.shapes, self.addresses, self.tasks = {}, {}, []
        self.enqueued = 0

    def set_input_shape(self, name, shape):
        low, _, high = self.engine.profiles[name]
        if not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            return False
        self.shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name):
        if name in self.shapes:
            return self.shapes[name]
        known = {}
        for item in self.engine.session.get_inputs():
            known.update(zip(item.shape, self.shapes[item.name], strict=True))
        (found,) = [item.shape for item in self.engine.session.get_outputs() if item.name == name]
        return tuple(known.get(extent, extent) for extent in found)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        self.enqueued += 1
        shapes = dict(self.shapes)
        names = [item.name for item in self.engine.session.get_outputs()]
        outputs = {name: self.get_tensor_shape(name) for name in names}

        def view(name, shape):
            dtype = self.engine.dtypes[name]
            raw = (ctypes.c_uint8 * (int(np.prod(shape)) * dtype.itemsize)).from_address(self.addresses[name])
            return np.frombuffer(raw, dtype).reshape(shape)

        def compute():
            values = self.engine.session.run(names, {name: view(name, shapes[name]) for name in shapes})
            for name, value in zip(names, values, strict=True):
                view(name, outputs[name])[...] = value

        self.tasks.append(TASK(compute))  # the driver keeps only its address
        self.cuda.library.fake_enqueue(stream, self.tasks[-1])
        return True


KINDS = {"tensor(float)": "float32", "tensor(int64)": "int64"}


class MadeEngine:
    """An ``ICudaEngine`` whose plan is a line of profiles and an ONNX file."""

    def __init__(self, plan, cuda):
        header, _, model = bytes(plan).partition(b"\n")
        self.profiles = json.loads(header)
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.cuda, self.contexts = cuda, []
        self.tensors = [*self.session.get_inputs(), *self.session.get_outputs()]
        self.dtypes = {item.name: np.dtype(KINDS[item.type]) for item in self.tensors}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, number):
        return self.tensors[number].name

    def get_tensor_mode(self, name):
        return "input" if name in self.profiles else "output"

    def get_tensor_profile_shape(self, name, profile):
        assert profile == 0
        return self.profiles[name]

    def get_tensor_dtype(self, name):
        return self.dtypes[name]

    def create_execution_context(self, config=None):
        self.contexts.append(Context(self, self.cuda))
        self.contexts[-1].config = config
        return self.contexts[-1]

    def create_runtime_config(self):
        return RuntimeConfig()


class RuntimeCache:
    def __init__(self):
        self.content = b"kernels compiled here"

    def serialize(self):
        return self.content

    def deserialize(self, content):
        self.content = bytes(content)
        return True


class RuntimeConfig(SimpleNamespace):
    def create_runtime_cache(self):
        return RuntimeCache()

    def set_runtime_cache(self, cache):
        self.cache = cache


def made_library(name: str, cuda: Control) -> ModuleType:
    """A module with the part of ``tensorrt`` and ``tensorrt_rtx`` that running an engine takes."""
    module = ModuleType(name)
    validity = Enum("EngineValidity", "INVALID VALID")
    made = []

    class Runtime:
        def __init__(self, logger):
            self.logger = logger

        def get_engine_validity(self, plan):
            return (validity.INVALID, 2) if bytes(plan).startswith(b"other card") else (validity.VALID, 0)

        def deserialize_cuda_engine(self, plan):
            if not bytes(plan).startswith(b"{"):
                self.logger.log(Logged.Severity.WARNING, "a warning")
                self.logger.log(Logged.Severity.ERROR, "Magic tag does not match")
                self.logger.log(Logged.Severity.ERROR, "and so nothing works")
                return None
            made.append(MadeEngine(plan, cuda))
            return made[-1]

    vars(module).update(
        __version__=VERSION,
        ILogger=Logged,
        Runtime=Runtime,
        TensorIOMode=SimpleNamespace(INPUT="input"),
        EngineValidity=validity,
        EngineInvalidityDiagnostics=Enum(
            "EngineInvalidityDiagnostics", {"VERSION_MISMATCH": 1, "UNSUPPORTED_CC": 2}
        ),
        CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole graph"),
        nptype=lambda dtype: dtype.type,
        made=made,
        context_type=Context,
    )
    return module


def made_pycuda(cuda: Control) -> ModuleType:
    """``pycuda.driver`` over the stand-in."""
    module = ModuleType("pycuda.driver")
    calls = driver.CudaDriver(str(cuda.path))

    class Error(Exception):
        pass

    class Allocation:
        def __init__(self, size):
            self.address = ctypes.c_void_p()
            if cuda.library.cuMemAlloc_v2(ctypes.byref(self.address), ctypes.c_size_t(size)):
                raise Error("cuMemAlloc failed: out of memory")

        def __int__(self):
            return self.address.value

        def free(self):
            calls.call("cuMemFree_v2", self.address)

    class PrimaryContext:
        def __init__(self):
            self.handle = ctypes.c_void_p()
            calls.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.handle), 0)

        def push(self):
            calls.call("cuCtxPushCurrent_v2", self.handle)

        def pop(self):
            calls.call("cuCtxPopCurrent_v2", None)

        def __del__(self):
            cuda.library.cuDevicePrimaryCtxRelease_v2(0)

    class Stream:
        def __init__(self):
            raw = ctypes.c_void_p()
            calls.call("cuStreamCreate", ctypes.byref(raw), 0)
            self.handle = raw.value

        def synchronize(self):
            calls.call("cuStreamSynchronize", ctypes.c_void_p(self.handle))

        def __del__(self):
            cuda.library.cuStreamDestroy_v2(ctypes.c_void_p(self.handle))

    def copy(name, target, source, size, stream):
        pointers = ctypes.c_void_p(target), ctypes.c_void_p(source)
        calls.call(name, *pointers, ctypes.c_size_t(size), ctypes.c_void_p(stream.handle))

    vars(module).update(
        Error=Error,
        init=lambda: None,
        Device=lambda number: SimpleNamespace(retain_primary_context=PrimaryContext),
        Stream=Stream,
        mem_alloc=Allocation,
        pagelocked_empty=np.empty,
        memcpy_htod_async=lambda at, host, stream: copy(
            "cuMemcpyHtoDAsync_v2", at, host.ctypes.data, host.nbytes, stream
        ),
        memcpy_dtoh_async=lambda host, at, stream: copy(
            "cuMemcpyDtoHAsync_v2", host.ctypes.data, at, host.nbytes, stream
        ),
    )
    return module


@pytest.fixture
def libraries(cuda: Control, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """``tensorrt``, ``tensorrt_rtx`` and ``pycuda`` as if they were installed."""
    pycuda = ModuleType("pycuda")
    pycuda.driver = made_pycuda(cuda)
    found = {name: made_library(name, cuda) for name in ("tensorrt", "tensorrt_rtx")}
    for name, module in {**found, "pycuda": pycuda, "pycuda.driver": pycuda.driver}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return found


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle()


LARGEST = {"pixels": (2,), "features": (2,), "boxes": (2, 40), "token_ids": (4, 24), "mask": (4, 24)}


@cache
def plan_of(path: Path) -> bytes:
    """Return the plan of an ONNX file, with profiles from one to the `LARGEST` of every open extent."""
    model = path.read_bytes()
    profiles = {}
    for item in onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs():
        fixed = [extent for extent in item.shape if isinstance(extent, int)]
        most = LARGEST[item.name]
        low, high = (*([1] * len(most)), *fixed), (*most, *fixed)
        profiles[item.name] = (low, low, high)
    return json.dumps(profiles).encode() + b"\n" + model


@pytest.fixture
def write_plan(bundle: Bundle):
    """Write what stands for an engine of a graph, in the folder where backends look."""

    def write(root: Path, graph: Graph, library: str, **changes: object) -> EngineFile:
        values = {
            "file": f"{graph.value}.{library}.engine", "graph": graph, "precision": Precision.FP32,
            "library": library, "library_version": VERSION, "compute_capabilities": ("8.9",),
            "gpu_name": None,
        }  # fmt: skip
        record = {key: changes.pop(key) for key in list(changes) if key not in values}
        engine = Engine(**{**values, **changes})
        plan = record.pop("plan", None) or plan_of(bundle.file(getattr(bundle.manifest, graph.value)))
        made = EngineRecord(bundle.bundle_id, engine, "0" * 64, **record)
        return write_engine(engines_folder(bundle, root), plan, made)

    return write
