"""What the plugin computes, and the names by which ONNX graphs and TensorRT know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from edge_retrieve.runtime.errors import BackendError

PLUGIN_NAME = "RoiAlignMean"
PLUGIN_VERSION = "1"
# The namespace in TensorRT's registry, and the domain of the node in ONNX.
PLUGIN_NAMESPACE = "edge_retrieve"


@dataclass(frozen=True)
class RoiMeanFields:
    """The numbers of the definition, as attributes of the node and as fields in an engine.

    The names and meanings are those of ONNX ``RoiAlign``. The kernel is compiled for the one definition of
    this project; the fields travel so that a graph made for another one is refused instead of miscomputed.

    Parameters
    ----------
    output_height, output_width : int
        Cells of a box on each axis.
    sampling_ratio : int
        Samples of a cell on each axis.
    """

    output_height: int = 7
    output_width: int = 7
    sampling_ratio: int = 2

    def items(self) -> tuple[tuple[str, int], ...]:
        """Return names and values, in a fixed order."""
        return tuple(asdict(self).items())

    @classmethod
    def parse(cls, values: Mapping[str, int]) -> RoiMeanFields:
        """Read the fields of a node or an engine; what is absent has the definition's value.

        Raises
        ------
        BackendError
            A value is not the one that the kernel computes.
        """
        known = cls()
        for name, expected in known.items():
            if values.get(name, expected) != expected:
                raise BackendError(
                    f"{name} is {values[name]}, and the kernel computes {expected} only",
                    where=f"plugin {PLUGIN_NAME}",
                    remedy="Export the graph again with this version",
                )
        return known
