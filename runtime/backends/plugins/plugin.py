"""The TensorRT plugin: an ``IPluginV3`` and its creator, for the Python API of TensorRT 10.3 to 11.

TensorRT's classes exist only where TensorRT is installed, and under two names (``tensorrt``,
``tensorrt_rtx``). So the behaviour stands here in two plain classes, and `registration` joins them with the
interfaces of the module at hand.

Inputs are features [B, C, h, w] (float32 or float16, channels first or last) and boxes [B, R, 4] (float32,
fractions of the map); the output is [B, R, C] in the features' type. `enqueue` makes one launch on the stream
it is given and nothing else, so it can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_retrieve.runtime.backends.plugins.definition import (
    PLUGIN_NAME,
    PLUGIN_NAMESPACE,
    PLUGIN_VERSION,
    RoiMeanFields,
)
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.launch import (
    FeatureMap,
    Layout,
    Precision,
    Tactic,
    padded_channels,
    plan_launch,
)
from edge_retrieve.runtime.errors import BackendError

_FEATURES, _BOXES, _OUTPUT = range(3)


def plugin_interfaces(trt: Any) -> tuple[Any, ...]:
    """Return the interfaces of a plugin that has all three capabilities."""
    return (trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime)


class RoiMeanPlugin:
    """Behaviour of the plugin; `registration.plugin_types` adds TensorRT's interfaces.

    Parameters
    ----------
    kernels : Kernels
    fields : RoiMeanFields
    tactic : Tactic
    """

    trt: Any

    def __init__(self, kernels: Kernels, fields: RoiMeanFields, tactic: Tactic = Tactic.LANES_16) -> None:
        for interface in plugin_interfaces(self.trt):
            interface.__init__(self)
        self.plugin_name, self.plugin_version = PLUGIN_NAME, PLUGIN_VERSION
        self.plugin_namespace = PLUGIN_NAMESPACE
        self.num_outputs = 1
        # Equal shapes and formats take equal time whichever node they belong to.
        self.timing_cache_id = f"{PLUGIN_NAME} {PLUGIN_VERSION}"
        self.kernels, self.fields, self.tactic = kernels, fields, tactic
        # A field holds only the address of its array: the array lives as long as the plugin.
        self._values = {name: np.array([value], dtype=np.int32) for name, value in fields.items()}

    def get_capability_interface(self, capability: Any) -> RoiMeanPlugin:
        """Return the object that has a capability: this one has core, build and runtime."""
        return self

    def clone(self) -> RoiMeanPlugin:
        """Return a plugin that computes the same; the loaded kernels are shared."""
        return type(self)(self.kernels, self.fields, self.tactic)

    # Build

    def get_output_data_types(self, input_types: Sequence[Any]) -> list[Any]:
        """Return the output's type: that of the features."""
        return [input_types[_FEATURES]]

    def get_output_shapes(
        self, inputs: Sequence[Any], shape_inputs: Sequence[Any], builder: Any
    ) -> list[Any]:
        """Return [B, R, C] from features [B, C, h, w] and boxes [B, R, 4]."""
        features, boxes = inputs
        if len(features) != 4 or len(boxes) != 3:
            raise BackendError(
                f"takes features of 4 axes and boxes of 3, not {len(features)} and {len(boxes)}",
                where=f"plugin {PLUGIN_NAME}",
            )
        return [self.trt.DimsExprs([features[0], boxes[1], features[1]])]

    def supports_format_combination(self, pos: int, in_out: Sequence[Any], num_inputs: int) -> bool:
        """Return whether a tensor may have the type and format asked for, given those before it."""
        description = in_out[pos].desc
        if pos == _FEATURES:
            return (description.type, description.format) in self._forms()
        if description.format != self.trt.TensorFormat.LINEAR:
            return False
        if pos == _BOXES:
            return bool(description.type == self.trt.DataType.FLOAT)
        return bool(description.type == in_out[_FEATURES].desc.type)

    def configure_plugin(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Take note of a profile; a launch is planned from its own shapes, so there is nothing to keep."""

    def get_valid_tactics(self) -> list[int]:
        """Return the tactics that TensorRT shall time."""
        return [tactic.value for tactic in Tactic]

    def get_workspace_size(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
        """Return 0: partial sums stay on the chip."""
        return 0

    # Run

    def set_tactic(self, tactic: int) -> None:
        """Use a tactic from now on; 0 is TensorRT's word for none chosen.

        Raises
        ------
        BackendError
            There is no such tactic: the engine was built by another version.
        """
        if tactic == 0:
            return
        if tactic not in {known.value for known in Tactic}:
            raise BackendError(
                f"there is no tactic {tactic}",
                where=f"plugin {PLUGIN_NAME}",
                remedy="Build the engine again with this version",
            )
        self.tactic = Tactic(tactic)

    def attach_to_context(self, context: Any) -> RoiMeanPlugin:
        """Return a clone for one execution context."""
        return self.clone()

    def get_fields_to_serialize(self) -> Any:
        """Return what an engine keeps of the plugin."""
        int32 = self.trt.PluginFieldType.INT32
        return self.trt.PluginFieldCollection(
            [self.trt.PluginField(name, value, int32) for name, value in self._values.items()]
        )

    def on_shape_change(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Check the shapes, and load the kernel they need before a stream can be under capture."""
        self.kernels.prepare(self._feature_map(inputs).kernel)

    def enqueue(
        self,
        input_desc: Sequence[Any],
        output_desc: Sequence[Any],
        inputs: Sequence[int],
        outputs: Sequence[int],
        workspace: int,
        stream: int,
    ) -> None:
        """Put the launch on the stream and return at once. Pointers and stream are raw handles."""
        features = self._feature_map(input_desc)
        launch = plan_launch(features, tuple(input_desc[_BOXES].dims)[1], self.tactic)
        if launch is not None:
            pointers = (int(inputs[_FEATURES]), int(inputs[_BOXES]), int(outputs[0]))
            self.kernels.launch(launch, pointers, int(stream))

    def _forms(self) -> dict[tuple[Any, Any], tuple[Precision, Layout]]:
        """Return what the features' types and formats mean to the kernels."""
        kind, form = self.trt.DataType, self.trt.TensorFormat
        return {
            (kind.HALF, form.HWC8): (Precision.FP16, Layout.NHWC),
            (kind.HALF, form.LINEAR): (Precision.FP16, Layout.NCHW),
            (kind.FLOAT, form.HWC): (Precision.FP32, Layout.NHWC),
            (kind.FLOAT, form.LINEAR): (Precision.FP32, Layout.NCHW),
        }

    def _feature_map(self, inputs: Sequence[Any]) -> FeatureMap:
        description, boxes = inputs[_FEATURES], tuple(inputs[_BOXES].dims)
        batch, channels, height, width = tuple(description.dims)
        if len(boxes) != 3 or boxes[0] != batch or boxes[2] != 4:
            raise BackendError(
                f"boxes of shape {boxes} do not fit features of shape {tuple(description.dims)}",
                where=f"plugin {PLUGIN_NAME}",
                remedy="Give [B, R, 4] boxes, as fractions of the map",
            )
        precision, layout = self._forms()[description.type, description.format]
        stride = padded_channels(channels, precision) if layout is Layout.NHWC else channels
        return FeatureMap(batch, channels, height, width, layout, precision, stride)


class RoiMeanCreator:
    """Behaviour of the creator; `registration.plugin_types` adds TensorRT's interface.

    Parameters
    ----------
    kernels : Kernels
        Given to every plugin made here.
    """

    trt: Any
    plugin: type[RoiMeanPlugin]

    def __init__(self, kernels: Kernels) -> None:
        self.trt.IPluginCreatorV3One.__init__(self)
        self.name, self.plugin_version = PLUGIN_NAME, PLUGIN_VERSION
        self.plugin_namespace = PLUGIN_NAMESPACE
        self.kernels = kernels
        int32 = self.trt.PluginFieldType.INT32
        self._empty = np.array([], dtype=np.int32)
        self.field_names = self.trt.PluginFieldCollection(
            [self.trt.PluginField(name, self._empty, int32) for name, _ in RoiMeanFields().items()]
        )

    def create_plugin(self, name: str, fields: Any, phase: Any) -> RoiMeanPlugin:
        """Make a plugin from the attributes of a node (build) or from what an engine kept (run).

        Raises
        ------
        BackendError
            A field has a value that the kernel does not compute.
        """
        values = {field.name: int(np.asarray(field.data).reshape(-1)[0]) for field in fields}
        return self.plugin(self.kernels, RoiMeanFields.parse(values))
