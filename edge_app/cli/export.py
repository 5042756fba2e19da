"""``edge-retrieve export``: from a checkpoint to a bundle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.engines import tensorrt, tensorrt_rtx
from edge_retrieve.edge_app.cli.forms import (
    add_forms_command,
    answer_bundle,
    form_options,
    options_from,
    shown_progress,
)
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option, key_option
from edge_retrieve.runtime.bundle import read_signing_key, sign_bundle


@click.group()
def export() -> None:
    """Turn a trained checkpoint into a bundle, and a bundle into engines."""


export.add_command(add_forms_command)
export.add_command(tensorrt)
export.add_command(tensorrt_rtx)


@export.command()
@click.argument("checkpoint", metavar="CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the new bundle; must not exist, or be empty.",
)
@click.option("--model-id", default="rra-vl", show_default=True, help="Name and version of the model.")
@click.option(
    "--evaluation",
    metavar="NAME=FILE",
    multiple=True,
    help="Figures for the manifest: the JSON that an `eval` command printed, under a name of yours.",
)
@click.option(
    "--threshold",
    metavar="NAME=VALUE",
    multiple=True,
    help="A decision level for the manifest: box_score_flag, or abstain_below (a score, if not calibrated).",
)
@form_options("fp32,fp16,int8")
@click.option(
    "--small", is_flag=True, help="Store the weights of the fp32 graphs in one or two bytes each, not four."
)
@key_option
@json_option
def onnx(
    checkpoint: Path,
    out: Path,
    model_id: str,
    evaluation: tuple[str, ...],
    threshold: tuple[str, ...],
    key: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Export the three ONNX graphs in several precisions and check that they compute what the model does."""
    with named_extras("export"):
        from edge_retrieve.export.figures import parse_thresholds, read_figures
        from edge_retrieve.export.to_onnx import export_bundle

    signing = read_signing_key(key) if key else None
    known, levels = read_figures(evaluation), parse_thresholds(threshold)
    options = options_from(**asked)
    say(f"Exporting {checkpoint} and comparing the graphs with it …")
    with shown_progress() as progress:
        bundle = export_bundle(
            checkpoint,
            out,
            model_id=model_id,
            evaluation=known,
            thresholds=levels,
            options=options,
            progress=progress,
        )
    if signing is not None:
        bundle = sign_bundle(bundle.path, signing)
    answer_bundle(bundle, signing is not None, as_json)


@export.command()
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the kernels; earlier ones in it are replaced.",
)
@click.option(
    "--capability",
    metavar="X.Y",
    multiple=True,
    help="A compute capability to compile for; may be repeated (default 8.7, 8.9, 9.0 and 11.0).",
)
@click.option("--nvcc", metavar="PATH", default="nvcc", show_default=True, help="The compiler.")
@json_option
def plugins(out: Path, capability: tuple[str, ...], nvcc: str, as_json: bool) -> None:
    """Compile the TensorRT plugin's CUDA kernels, so that no device needs a compiler."""
    from edge_retrieve.export.plugins.build import ARCHITECTURES, build_kernels, parse_capability

    wanted = tuple(map(parse_capability, capability)) or ARCHITECTURES
    say(f"Compiling for {len(wanted)} architectures and as PTX …")
    build = build_kernels(out, architectures=wanted, nvcc=nvcc)
    if as_json:
        kernels = [asdict(resources) for resources in build.resources]
        print_json({"path": str(out), "compiler": build.compiler, "files": build.files, "kernels": kernels})
        return
    console = answers()
    console.print(f"{len(build.files)} files written to {out} by nvcc {build.compiler}.", soft_wrap=True)
    for name in sorted({resources.kernel for resources in build.resources}):
        mine = [resources for resources in build.resources if resources.kernel == name]
        registers = ", ".join(f"{resources.architecture} {resources.registers}" for resources in mine)
        spilled = sum(resources.spill_stores + resources.spill_loads for resources in mine)
        console.print(f"  {name}: registers {registers}; {spilled} bytes spilled", soft_wrap=True)
