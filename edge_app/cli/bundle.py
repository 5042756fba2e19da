"""``edge-retrieve bundle``: what a model bundle says of itself, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import json_option
from edge_retrieve.runtime.bundle import load_bundle

_bundle_argument = click.argument(
    "bundle_path",
    metavar="[BUNDLE]",
    required=False,
    type=click.Path(path_type=Path, file_okay=False),
)


@click.group()
def bundle() -> None:
    """Look at a model bundle."""


@bundle.command()
@_bundle_argument
@json_option
def show(bundle_path: Path | None, as_json: bool) -> None:
    """Show a bundle's manifest; the shipped demo bundle's without BUNDLE."""
    found = load_bundle(bundle_path)
    document = {"path": str(found.path), "bundle_id": found.bundle_id, **asdict(found.manifest)}
    if as_json:
        print_json(document)
        return
    console = answers()
    for name, value in document.items():
        if isinstance(value, dict):
            console.print(f"{name}:")
            for key, entry in value.items():
                console.print(f"  {key}: {entry}", soft_wrap=True)
        elif isinstance(value, tuple):
            console.print(f"{name}: {', '.join(map(str, value))}", soft_wrap=True)
        else:
            console.print(f"{name}: {value}", soft_wrap=True)


@bundle.command()
@_bundle_argument
@json_option
def verify(bundle_path: Path | None, as_json: bool) -> None:
    """Check every file of a bundle against the manifest, and load its graphs."""
    from edge_retrieve.runtime.backends import Backend
    from edge_retrieve.runtime.encoder import Encoder

    found = load_bundle(bundle_path)
    with Encoder(found, Backend.CPU):
        pass
    document = {
        "path": str(found.path),
        "bundle_id": found.bundle_id,
        "files": len(found.manifest.files),
        "verified": True,
    }
    if as_json:
        print_json(document)
    else:
        answers().print(
            f"{found.path}: {len(found.manifest.files)} files verified, graphs load.", soft_wrap=True
        )
