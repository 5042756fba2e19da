"""``edge-retrieve bundle tune|calibrate``: what counts in a bundle's scores and what they are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.evaluating import encoded_option, open_encoder, phase_progress
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import MODEL_SETTINGS, json_option, key_option, setting_options
from edge_retrieve.runtime.bundle import (
    calibrate_bundle,
    inspect_bundle,
    read_signing_key,
    require_folder,
    tune_bundle,
)


def fitting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command takes that fits a part of the bundle in FOLDER on held-out phantoms."""
    options = (
        click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path)),
        click.option(
            "--studies",
            metavar="N",
            type=click.IntRange(2),
            default=2000,
            show_default=True,
            help="Phantoms to fit on.",
        ),
        click.option(
            "--seed",
            metavar="S",
            type=click.IntRange(0),
            default=301,
            show_default=True,
            help="Of the phantoms; none that figures are reported on.",
        ),
        encoded_option,
        key_option,
        setting_options(*(name for name in MODEL_SETTINGS if name not in ("trusted_keys", "allow_unsigned"))),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@fitting_options
def tune(
    folder: Path,
    studies: int,
    seed: int,
    encoded: Path | None,
    key: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Find what images and texts count in a score on held-out synthetic phantoms, and put it into the bundle.

    Stores made with the bundle stay usable. A calibration it had is gone, for it was of other scores, and so
    is a signature; give --key to sign it anew.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.fusion import METRIC, tune_fusion
        from edge_retrieve.train.evaluate.phantom import encode_seeds

    signing = read_signing_key(key) if key else None
    with open_encoder(inspect_bundle(folder), **model) as encoder, phase_progress("Tuning") as progress:
        (phantoms,) = encode_seeds(encoder, studies, [seed], encoded=encoded, progress=progress)
        data = f"{studies} held-out synthetic phantoms, seed {seed}"
        tuning = tune_fusion(phantoms.archive, data=data, progress=progress)
    tuned = tune_bundle(folder, tuning.fusion, signing)
    document = {
        "path": str(folder),
        "bundle_id": tuned.bundle_id,
        "synthetic": True,
        "fusion": asdict(tuning.fusion),
        "metric": METRIC,
        "tried": [{**asdict(each), "asked": each.asked.value} for each in tuning.tried],
    }
    if as_json:
        print_json(document)
        return
    console = answers()
    for form in ("conditioned", "unconditioned"):
        weights = asdict(getattr(tuning.fusion, form))
        told = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        console.print(f"{form}: {told}", soft_wrap=True)
    console.print(f"{folder}: tuned on {data}; calibrate it next.", soft_wrap=True)


@click.command()
@fitting_options
def calibrate(
    folder: Path,
    studies: int,
    seed: int,
    encoded: Path | None,
    key: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Fit what the scores are worth on held-out synthetic phantoms, and put it into the bundle in FOLDER.

    Stores made with the bundle stay usable. A signature it had is gone; give --key to sign it anew.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.calibration import fit_calibration
        from edge_retrieve.train.evaluate.phantom import encode_seeds

    signing = read_signing_key(key) if key else None
    require_folder(folder, "calibrated")
    found = inspect_bundle(folder)
    with open_encoder(found, **model) as encoder, phase_progress("Calibrating") as progress:
        (phantoms,) = encode_seeds(encoder, studies, [seed], encoded=encoded, progress=progress)
        curves = fit_calibration(
            phantoms.archive,
            found.manifest.fusion,
            data=f"{studies} held-out synthetic phantoms, seed {seed}",
            progress=progress,
        )
    calibrated = calibrate_bundle(folder, curves, signing)
    if as_json:
        signature = calibrated.manifest.signature
        print_json(
            {
                "path": str(folder),
                "bundle_id": calibrated.bundle_id,
                "synthetic": True,
                "data": curves.data,
                "curves": len(curves.curves),
                "key": signature.key if signature else None,
            }
        )
        return
    told = f"signed with {signing.trusted.fingerprint}" if signing else "not signed"
    answers().print(f"{folder}: {len(curves.curves)} curves, from {curves.data}; {told}.", soft_wrap=True)
