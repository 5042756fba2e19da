"""Building an engine: what TensorRT and TensorRT for RTX do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.export.engines.progress import PhaseTracker, Tell, make_monitor
from edge_retrieve.runtime.backends.profiles import InputProfile
from edge_retrieve.runtime.backends.tensorrt_library import make_logger
from edge_retrieve.runtime.bundle import RoiAlign
from edge_retrieve.runtime.errors import ExportError


@dataclass(frozen=True)
class Targets:
    """Where a built engine runs.

    Parameters
    ----------
    capabilities : tuple of str
        Compute capabilities, such as ``8.7``.
    gpu_name : str, optional
        Of the GPU it was tuned on; None where it was built ahead of time.
    """

    capabilities: tuple[str, ...]
    gpu_name: str | None = None


class EngineBuilder(ABC):
    """One of the two libraries, as a builder.

    Parameters
    ----------
    trt : module
        ``tensorrt`` or ``tensorrt_rtx``.
    """

    library: str
    """As in a manifest: ``tensorrt`` or ``tensorrt-rtx``."""

    def __init__(self, trt: Any) -> None:
        self.trt = trt

    @property
    def version(self) -> str:
        """Release of the library."""
        return str(self.trt.__version__)

    @abstractmethod
    def targets(self, options: EngineOptions) -> Targets:
        """Return where an engine built with these options runs.

        Raises
        ------
        ConfigError, BackendError
            The library does not build for what was asked, or there is no GPU where it needs one.
        """

    @abstractmethod
    def roi_align(self, options: EngineOptions) -> RoiAlign:
        """Return how the graphs shall spell region pooling."""

    @abstractmethod
    def configure(self, config: Any, options: EngineOptions) -> None:
        """Set what only this library has in its ``IBuilderConfig``."""

    @abstractmethod
    def finish(self, config: Any, options: EngineOptions) -> None:
        """Keep what a build leaves beside its engine, such as timings."""

    def build(
        self,
        model: bytes,
        profiles: Sequence[InputProfile],
        options: EngineOptions,
        *,
        where: str,
        tell: Tell,
    ) -> bytes:
        """Build one engine.

        Parameters
        ----------
        model : bytes
            ONNX; every value has the type it shall be computed in.
        profiles : sequence of InputProfile
            One per input.
        options : EngineOptions
        where : str
            Name of the graph, for errors.
        tell : callable
            Told of the progress, as for `PhaseTracker`.

        Raises
        ------
        ExportError
            The library does not take the graph, or cannot build it; says what it said.
        """
        trt = self.trt
        logger = make_logger(trt)
        builder = trt.Builder(logger)
        # TensorRT 11 knows no other networks; before, they are asked for.
        typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if typed is None else 1 << int(typed))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(model):
            said = "; ".join(_told(parser.get_error(n)) for n in range(parser.num_errors))
            raise ExportError(
                f"{self.library} {self.version} does not take the graph ({said or logger.first_error})",
                where=where,
            )
        config = builder.create_builder_config()
        if options.workspace_mib:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
        self._add_profile(builder, network, config, profiles, where)
        self.configure(config, options)
        tracker = PhaseTracker(tell)
        # The monitor has to outlive the build: a name keeps it.
        monitor = make_monitor(trt, tracker)
        config.progress_monitor = monitor
        plan = builder.build_serialized_network(network, config)
        if tracker.error is not None:
            raise tracker.error
        if plan is None:
            raise ExportError(
                f"{self.library} {self.version} cannot build the engine "
                f"({logger.first_error or 'no reason given'})",
                where=where,
            )
        self.finish(config, options)
        return bytes(plan)

    def _add_profile(
        self, builder: Any, network: Any, config: Any, profiles: Sequence[InputProfile], where: str
    ) -> None:
        declared = {network.get_input(n).name for n in range(network.num_inputs)}
        if declared != {item.name for item in profiles}:
            raise ExportError(
                f"the graph has inputs {sorted(declared)}, there are profiles of "
                f"{sorted(item.name for item in profiles)}",
                where=where,
            )
        profile = builder.create_optimization_profile()
        for item in profiles:
            profile.set_shape(item.name, item.smallest, item.best, item.largest)
        if config.add_optimization_profile(profile) < 0:
            raise ExportError("the library refuses the profile of shapes", where=where)


def _told(error: Any) -> str:
    """Return a parser's error with the node it is about."""
    node = f"{error.node_operator()} {error.node_name()}".strip()
    return f"{node}: {error.desc()}" if node else str(error.desc())
