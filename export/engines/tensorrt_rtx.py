"""TensorRT for RTX: engines built ahead of time, with no GPU at hand, for several kinds of card at once."""

from __future__ import annotations

from typing import Any

from edge_retrieve.export.engines.builder import EngineBuilder, Targets
from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt
from edge_retrieve.runtime.backends.tensorrt_rtx_runner import LIBRARY
from edge_retrieve.runtime.bundle import RoiAlign
from edge_retrieve.runtime.errors import ConfigError

# RTX 30, RTX 40 and RTX 50.
DEFAULT_CAPABILITIES = ((8, 6), (8, 9), (12, 0))


class RtxBuilder(EngineBuilder):
    """Builds with ``tensorrt_rtx``.

    Parameters
    ----------
    trt : module, optional

    Raises
    ------
    MissingExtraError
        It is not installed.
    """

    library = LIBRARY

    def __init__(self, trt: Any = None) -> None:
        super().__init__(trt or import_tensorrt("tensorrt_rtx"))

    def targets(self, options: EngineOptions) -> Targets:
        """Return the capabilities asked for; see `EngineBuilder.targets`."""
        wanted = self._wanted(options)
        for capability in wanted:
            self._member(capability)
        return Targets(tuple(f"{major}.{minor}" for major, minor in wanted))

    def roi_align(self, options: EngineOptions) -> RoiAlign:
        """Return products of matrices: the library runs no plugins, and its RoiAlign asks for a driver."""
        return RoiAlign.MATMUL

    def configure(self, config: Any, options: EngineOptions) -> None:
        """Set the compute capabilities; timing, versions and levels of hardware are not this library's."""
        wanted = self._wanted(options)
        config.num_compute_capabilities = len(wanted)
        for number, capability in enumerate(wanted):
            config.set_compute_capability(self._member(capability), number)

    def finish(self, config: Any, options: EngineOptions) -> None:
        """Do nothing: kernels are chosen on the card itself."""

    def _wanted(self, options: EngineOptions) -> tuple[tuple[int, int], ...]:
        return options.capabilities or DEFAULT_CAPABILITIES

    def _member(self, capability: tuple[int, int]) -> Any:
        known = self.trt.ComputeCapability.__members__
        name = f"SM{capability[0]}{capability[1]}"
        if name not in known:
            offered = ", ".join(f"{it[2:-1]}.{it[-1]}" for it in known if it.startswith("SM"))
            raise ConfigError(
                f"TensorRT for RTX {self.version} does not build for compute capability "
                f"{capability[0]}.{capability[1]}",
                where="--capability",
                remedy=f"Choose from {offered}, or use export tensorrt",
            )
        return known[name]
