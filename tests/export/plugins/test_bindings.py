"""The plugin with real bindings: those of TensorRT for RTX, whose plugin interfaces are TensorRT's.

Its parser finds the creator and hands it the node's fields. The library then ends the process, for it runs
no plugins: that is why all of this happens in a child, and why no more than this is claimed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from edge_retrieve.runtime.backends.plugins.definition import (
    PLUGIN_NAME,
    PLUGIN_NAMESPACE,
    PLUGIN_VERSION,
    RoiMeanFields,
)

SETUP = """
import json, sys
from pathlib import Path
import numpy as np
import tensorrt_rtx as trt
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.registration import register

def tell(**facts):
    print(json.dumps(facts), flush=True)

creator = register(trt, Kernels(Path("kernels")))
"""


@pytest.fixture(autouse=True)
def bindings():
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("tensorrt_rtx is not installed (extra rtx; there are wheels for x86-64)")


def in_child(code: str, *arguments: str) -> tuple[list[dict], int]:
    """Run code; return what it told, and its exit status."""
    program = SETUP + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert told, done.stderr
    return told, done.returncode


def test_creator_and_plugin_are_what_the_registry_gives_back():
    (told,), status = in_child(
        """
        found = trt.get_plugin_registry().get_creator("RoiAlignMean", "1", "edge_retrieve")
        plugin = found.create_plugin("pool", trt.PluginFieldCollection([]), trt.TensorRTPhase.BUILD)
        clone = plugin.attach_to_context(None).clone()
        again = found.create_plugin("pool", clone.get_fields_to_serialize(), trt.TensorRTPhase.RUNTIME)
        tell(
            same=found is creator,
            interfaces=all(
                isinstance(again, it)
                for it in (
                    trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime
                )
            ),
            capabilities=all(
                again.get_capability_interface(it) is again
                for it in (
                    trt.PluginCapabilityType.CORE, trt.PluginCapabilityType.BUILD,
                    trt.PluginCapabilityType.RUNTIME,
                )
            ),
            name=[again.plugin_name, again.plugin_version, again.plugin_namespace, again.num_outputs],
            fields={it.name: np.asarray(it.data).tolist() for it in again.get_fields_to_serialize()},
            advertised=[it.name for it in found.field_names],
        )
        """
    )
    assert status == 0
    assert told["same"]
    assert told["interfaces"]
    assert told["capabilities"]
    assert told["name"] == [PLUGIN_NAME, PLUGIN_VERSION, PLUGIN_NAMESPACE, 1]
    assert told["fields"] == {name: [value] for name, value in RoiMeanFields().items()}
    assert told["advertised"] == [name for name, _ in RoiMeanFields().items()]


def test_methods_take_descriptors_of_the_library():
    (told,), status = in_child(
        """
        plugin = creator.create_plugin("pool", trt.PluginFieldCollection([]), trt.TensorRTPhase.BUILD)

        def described(kind, form, dims):
            one = trt.PluginTensorDesc()
            one.type, one.format, one.dims = kind, form, trt.Dims(dims)
            dynamic = trt.DynamicPluginTensorDesc()
            dynamic.desc = one
            dynamic.min = dynamic.opt = dynamic.max = one.dims
            return dynamic

        kinds = [trt.DataType.FLOAT, trt.DataType.HALF, trt.DataType.INT8, trt.DataType.BF16]
        forms = [getattr(trt.TensorFormat, name) for name in dir(trt.TensorFormat) if name.isupper()
                 or name[:3] in ("CHW", "HWC")]
        boxes = described(trt.DataType.FLOAT, trt.TensorFormat.LINEAR, [2, 5, 4])
        supported = set()
        for kind in kinds:
            for form in forms:
                tensors = [described(kind, form, [2, 24, 8, 9]), boxes]
                tensors.append(described(kind, trt.TensorFormat.LINEAR, [2, 5, 24]))
                if all(plugin.supports_format_combination(i, tensors, 2) for i in range(3)):
                    supported.add((kind.name, form.name))
                    plugin.configure_plugin(tensors[:2], tensors[2:])
        features = described(trt.DataType.HALF, trt.TensorFormat.HWC8, [2, 24, 8, 9])
        shape = plugin._feature_map([features.desc, boxes.desc])
        tell(
            supported=sorted(supported), kernel=shape.kernel, stride=shape.stride, batch=shape.batch,
            types=[it.name for it in plugin.get_output_data_types([trt.DataType.HALF, trt.DataType.FLOAT])],
        )
        """
    )
    assert status == 0
    assert told["supported"] == [["FLOAT", "HWC"], ["FLOAT", "LINEAR"], ["HALF", "HWC8"], ["HALF", "LINEAR"]]
    assert (told["kernel"], told["stride"], told["batch"]) == ("roi_mean_nhwc_f16x8", 24, 2)
    assert told["types"] == ["HALF"]


def test_the_parser_calls_the_creator_with_the_fields_of_the_node(tmp_path: Path):
    attributes = {**dict(RoiMeanFields().items()), "plugin_version": PLUGIN_VERSION}
    node = helper.make_node(
        PLUGIN_NAME,
        ["features", "boxes"],
        ["regions"],
        name="pool",
        domain=PLUGIN_NAMESPACE,
        plugin_namespace=PLUGIN_NAMESPACE,
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "pooling",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", 16, 8, 8]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["B", "R", 4]),
        ],
        [helper.make_tensor_value_info("regions", TensorProto.FLOAT, ["B", "R", 16])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(PLUGIN_NAMESPACE, 1)]
    path = tmp_path / "pooling.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    told, _ = in_child(
        """
        honest = type(creator).create_plugin

        def spied(self, name, fields, phase):
            made = honest(self, name, fields, phase)
            values = {it.name: np.asarray(it.data).tolist() for it in fields}
            tell(name=name, phase=phase.name, fields=values, plugin=type(made).__name__)
            return made

        type(creator).create_plugin = spied
        logger = trt.Logger(trt.Logger.ERROR)
        network = trt.Builder(logger).create_network()
        trt.OnnxParser(network, logger).parse(Path(sys.argv[1]).read_bytes())
        """,
        str(path),
    )
    assert told[0] == {
        "name": "pool",
        "phase": "BUILD",
        "fields": {name: [value] for name, value in RoiMeanFields().items()},
        "plugin": "RoiMeanPluginV3",
    }
