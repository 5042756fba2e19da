"""What an engine shall be built for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.backends.engine_files import AMPERE_PLUS, SAME_CAPABILITY, SAME_GPU
from edge_retrieve.runtime.backends.profiles import InputProfile
from edge_retrieve.runtime.bundle import Graph, Manifest, Precision
from edge_retrieve.runtime.errors import ConfigError

HARDWARE_LEVELS = (SAME_GPU, SAME_CAPABILITY, AMPERE_PLUS)


@dataclass(frozen=True)
class Limits:
    """The most that one run of a graph takes, and what kernels are chosen for.

    Parameters
    ----------
    images : int
        Images at once; reading an archive in takes 8.
    boxes : int
        Boxes of an image; a map of where a phrase is found probes up to 1,728.
    texts : int
        Texts at once; reading reports in takes 64.
    """

    images: int = 8
    boxes: int = 2048
    texts: int = 64

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ConfigError(f"{value} is below 1", where=f"--max-{name}")

    def profiles(self, manifest: Manifest) -> Mapping[Graph, tuple[InputProfile, ...]]:
        """Return the profile of every input of a bundle's graphs.

        Kernels are chosen for one image, its 29 regions, and 8 texts of 32 tokens: what a query waits for.
        """
        size, side = manifest.image_size, manifest.image_size // manifest.feature_stride
        channels, tokens = manifest.feature_channels, manifest.max_text_tokens
        texts = tuple(
            InputProfile(name, (1, 1), (min(8, self.texts), min(32, tokens)), (self.texts, tokens))
            for name in ("token_ids", "mask")
        )
        features = (channels, side, side)
        return {
            Graph.IMAGE_ENCODER: (
                InputProfile("pixels", (1, 1, size, size), (1, 1, size, size), (self.images, 1, size, size)),
            ),
            Graph.REGION_ENCODER: (
                InputProfile("features", (1, *features), (1, *features), (self.images, *features)),
                InputProfile(
                    "boxes",
                    (1, 1, 4),
                    (1, min(len(manifest.regions), self.boxes), 4),
                    (self.images, self.boxes, 4),
                ),
            ),
            Graph.TEXT_ENCODER: texts,
        }


@dataclass(frozen=True)
class EngineOptions:
    """How engines are built.

    Parameters
    ----------
    precision : Precision
        ``fp16`` with its float32 islands, or ``fp32``. It is written into the graph, for the libraries have
        no switch for it any more.
    limits : Limits
    capabilities : tuple of (int, int)
        Compute capabilities to build for, ahead of time (TensorRT for RTX); by default RTX 30, 40 and 50.
    workspace_mib : int
        Most scratch memory a kernel may take; 0 for the whole device.
    hardware_compatibility : str
        One of `HARDWARE_LEVELS` (TensorRT).
    version_compatible : bool
        Whether later releases of the same major version shall open the engine (TensorRT).
    timing_cache : Path, optional
        File of kernel timings that is read and added to (TensorRT): the next build is faster.
    kernels : Path, optional
        Folder of the plugin's kernels (TensorRT). With it, regions are pooled by the plugin.
    """

    precision: Precision = Precision.FP16
    limits: Limits = Limits()
    capabilities: tuple[tuple[int, int], ...] = ()
    workspace_mib: int = 0
    hardware_compatibility: str = SAME_GPU
    version_compatible: bool = False
    timing_cache: Path | None = None
    kernels: Path | None = None

    def __post_init__(self) -> None:
        if self.precision is Precision.INT8:
            raise ConfigError(
                "engines are built in fp16 or fp32", where="--precision", remedy="Give --precision fp16"
            )
        if self.hardware_compatibility not in HARDWARE_LEVELS:
            raise ConfigError(
                f"'{self.hardware_compatibility}' is unknown",
                where="--hardware-compatibility",
                remedy=f"Choose one of {', '.join(HARDWARE_LEVELS)}",
            )
