"""What every inference engine looks like from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.errors import BackendError

Array = npt.NDArray[Any]


class Backend(str, Enum):
    """The engine that runs the model's graphs. `AUTO` takes the best that really works."""

    AUTO = "auto"
    CPU = "cpu"
    OPENVINO = "openvino"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt-rtx"


@dataclass(frozen=True)
class TensorSpec:
    """One input of a graph as it declares it.

    Parameters
    ----------
    name : str
    dtype : str
        NumPy name of the element type, such as ``float32``.
    shape : tuple of (int or None)
        None where the graph leaves the extent open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def check(self, array: Array, where: str) -> None:
        """Raise `BackendError` where an array does not fit this input."""
        if array.dtype != np.dtype(self.dtype):
            raise BackendError(
                f"input '{self.name}' has element type {array.dtype}, the graph wants {self.dtype}",
                where=where,
                remedy="Convert the array, or use a bundle exported with this input type",
            )
        fits = len(array.shape) == len(self.shape) and all(
            wanted is None or wanted == got for wanted, got in zip(self.shape, array.shape, strict=True)
        )
        if not fits:
            wanted = " x ".join("any" if extent is None else str(extent) for extent in self.shape)
            given = " x ".join(map(str, array.shape))
            raise BackendError(
                f"input '{self.name}' has shape {given}, the graph wants {wanted}",
                where=where,
                remedy="Check that the bundle's manifest describes these graphs",
            )


class Runner(ABC):
    """One loaded graph. Use it as a context manager; leaving it frees the engine."""

    name: str
    """Engine and graph, for messages and logs."""

    inputs: tuple[TensorSpec, ...]
    """The graph's inputs, in its order."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once.

        Parameters
        ----------
        inputs : mapping of str to array
            One array per declared input.

        Returns
        -------
        dict of str to array
            Every output by its name.

        Raises
        ------
        BackendError
            Where an input is missing, unknown or does not fit, or the engine fails.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the engine; closing twice is allowed."""

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self, inputs: Mapping[str, Array]) -> None:
        """Raise `BackendError` where the inputs are not exactly those the graph declares."""
        declared = {spec.name for spec in self.inputs}
        if declared != inputs.keys():
            raise BackendError(
                f"the graph has inputs {sorted(declared)}, it was given {sorted(inputs)}",
                where=self.name,
                remedy="Use a bundle whose graphs have the inputs of this version",
            )
        for spec in self.inputs:
            spec.check(inputs[spec.name], self.name)
