"""``edge-retrieve export``: from a checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option, key_option
from edge_retrieve.runtime.bundle import read_signing_key, sign_bundle


@click.group()
def export() -> None:
    """Turn a trained checkpoint into a bundle."""


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
    help="A decision level for the manifest: box_score_flag or abstain_below.",
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
) -> None:
    """Export the three ONNX graphs and check that they compute what the checkpoint does."""
    with named_extras("export"):
        from edge_retrieve.export.figures import parse_thresholds, read_figures
        from edge_retrieve.export.to_onnx import export_bundle

    signing = read_signing_key(key) if key else None
    known, levels = read_figures(evaluation), parse_thresholds(threshold)

    say(f"Exporting {checkpoint} and comparing the graphs with it …")
    bundle = export_bundle(checkpoint, out, model_id=model_id, evaluation=known, thresholds=levels)
    if signing is not None:
        bundle = sign_bundle(bundle.path, signing)
    figures = dict(bundle.manifest.evaluation)
    if as_json:
        print_json({"path": str(bundle.path), "bundle_id": bundle.bundle_id, "evaluation": figures})
        return
    console = answers()
    use = "signed" if key else "not signed: use it with --allow-unsigned, or sign it"
    console.print(f"Bundle written to {bundle.path} ({use}).", soft_wrap=True)
    for name, value in figures.items():
        console.print(f"  {name}: {value:.6g}")
