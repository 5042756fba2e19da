"""An ONNX Runtime session whose inputs and outputs stay in a device's memory, with CUDA graphs.

Without binding, ONNX Runtime asks for outputs on the host and copies each one inside the run. With it,
addresses can be kept from run to run, which is what a CUDA graph needs: the launches of a run are recorded
once and replayed as one, which spares the many small kernels of these graphs their launch each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from edge_retrieve.runtime.backends.base import Array

# A recorded graph keeps its memory until the session ends, so shapes beyond these few run as they are.
MOST_RECORDED = 8
# ONNX Runtime's run option that tells recorded graphs apart; this value of it asks for none.
_GRAPH_ID, _UNRECORDED = "gpu_graph_id", "-1"

_Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class _Kept(NamedTuple):
    """Device memory of one set of shapes, and the run that is recorded over it."""

    inputs: Mapping[str, Any]
    outputs: list[Any]
    binding: Any
    options: Any


def run_bound(
    ort: Any,
    session: Any,
    inputs: Mapping[str, Array],
    outputs: list[str],
    device: str,
    options: Any = None,
) -> list[Array]:
    """Run a session with inputs and outputs in a device's memory: one copy in, one copy out.

    Parameters
    ----------
    ort : module
    session : onnxruntime.InferenceSession
    inputs : mapping of str to array
    outputs : list of str
    device : str
        ``cuda`` or ``cpu``.
    options : onnxruntime.RunOptions, optional

    Returns
    -------
    list of array
        In the order of `outputs`.
    """
    binding = session.io_binding()
    for name, array in inputs.items():
        value = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0)
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        binding.bind_output(name, device, 0)
    session.run_with_iobinding(binding, options)
    values: list[Array] = binding.copy_outputs_to_cpu()
    return values


class BoundSession:
    """Runs a session over bound memory, and records the shapes that come again.

    Not for several threads at once: the memory of a set of shapes is one run's.

    Parameters
    ----------
    ort : module
    session : onnxruntime.InferenceSession
    outputs : list of str
    device : str
        ``cuda`` or ``cpu``.
    recording : bool
        Whether the session was made to record CUDA graphs.
    """

    def __init__(self, ort: Any, session: Any, outputs: list[str], device: str, *, recording: bool) -> None:
        self._ort, self._session, self._outputs, self._device = ort, session, outputs, device
        self._recording = recording
        self._seen: set[_Shapes] = set()
        self._kept: dict[_Shapes, _Kept] = {}

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run once; the first time with new shapes as they are, from the second time on recorded.

        Returns
        -------
        list of array
            In the order of the outputs, the caller's own.
        """
        shapes: _Shapes = tuple((name, array.shape) for name, array in sorted(inputs.items()))
        kept = self._kept.get(shapes)
        if kept is not None:
            for name, array in inputs.items():
                kept.inputs[name].update_inplace(np.ascontiguousarray(array))
        elif self._recording and shapes in self._seen and len(self._kept) < MOST_RECORDED:
            kept = self._kept[shapes] = self._keep(inputs)
        else:
            self._seen.add(shapes)
            return self._unrecorded(inputs)
        try:
            self._session.run_with_iobinding(kept.binding, kept.options)
        except Exception:  # ONNX Runtime's exceptions share no public base class
            if not self._recording:
                raise
            # What cannot be recorded shows only when it is tried; it may run launch by launch all the same.
            self._recording = False
            self._kept.clear()
            return self._unrecorded(inputs)
        # A copy: on the CPU the array would be the memory that the next run writes to.
        return [np.array(value.numpy()) for value in kept.outputs]

    def _keep(self, inputs: Mapping[str, Array]) -> _Kept:
        """Take memory that stays for these shapes; an unrecorded run tells those of the outputs."""
        values = self._ort.OrtValue
        made = self._unrecorded(inputs)
        binding = self._session.io_binding()
        given = {
            name: values.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, 0)
            for name, array in inputs.items()
        }
        taken = [
            values.ortvalue_from_shape_and_type(array.shape, array.dtype, self._device, 0) for array in made
        ]
        for name, value in given.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in zip(self._outputs, taken, strict=True):
            binding.bind_ortvalue_output(name, value)
        return _Kept(given, taken, binding, self._options(str(len(self._kept) + 1)))

    def _unrecorded(self, inputs: Mapping[str, Array]) -> list[Array]:
        options = self._options(_UNRECORDED)
        return run_bound(self._ort, self._session, inputs, self._outputs, self._device, options)

    def _options(self, graph: str) -> Any:
        options = self._ort.RunOptions()
        options.add_run_config_entry(_GRAPH_ID, graph)
        return options
