"""TensorRT: engines tuned on the card that they will run on. Written for its releases 10.3 to 11."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_retrieve.export.engines.builder import EngineBuilder, Targets
from edge_retrieve.export.engines.options import EngineOptions
from edge_retrieve.runtime.backends.engine_files import AMPERE_PLUS, SAME_CAPABILITY, write_whole
from edge_retrieve.runtime.backends.gpu import Gpu, find_gpu
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt, register
from edge_retrieve.runtime.backends.tensorrt_runner import LIBRARY
from edge_retrieve.runtime.bundle import RoiAlign
from edge_retrieve.runtime.errors import ConfigError, ExportError


class TensorRtBuilder(EngineBuilder):
    """Builds with ``tensorrt``.

    Parameters
    ----------
    trt : module, optional
    gpu : Gpu, optional
        The card of this machine; asked of the driver by default.

    Raises
    ------
    MissingExtraError
        TensorRT is not installed.
    BackendError
        There is no GPU: TensorRT measures kernels, so it builds where there is one.
    """

    library = LIBRARY

    def __init__(self, trt: Any = None, gpu: Gpu | None = None) -> None:
        super().__init__(trt or import_tensorrt())
        self.gpu = gpu or find_gpu()

    def targets(self, options: EngineOptions) -> Targets:
        """Return this machine's GPU; see `EngineBuilder.targets`."""
        if options.capabilities and options.capabilities != (self.gpu.capability,):
            raise ConfigError(
                f"TensorRT builds for the card it runs on, and this one has {self.gpu.capability_text}",
                where="--capability",
                remedy="Build on the card that will run the engine, or use export tensorrt-rtx",
            )
        return Targets((self.gpu.capability_text,), self.gpu.name)

    def roi_align(self, options: EngineOptions) -> RoiAlign:
        """Return the plugin where its kernels are given, and register it."""
        if options.kernels is None:
            return RoiAlign.MATMUL
        register(self.trt, Kernels(options.kernels))
        return RoiAlign.PLUGIN

    def configure(self, config: Any, options: EngineOptions) -> None:
        """Set compatibility with other cards and releases, and read the timings of earlier builds."""
        trt = self.trt
        if options.version_compatible:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        level = options.hardware_compatibility
        if level in (AMPERE_PLUS, SAME_CAPABILITY):
            known = trt.HardwareCompatibilityLevel.__members__
            if level.upper() not in known:
                raise ConfigError(
                    f"TensorRT {self.version} has no level '{level}'",
                    where="--hardware-compatibility",
                    remedy=f"Choose from {', '.join(name.lower() for name in known)}",
                )
            config.hardware_compatibility_level = known[level.upper()]
        if options.timing_cache is not None:
            cache = config.create_timing_cache(_read(options.timing_cache))
            # Of another card or release, it is refused; timings are then measured anew and replace it.
            if not config.set_timing_cache(cache, ignore_mismatch=False):
                config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def finish(self, config: Any, options: EngineOptions) -> None:
        """Write the timings of this build and earlier ones."""
        if options.timing_cache is None:
            return
        try:
            options.timing_cache.parent.mkdir(parents=True, exist_ok=True)
            write_whole(options.timing_cache, bytes(config.get_timing_cache().serialize()))
        except OSError as error:
            raise ExportError(
                f"the timing cache cannot be written ({error.strerror})",
                where=str(options.timing_cache),
                remedy="Name another --timing-cache",
            ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ExportError(
            f"the timing cache cannot be read ({error.strerror})",
            where=str(path),
            remedy="Name another --timing-cache",
        ) from error
