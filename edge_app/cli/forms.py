"""``edge-retrieve export forms``, and the options by which forms of a model are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import Command, json_option, key_option
from edge_retrieve.runtime.bundle import Bundle, Precision, inspect_bundle, read_signing_key, sign_bundle
from edge_retrieve.runtime.errors import ConfigError


def form_options(default: str) -> Callable[[Command], Command]:
    """Add the options of `options_from`; `default` names the precisions that are made if none is named."""
    options = (
        click.option(
            "--forms",
            metavar="A,B,...",
            default=default,
            show_default=True,
            help="Precisions to make: fp32, fp16, int8.",
        ),
        click.option(
            "--overlap-studies",
            metavar="N",
            type=click.IntRange(0),
            default=500,
            show_default=True,
            help="Phantoms of the archive whose ten nearest cases are compared; 0 compares none.",
        ),
        click.option(
            "--images",
            metavar="PATH",
            multiple=True,
            type=click.Path(path_type=Path),
            help="An image, or a folder of them, to compare on beside phantoms; may be repeated.",
        ),
        click.option(
            "--calibrate-on",
            metavar="PATH",
            multiple=True,
            type=click.Path(path_type=Path),
            help="An image, or a folder of them, that int8 is calibrated on instead of phantoms.",
        ),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def options_from(
    forms: str,
    overlap_studies: int,
    images: tuple[Path, ...],
    calibrate_on: tuple[Path, ...],
    small: bool = False,
) -> Any:
    """Return the `FormOptions` that the options of `form_options` ask for."""
    from edge_retrieve.export.forms import FormOptions

    known = [precision.value for precision in Precision]
    names = [name.strip() for name in forms.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            f"'{', '.join(unknown)}' is unknown" if unknown else "no precision is named",
            where="--forms",
            remedy=f"Name some of {', '.join(known)}, with commas between",
        )
    return FormOptions(
        precisions=tuple(map(Precision, names)),
        small=small,
        images=images,
        calibrate_on=calibrate_on,
        overlap_studies=overlap_studies,
    )


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show what an export is doing as a bar on standard error while the block runs."""
    with progress_bar("Making and comparing the forms") as advance:
        yield lambda phase, done, total: advance(done, total)


def answer_bundle(bundle: Bundle, signed: bool, as_json: bool) -> None:
    """Print what an export came to."""
    manifest = bundle.manifest
    if as_json:
        print_json(
            {
                "path": str(bundle.path),
                "bundle_id": bundle.bundle_id,
                "evaluation": dict(manifest.evaluation),
                "parity": [asdict(parity) for parity in manifest.parity],
            }
        )
        return
    console = answers()
    use = "signed" if signed else "not signed: use it with --allow-unsigned, or sign it"
    console.print(f"Bundle written to {bundle.path} ({use}).", soft_wrap=True)
    for parity in manifest.parity:
        console.print(f"{parity.precision.value}:")
        for name, value in parity.figures.items():
            least = f" (at least {parity.bounds[name]})" if name in parity.bounds else ""
            console.print(f"  {name}: {value:.6g}{least}")


@click.command("forms")
@click.argument("bundle_path", metavar="[BUNDLE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the new bundle; must not exist, or be empty.",
)
@form_options("fp16,int8")
@key_option
@json_option
def add_forms_command(
    bundle_path: Path | None, out: Path, key: Path | None, as_json: bool, **asked: Any
) -> None:
    """Make the fp16 and int8 forms of a bundle from its own graphs; of the demo bundle without BUNDLE.

    No checkpoint is needed. Each form is held against the bundle's float32 graphs.
    """
    with named_extras("export"):
        from edge_retrieve.export.remake import add_forms

    signing = read_signing_key(key) if key else None
    options = options_from(**asked)
    bundle = inspect_bundle(bundle_path)
    say(f"Making forms of {bundle.path} and comparing them with its float32 graphs …")
    with shown_progress() as progress:
        made = add_forms(bundle, out, options, progress)
    if signing is not None:
        made = sign_bundle(made.path, signing)
    answer_bundle(made, signing is not None, as_json)
