"""The kernels on the processor, from the library that `build_host` makes: slow, and a proof of the source."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.backends.plugins.launch import (
    FeatureMap,
    Launch,
    Layout,
    Precision,
    Tactic,
    padded_channels,
    plan_launch,
)
from edge_retrieve.runtime.errors import BackendError

Floats = npt.NDArray[Any]


class HostKernels:
    """Runs launches on the processor.

    Parameters
    ----------
    library : Path
        What `build_host` made.
    """

    def __init__(self, library: Path) -> None:
        self._run = ctypes.CDLL(str(library)).roi_mean_on_host
        self._run.argtypes = [
            ctypes.c_char_p,
            *[ctypes.c_int] * 3,
            *[ctypes.c_void_p] * 3,
            *[ctypes.c_int] * 6,
        ]

    def launch(self, launch: Launch, pointers: tuple[int, int, int]) -> None:
        """Run one launch; pointers are addresses in this process.

        Raises
        ------
        BackendError
            There is no such kernel.
        """
        if self._run(launch.kernel.encode(), *launch.grid, launch.threads, *pointers, *launch.sizes):
            raise BackendError(f"there is no kernel for {launch}", where="host build")

    def pool(
        self,
        features: Floats,
        boxes: Floats,
        *,
        layout: Layout = Layout.NCHW,
        tactic: Tactic = Tactic.LANES_16,
    ) -> Floats:
        """Pool boxes [B, R, 4] (fractions) from features [B, C, h, w] to [B, R, C].

        Parameters
        ----------
        features : ndarray of float32 or float16
            As [B, C, h, w] whatever the layout; it is laid out here, for float16 padded to 8 channels.
        boxes : ndarray of float32
        layout : Layout
        tactic : Tactic
        """
        batch, channels, height, width = features.shape
        precision = Precision.FP16 if features.dtype == np.float16 else Precision.FP32
        stride = channels
        data = np.ascontiguousarray(features)
        if layout is Layout.NHWC:
            stride = padded_channels(channels, precision)
            data = np.full((batch, height, width, stride), np.nan, features.dtype)
            data[..., :channels] = features.transpose(0, 2, 3, 1)
        boxes = np.ascontiguousarray(boxes, dtype=np.float32)
        out = np.full((batch, boxes.shape[1], channels), np.nan, features.dtype)
        shape = FeatureMap(batch, channels, height, width, layout, precision, stride)
        launch = plan_launch(shape, boxes.shape[1], tactic)
        if launch is not None:
            self.launch(launch, (data.ctypes.data, boxes.ctypes.data, out.ctypes.data))
        return out
