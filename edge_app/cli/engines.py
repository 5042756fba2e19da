"""``edge-retrieve export tensorrt`` and ``tensorrt-rtx``: from a bundle to engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option
from edge_retrieve.runtime.backends.engine_files import EngineFile
from edge_retrieve.runtime.bundle import Bundle, Precision, inspect_bundle

if TYPE_CHECKING:
    from edge_retrieve.export.engines.builder import EngineBuilder
    from edge_retrieve.export.engines.options import EngineOptions

Command = TypeVar("Command", bound=Callable[..., Any])

_SHARED = (
    click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path)),
    click.option(
        "--out",
        metavar="DIR",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of engines, of this bundle and others; give it as --engines where they are used.",
    ),
    click.option(
        "--precision",
        type=click.Choice([Precision.FP16.value, Precision.FP32.value]),
        default=Precision.FP16.value,
        show_default=True,
        help="What the engines compute in.",
    ),
    click.option(
        "--max-images", metavar="N", type=click.IntRange(1), default=8, show_default=True,
        help="Most images at once.",
    ),
    click.option(
        "--max-boxes", metavar="N", type=click.IntRange(1), default=2048, show_default=True,
        help="Most boxes of an image at once; phrase maps probe 1,728.",
    ),
    click.option(
        "--max-texts", metavar="N", type=click.IntRange(1), default=64, show_default=True,
        help="Most texts at once.",
    ),
    click.option(
        "--workspace-mib", metavar="MIB", type=click.IntRange(0), default=0, show_default=True,
        help="Most scratch memory of a kernel; 0 for all that the card has.",
    ),
    json_option,
)  # fmt: skip


def _shared(command: Command) -> Command:
    for option in reversed(_SHARED):
        command = option(command)
    return command


@click.command("tensorrt-rtx")
@_shared
@click.option(
    "--capability",
    metavar="X.Y",
    multiple=True,
    help="A compute capability to build for; may be repeated (default 8.6, 8.9 and 12.0: RTX 30, 40, 50).",
)
def tensorrt_rtx(
    bundle_path: Path, out: Path, as_json: bool, capability: tuple[str, ...], **asked: Any
) -> None:
    """Build engines of TensorRT for RTX from a bundle; needs no GPU."""
    with named_extras("rtx"):
        from edge_retrieve.export.engines.options import EngineOptions
        from edge_retrieve.export.engines.tensorrt_rtx import RtxBuilder
        from edge_retrieve.export.plugins.build import parse_capability

    options = EngineOptions(**_common(asked), capabilities=tuple(map(parse_capability, capability)))
    bundle = inspect_bundle(bundle_path)
    _tell(bundle, build_with_bar(bundle, RtxBuilder(), options, out), as_json)


@click.command()
@_shared
@click.option(
    "--hardware-compatibility",
    type=click.Choice(["none", "same_compute_capability", "ampere_plus"]),
    default="none",
    show_default=True,
    help="Other cards that shall run the engines, at some cost of speed.",
)
@click.option("--version-compatible", is_flag=True, help="Let later releases of TensorRT open the engines.")
@click.option(
    "--timing-cache",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Timings of kernels, read and added to: the next build is faster.",
)
@click.option(
    "--kernels",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Kernels from `export plugins`: pool regions with our plugin instead of matrix products.",
)
def tensorrt(
    bundle_path: Path,
    out: Path,
    as_json: bool,
    hardware_compatibility: str,
    version_compatible: bool,
    timing_cache: Path | None,
    kernels: Path | None,
    **asked: Any,
) -> None:
    """Build engines of TensorRT from a bundle, on the card that will run them."""
    with named_extras("tensorrt"):
        from edge_retrieve.export.engines.options import EngineOptions
        from edge_retrieve.export.engines.tensorrt import TensorRtBuilder

    options = EngineOptions(
        **_common(asked),
        hardware_compatibility=hardware_compatibility,
        version_compatible=version_compatible,
        timing_cache=timing_cache,
        kernels=kernels,
    )
    bundle = inspect_bundle(bundle_path)
    _tell(bundle, build_with_bar(bundle, TensorRtBuilder(), options, out), as_json)


def build_with_bar(
    bundle: Bundle, builder: EngineBuilder, options: EngineOptions, root: Path | None
) -> tuple[EngineFile, ...]:
    """Build a bundle's engines under a progress bar; as `build_engines`."""
    from edge_retrieve.export.engines.bundle_engines import build_engines

    with progress_bar(f"Building {builder.library} engines") as bar:
        return build_engines(
            bundle,
            builder,
            options,
            root=root,
            progress=lambda graph, done, total, phase: bar(done, total, note=f"{graph.value}: {phase}"),
        )


def engine_json(file: EngineFile) -> dict[str, object]:
    """Return what is told of one engine."""
    engine = file.record.engine
    return {
        "path": str(file.path),
        "graph": engine.graph.value,
        "precision": engine.precision.value,
        "library": engine.library,
        "library_version": engine.library_version,
        "compute_capabilities": list(engine.compute_capabilities),
        "gpu": engine.gpu_name,
        "bytes": file.path.stat().st_size,
    }


def _common(asked: dict[str, Any]) -> dict[str, Any]:
    from edge_retrieve.export.engines.options import Limits

    return {
        "precision": Precision(asked["precision"]),
        "limits": Limits(asked["max_images"], asked["max_boxes"], asked["max_texts"]),
        "workspace_mib": asked["workspace_mib"],
    }


def _tell(bundle: Bundle, built: tuple[EngineFile, ...], as_json: bool) -> None:
    if as_json:
        print_json({"bundle_id": bundle.bundle_id, "engines": [engine_json(file) for file in built]})
        return
    console = answers()
    for file in built:
        engine = file.record.engine
        cards = ", ".join(engine.compute_capabilities)
        console.print(
            f"{file.path}: {engine.precision.value}, compute capability {cards}, "
            f"{engine.library} {engine.library_version}, {file.path.stat().st_size / 1e6:.1f} MB",
            soft_wrap=True,
        )
